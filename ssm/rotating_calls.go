package ssm

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// rotationCalls is the [calls] that reach AWS.
type rotationCalls struct {
	store        *Store
	ref, pending provider.Ref
	as           *types.ParameterHistory // what the parameter has besides its value
	full         string                  // why it takes no more versions, if so
}

func (*rotationCalls) now() time.Time { return time.Now() }

func (*rotationCalls) id() string { return rand.Text() }

func (*rotationCalls) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *rotationCalls) get(ctx context.Context, selector string) (content, error) {
	p, err := c.store.current(ctx, c.ref, selector, true)
	if err != nil {
		return content{}, c.store.explain(c.ref, "GetParameter", err)
	}
	return contentOf(c.ref, p.version.ID, p.typ, p.content)
}

func contentOf(ref provider.Ref, id string, typ provider.Type, text string) (content, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return content{}, misnamed(ref, "a secret that is read through Parameter Store is rotated in Secrets Manager: name it by sm://")
	}
	return content{n, provider.NewValue(ref, version(n), typ, text)}, nil
}

// look reads the description too, which GetParameter does not tell, and
// DescribeParameters only at its own pace. It has few versions.
func (c *rotationCalls) look(ctx context.Context) (seen, error) {
	var s seen
	var latest types.ParameterHistory
	for pages := (awsread.Pages{}); ; {
		var out *ssm.GetParameterHistoryOutput
		err := c.store.limit.Do(ctx, func() (err error) {
			out, err = c.store.client(c.ref).GetParameterHistory(ctx, &ssm.GetParameterHistoryInput{
				Name: &c.pending.Name, MaxResults: aws.Int32(historySize), WithDecryption: aws.Bool(true), NextToken: pages.Token,
			})
			return err
		})
		if isCode[*types.ParameterNotFound](err) {
			return seen{}, nil
		}
		if err != nil {
			return seen{}, c.store.explainWrite(c.pending, historyOp, err)
		}
		if s.now, err = c.clock(out.ResultMetadata); err != nil {
			return seen{}, err
		}
		for _, h := range out.Parameters {
			if h.Version > latest.Version {
				latest = h
			}
		}
		more, err := pages.Next(out.NextToken, len(out.Parameters))
		if err != nil {
			return seen{}, c.store.explain(c.pending, historyOp, err)
		}
		if !more {
			break
		}
	}
	var err error
	if s.claim, err = claimOf(aws.ToString(latest.Description)); err != nil {
		return seen{}, refuse(c.pending, err)
	}
	s.modified = aws.ToTime(latest.LastModifiedDate)
	s.content = content{latest.Version, provider.NewValue(c.pending, version(latest.Version), provider.Type(latest.Type), aws.ToString(latest.Value))}
	return s, nil
}

// clock is AWS's time, by the Date of its answer. A clock that is ahead of it
// signs requests that live for longer than those of others.
func (c *rotationCalls) clock(metadata middleware.Metadata) (time.Time, error) {
	server, ok := awsmiddleware.GetServerTime(metadata)
	at, known := awsmiddleware.GetResponseAt(metadata)
	if !ok || !known {
		return time.Now(), nil
	}
	if ahead := at.Sub(server); ahead > maxAhead {
		return time.Time{}, &provider.Error{Ref: c.ref, Kind: provider.ErrUnavailable,
			Hint: fmt.Sprintf("this computer's clock is ahead of AWS's by %s: set it, by NTP say", ahead.Round(time.Second))}
	}
	return server, nil
}

// attributes is what the latest version of the parameter has besides its value.
// It is given with each version, since AWS does not say that it is kept.
func (c *rotationCalls) attributes(ctx context.Context) (types.ParameterHistory, error) {
	if c.as == nil {
		var latest, oldest types.ParameterHistory
		count := 0
		for h, err := range c.store.versions(ctx, c.ref.String(), false) {
			if err != nil {
				return latest, err
			}
			if h.Version > latest.Version {
				latest = h.ParameterHistory
			}
			if count == 0 || h.Version < oldest.Version {
				oldest = h.ParameterHistory
			}
			count++
		}
		c.as = &latest
		if count >= keptVersions && len(oldest.Labels) > 0 {
			c.full = keptBy(oldest.Version, oldest.Labels)
		}
	}
	return *c.as, nil
}

func (c *rotationCalls) create(ctx context.Context, value, description string, f fence) error {
	if _, err := c.attributes(ctx); err != nil {
		return err
	}
	if c.full != "" {
		return refuse(c.ref, errors.New(c.full))
	}
	_, err := c.writePending(ctx, value, description, false, f)
	if exists, ok := errors.AsType[*types.ParameterAlreadyExists](err); ok {
		until := c.now().Add(lease).UTC().Format(time.RFC3339)
		return conflict(c.ref, "another process has just begun to rotate it: until "+until+" it may be left alone", exists)
	}
	return err
}

