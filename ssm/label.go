package ssm

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

const (
	labelOp   = "LabelParameterVersion"
	unlabelOp = "UnlabelParameterVersion"
)

// Label gives labels to a version of the parameter, the one that ref names by
// ?version= or else the latest, and takes them from the versions that had them:
// to move a label is to give it anew. A version has ten labels at most.
//
// A label has up to 100 letters, digits, ".", "-" and "_", and does not begin
// with a digit, "aws" or "ssm" in whatever case (API LabelParameterVersion);
// one that is not so fails before the call, and one that AWS leaves out of its
// own accord gives an error that names it, while the others are set.
func (s *Store) Label(ctx context.Context, ref string, labels ...string) error {
	parsed, n, err := s.labelled(ref)
	if err != nil {
		return err
	}
	if err := checkLabels(labels); err != nil {
		return refuse(parsed, err)
	}
	in := &ssm.LabelParameterVersionInput{Name: &parsed.Name, Labels: labels}
	if n > 0 {
		in.ParameterVersion = &n
	}
	var out *ssm.LabelParameterVersionOutput
	err = s.limit.Do(awsread.Aside(ctx), func() (err error) {
		out, err = s.client(parsed).LabelParameterVersion(ctx, in)
		return err
	})
	if err != nil {
		return s.explainWrite(parsed, labelOp, err)
	}
	if len(out.InvalidLabels) > 0 {
		return refuse(parsed, fmt.Errorf("AWS does not accept the labels %q, and has set the others", out.InvalidLabels))
	}
	return nil
}

// Unlabel takes labels from the version that ref names by ?version=. Labels
// that the version does not have give [provider.ErrVersionNotFound], while the
// others are removed; where a label is, a ref with ?label= tells.
func (s *Store) Unlabel(ctx context.Context, ref string, labels ...string) error {
	parsed, n, err := s.labelled(ref)
	if err == nil && n == 0 {
		err = refuse(parsed, errors.New("a label is removed from one version: name it by ?version="))
	}
	if err != nil {
		return err
	}
	if err := checkLabels(labels); err != nil {
		return refuse(parsed, err)
	}
	var attempts int
	var out *ssm.UnlabelParameterVersionOutput
	err = s.limit.Do(awsread.Aside(ctx), func() (err error) {
		out, err = s.client(parsed).UnlabelParameterVersion(ctx, &ssm.UnlabelParameterVersionInput{
			Name: &parsed.Name, ParameterVersion: aws.Int64(n), Labels: labels,
		}, counting(&attempts))
		return err
	})
	if err != nil {
		return s.explainWrite(parsed, unlabelOp, err)
	}
	if len(out.InvalidLabels) > 0 && attempts == 1 { // else an earlier attempt may have removed them
		return &provider.Error{Ref: parsed, Kind: provider.ErrVersionNotFound,
			Hint: "the version does not have the labels " + strings.Join(out.InvalidLabels, ", ")}
	}
	return nil
}

// labelled parses a ref that may name a version, and returns that or 0.
func (s *Store) labelled(ref string) (parsed provider.Ref, n int64, err error) {
	if parsed, err = provider.ParseRef(ref); err != nil {
		return parsed, 0, err
	}
	base := parsed
	base.Version = ""
	if err := s.checkWrite(base); err != nil {
		return parsed, 0, err
	}
	if parsed.Version != "" {
		n, err = strconv.ParseInt(parsed.Version, 10, 64) // ParseRef has checked it
	}
	return parsed, n, err
}
