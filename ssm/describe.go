package ssm

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

const describeOp = "DescribeParameters"

// Metadata is what a parameter has besides the value of a version.
type Metadata struct {
	Name string
	// ARN is empty in a history.
	ARN string
	// Version has the labels in a history alone, and the time at which it was
	// written.
	Version provider.Version
	Type    provider.Type
	// KMSKey is the key of a SecureString, as it was named.
	KMSKey         string
	DataType       DataType
	Tier           Tier
	AllowedPattern string
	Description    string
	Policies       []AppliedPolicy
	// ModifiedBy is the ARN of who wrote the version.
	ModifiedBy string
}

// Describe returns the metadata of the parameter's latest version. It is made
// for tools: DescribeParameters has a quota so low that a fleet which calls it
// at its start is throttled, and nothing else in this package calls it. It takes
// a name, not an ARN: [Store.Versions] tells almost the same and takes both.
func (s *Store) Describe(ctx context.Context, ref string) (Metadata, error) {
	parsed, err := own(ref)
	if err != nil {
		return Metadata{}, err
	}
	client := s.client(parsed)
	for pages := (awsread.Pages{}); ; {
		var out *ssm.DescribeParametersOutput
		err := s.limit.Do(awsread.Aside(ctx), func() (err error) {
			out, err = client.DescribeParameters(ctx, &ssm.DescribeParametersInput{
				ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Name"), Option: aws.String("Equals"), Values: []string{parsed.Name}}},
				NextToken:        pages.Token,
			})
			return err
		})
		if err != nil {
			return Metadata{}, s.explainWrite(parsed, describeOp, err)
		}
		for _, p := range out.Parameters {
			if aws.ToString(p.Name) == parsed.Name {
				m := metadataOf(types.ParameterHistory{
					AllowedPattern: p.AllowedPattern, DataType: p.DataType, Description: p.Description, KeyId: p.KeyId,
					LastModifiedDate: p.LastModifiedDate, LastModifiedUser: p.LastModifiedUser, Policies: p.Policies,
					Name: p.Name, Tier: p.Tier, Type: p.Type, Version: p.Version,
				})
				m.ARN = aws.ToString(p.ARN)
				return m, nil
			}
		}
		more, err := pages.Next(out.NextToken, len(out.Parameters))
		if err != nil {
			return Metadata{}, s.explain(parsed, describeOp, err)
		}
		if !more {
			return Metadata{}, s.explainWrite(parsed, describeOp, notFoundBy(describeOp, parsed.Name))
		}
	}
}

func metadataOf(h types.ParameterHistory) Metadata {
	return Metadata{
		Name:           aws.ToString(h.Name),
		Version:        provider.NewVersion(version(h.Version).ID, aws.ToTime(h.LastModifiedDate), h.Labels...),
		Type:           provider.Type(h.Type),
		KMSKey:         aws.ToString(h.KeyId),
		DataType:       DataType(aws.ToString(h.DataType)),
		Tier:           Tier(h.Tier),
		AllowedPattern: aws.ToString(h.AllowedPattern),
		Description:    aws.ToString(h.Description),
		Policies:       appliedPolicies(h.Policies),
		ModifiedBy:     aws.ToString(h.LastModifiedUser),
	}
}