func (c *rotationCalls) claim(ctx context.Context, s seen, description string, f fence) (int64, error) {
	return c.writePending(ctx, s.value.Text(), description, true, f)
}

// writePending gives the pending parameter also the pattern of the other, so
// that what that can never hold is refused before a database learns it.
func (c *rotationCalls) writePending(ctx context.Context, value, description string, overwrite bool, f fence) (int64, error) {
	as, err := c.attributes(ctx)
	if err != nil {
		return 0, err
	}
	return c.write(ctx, c.pending, &ssm.PutParameterInput{
		Name: &c.pending.Name, Value: &value, Overwrite: &overwrite, Type: as.Type, KeyId: as.KeyId, Tier: as.Tier,
		Description: &description, AllowedPattern: as.AllowedPattern,
	}, f)
}

func (c *rotationCalls) put(ctx context.Context, value string, f fence) (int64, error) {
	as, err := c.attributes(ctx)
	if err != nil {
		return 0, err
	}
	return c.write(ctx, c.ref, &ssm.PutParameterInput{
		Name: &c.ref.Name, Value: &value, Overwrite: aws.Bool(true), Type: as.Type, KeyId: as.KeyId, Tier: as.Tier,
		Description: as.Description, DataType: as.DataType, AllowedPattern: as.AllowedPattern,
	}, f)
}

func (c *rotationCalls) write(ctx context.Context, ref provider.Ref, in *ssm.PutParameterInput, f fence) (version int64, err error) {
	if err := checkValue(*in.Value, Attributes{Tier: Tier(in.Tier)}); err != nil {
		return 0, refuse(ref, err)
	}
	return version, c.once(ctx, ref, putOp, f, func(opts ...func(*ssm.Options)) error {
		out, err := c.store.client(ref).PutParameter(ctx, in, append(opts, hiding(*in.Value))...)
		if err == nil {
			version = out.Version
		}
		return err
	})
}

func (c *rotationCalls) label(ctx context.Context, version int64, f fence) error {
	return c.once(ctx, c.ref, labelOp, f, func(opts ...func(*ssm.Options)) error {
		out, err := c.store.client(c.ref).LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{
			Name: &c.ref.Name, ParameterVersion: &version, Labels: []string{previousLabel},
		}, opts...)
		if err == nil && len(out.InvalidLabels) > 0 {
			return errors.New("AWS does not accept the label " + previousLabel)
		}
		return err
	})
}

func (c *rotationCalls) remove(ctx context.Context, f fence) error {
	return c.once(ctx, c.pending, deleteOp, f, func(opts ...func(*ssm.Options)) error {
		_, err := c.store.client(c.ref).DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &c.pending.Name}, opts...)
		return err
	})
}

// throttledTries is how often a write is made that AWS refuses for the rate.
const throttledTries = 4

// once makes a write once: an attempt whose answer was lost is not repeated,
// because it may take effect after its repetition has. What AWS refused has had
// no effect.
func (c *rotationCalls) once(ctx context.Context, ref provider.Ref, op string, f fence, do func(...func(*ssm.Options)) error) error {
	for try := 1; ; try++ {
		sent := false
		err := c.store.limit.Do(awsread.Aside(ctx), func() error { return do(alone, fenced(f, &sent)) })
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errLease):
			return errLease
		}
		explained := c.store.explainWrite(ref, op, err)
		switch {
		case sent && !refusal(err):
			if e, ok := explained.(*provider.Error); ok {
				e.Err = fmt.Errorf("%w: %w", errLost, e.Err)
			}
			return explained
		case try == throttledTries || !errors.Is(explained, provider.ErrThrottled):
			return explained
		}
		if err := c.wait(ctx, time.Second<<(try-1)); err != nil {
			return err
		}
	}
}

// alone has the SDK make one attempt.
func alone(o *ssm.Options) { o.Retryer = aws.NopRetryer{} }

// fenced asks the fence between the signing of a request and its sending.
func fenced(f fence, sent *bool) func(*ssm.Options) {
	return func(o *ssm.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("SecretsFence",
				func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
					if err := f(); err != nil {
						return out, metadata, err
					}
					*sent = true
					return next.HandleFinalize(ctx, in)
				}), "Signing", middleware.After)
		})
	}
}

// refusal reports whether AWS answered that it has not done what it was asked.
func refusal(err error) bool {
	answer, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	return ok && answer.HTTPStatusCode() >= http.StatusBadRequest && answer.HTTPStatusCode() < http.StatusInternalServerError && awsread.Code(err) != ""
}

// claimOf reads the description of a pending parameter.
func claimOf(description string) (c claim, err error) {
	if json.Unmarshal([]byte(description), &c) != nil || c.Rotation == "" || c.Seconds <= 0 {
		return c, errors.New("it is not the pending value of a rotation: delete it, or keep those elsewhere by WithRotationPrefix")
	}
	return c, nil
}
