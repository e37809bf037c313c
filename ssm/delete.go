package ssm

import (
	"context"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

const (
	deleteOp     = "DeleteParameter"
	deleteManyOp = "DeleteParameters"
	// deleteSize is how many names one DeleteParameters takes (API
	// DeleteParameters, Names).
	deleteSize = 10
)

// Delete implements [provider.Writer]: the parameter goes at once, with all its
// versions, labels and tags, and nothing brings it back.
func (s *Store) Delete(ctx context.Context, ref provider.Ref) error {
	if err := s.checkWrite(ref); err != nil {
		return err
	}
	var attempts int
	err := s.limit.Do(awsread.Aside(ctx), func() error {
		_, err := s.client(ref).DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &ref.Name}, counting(&attempts))
		return err
	})
	switch {
	case err == nil:
		return nil
	case attempts > 1 && isCode[*types.ParameterNotFound](err):
		return nil // an earlier attempt, whose answer was lost, may have deleted it
	}
	return s.explainWrite(ref, deleteOp, err)
}

// DeleteMany deletes the parameters, ten a call, and returns an error for each
// ref, in order: nil where the parameter is gone. It needs
// ssm:DeleteParameters, which is another permission than Delete's: to deny
// ssm:DeleteParameter alone does not keep a parameter from it (API
// DeleteParameters).
func (s *Store) DeleteMany(ctx context.Context, refs ...string) []error {
	errs, parsed := make([]error, len(refs)), make([]provider.Ref, len(refs))
	byRegion := make(map[string][]string) // the names, each once
	for i, ref := range refs {
		if parsed[i], errs[i] = s.writable(ref); errs[i] != nil {
			continue
		}
		region, name := s.clients.Region(parsed[i].Region), parsed[i].Name
		if !slices.Contains(byRegion[region], name) {
			byRegion[region] = append(byRegion[region], name)
		}
	}
	type place struct{ region, name string }
	var mu sync.Mutex
	failed := make(map[place]error)
	done := make(map[place]bool)
	var again []place // by themselves
	remove := func(region string, names []string) {
		missing, err := s.deleteBatch(ctx, region, names)
		mu.Lock()
		defer mu.Unlock()
		for _, name := range names {
			at := place{region, name}
			switch {
			case err != nil && len(names) > 1 && awsread.Concerns(err):
				again = append(again, at)
				continue
			case err != nil:
				failed[at] = err
			case slices.Contains(missing, name):
				failed[at] = notFoundBy(deleteManyOp, name)
			}
			done[at] = true
		}
	}
	var jobs []func()
	for region, names := range byRegion {
		for batch := range slices.Chunk(names, deleteSize) {
			jobs = append(jobs, func() { remove(region, batch) })
		}
	}
	s.limit.Run(awsread.Aside(ctx), jobs)
	jobs = nil
	for _, at := range again {
		jobs = append(jobs, func() { remove(at.region, []string{at.name}) })
	}
	s.limit.Run(awsread.Aside(ctx), jobs)

	for i, ref := range parsed {
		if errs[i] != nil {
			continue
		}
		at := place{s.clients.Region(ref.Region), ref.Name}
		err := failed[at]
		if !done[at] { // ctx ended before its turn came
			err = ctx.Err()
		}
		if err != nil {
			errs[i] = s.explainWrite(ref, deleteManyOp, err)
		}
	}
	return errs
}

// deleteBatch returns the names that were not there.
func (s *Store) deleteBatch(ctx context.Context, region string, names []string) (missing []string, err error) {
	var attempts int
	out, err := s.clients.In(region).DeleteParameters(ctx, &ssm.DeleteParametersInput{Names: names}, counting(&attempts))
	if err != nil || attempts > 1 { // as in Delete
		return nil, err
	}
	return out.InvalidParameters, nil
}

func notFoundBy(op, name string) error {
	return operationError(op, &types.ParameterNotFound{Message: aws.String("Parameter " + name + " not found.")})
}
