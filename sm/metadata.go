package sm

import (
	"context"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/c0629bfc/secrets/internal/awsread"
)

// Metadata is all that Secrets Manager tells of a secret but its value. What it
// does not tell is zero.
type Metadata struct {
	Name          string
	ARN           string
	Description   string
	KMSKey        string // empty: aws/secretsmanager
	Type          string // of a managed external secret: the partner that holds it
	OwningService string // the service of AWS that made the secret and manages it
	PrimaryRegion string // of a secret that is replicated

	Created      time.Time
	LastChanged  time.Time // in any way
	LastAccessed time.Time // the day, in UTC; zero: never in this Region
	LastRotated  time.Time
	NextRotation time.Time // the latest date; in the past if rotation fails
	Deleted      time.Time // when the recovery window of a deleted secret ends; zero: not deleted

	Tags     map[string]string
	Versions map[string][]string // the staging labels of each version that has any, by its ID
	Rotation Rotation
	Replicas []Replica // not told by Secrets
}

// Version returns the ID of the version that carries a staging label, such as
// AWSCURRENT, or "".
func (m Metadata) Version(stage string) string { return stages(m.Versions).holder(stage) }

// Rotation is how a secret is rotated, or was before rotation was turned off.
type Rotation struct {
	Enabled  bool
	Lambda   string // the ARN of the function; empty for managed rotation
	Schedule Schedule

	// Of a managed external secret: the role that Secrets Manager assumes, and
	// what the partner asks for.
	ExternalRole     string
	ExternalMetadata map[string]string
}

// Describe tells all about a secret but its value; also of one that waits to be
// deleted.
func (s *Store) Describe(ctx context.Context, ref string) (Metadata, error) {
	t, err := s.target(ref)
	if err != nil {
		return Metadata{}, err
	}
	out, err := call(ctx, s, t, describeOp, t.client.DescribeSecret, &secretsmanager.DescribeSecretInput{SecretId: &t.id})
	if err != nil {
		return Metadata{}, err
	}
	return metadata(out), nil
}

// ListOptions says which secrets [Store.Secrets] lists. Of each field that is
// set, a secret matches one of up to ten values, each of up to 512 characters,
// and one that begins with "!" excludes what it matches. Matches are of the
// beginning, and case matters but for Description and Any (API Filter).
type ListOptions struct {
	Name          []string
	Description   []string
	TagKey        []string
	TagValue      []string
	PrimaryRegion []string
	OwningService []string
	Any           []string // words, in any of the above

	IncludeDeleted bool             // those that wait to be deleted
	SortBy         types.SortByType // empty: by the date of creation
	Ascending      bool             // the oldest, or the first name, first; else it is last
	Region         string           // empty is the store's own
}

// maxFilterValue is how many characters a value of a filter has at most (API
// Filter, Values).
const maxFilterValue = 512

func (o ListOptions) filters(t target) ([]types.Filter, error) {
	var filters []types.Filter
	for _, f := range []types.Filter{
		{Key: types.FilterNameStringTypeName, Values: o.Name},
		{Key: types.FilterNameStringTypeDescription, Values: o.Description},
		{Key: types.FilterNameStringTypeTagKey, Values: o.TagKey},
		{Key: types.FilterNameStringTypeTagValue, Values: o.TagValue},
		{Key: types.FilterNameStringTypePrimaryRegion, Values: o.PrimaryRegion},
		{Key: types.FilterNameStringTypeOwningService, Values: o.OwningService},
		{Key: types.FilterNameStringTypeAll, Values: o.Any},
	} {
		if len(f.Values) == 0 {
			continue
		}
		if len(f.Values) > maxFilterValues {
			return nil, t.invalid("the filter %s has %d values: AWS takes %d", f.Key, len(f.Values), maxFilterValues)
		}
		for _, value := range f.Values {
			if err := t.checkLength("a value of the filter "+string(f.Key), value, maxFilterValue); err != nil {
				return nil, err
			}
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// Secrets lists secrets without their values, page by page. A listing may miss
// the changes of the last five minutes (API ListSecrets). An error ends it.
func (s *Store) Secrets(ctx context.Context, opts ListOptions) iter.Seq2[Metadata, error] {
	return func(yield func(Metadata, error) bool) {
		t := s.regional(opts.Region)
		filters, err := opts.filters(t)
		if err != nil {
			yield(Metadata{}, err)
			return
		}
		in := &secretsmanager.ListSecretsInput{
			Filters: filters, MaxResults: aws.Int32(listSize), IncludePlannedDeletion: &opts.IncludeDeleted,
			SortBy: opts.SortBy, SortOrder: types.SortOrderTypeDesc,
		}
		if opts.Ascending {
			in.SortOrder = types.SortOrderTypeAsc
		}
		for pages := (awsread.Pages{}); ; {
			in.NextToken = pages.Token
			out, err := call(ctx, s, t, listOp, t.client.ListSecrets, in)
			if err != nil {
				yield(Metadata{}, err)
				return
			}
			for _, e := range out.SecretList {
				if !yield(metadata(described(e)), nil) {
					return
				}
			}
			more, err := pages.Next(out.NextToken, len(out.SecretList))
			if err != nil {
				yield(Metadata{}, s.refused(t.ref, listOp, err))
			}
			if !more {
				return
			}
		}
	}
}

// described is an entry of a listing in the form of a description, which has
// one thing more: the replicas.
func described(e types.SecretListEntry) *secretsmanager.DescribeSecretOutput {
	return &secretsmanager.DescribeSecretOutput{
		ARN:                            e.ARN,
		CreatedDate:                    e.CreatedDate,
		DeletedDate:                    e.DeletedDate,
		Description:                    e.Description,
		ExternalSecretRotationMetadata: e.ExternalSecretRotationMetadata,
		ExternalSecretRotationRoleArn:  e.ExternalSecretRotationRoleArn,
		KmsKeyId:                       e.KmsKeyId,
		LastAccessedDate:               e.LastAccessedDate,
		LastChangedDate:                e.LastChangedDate,
		LastRotatedDate:                e.LastRotatedDate,
		Name:                           e.Name,
		NextRotationDate:               e.NextRotationDate,
		OwningService:                  e.OwningService,
		PrimaryRegion:                  e.PrimaryRegion,
		RotationEnabled:                e.RotationEnabled,
		RotationLambdaARN:              e.RotationLambdaARN,
		RotationRules:                  e.RotationRules,
		Tags:                           e.Tags,
		Type:                           e.Type,
		VersionIdsToStages:             e.SecretVersionsToStages,
	}
}

func metadata(d *secretsmanager.DescribeSecretOutput) Metadata {
	m := Metadata{
		Name:          aws.ToString(d.Name),
		ARN:           aws.ToString(d.ARN),
		Description:   aws.ToString(d.Description),
		KMSKey:        aws.ToString(d.KmsKeyId),
		Type:          aws.ToString(d.Type),
		OwningService: aws.ToString(d.OwningService),
		PrimaryRegion: aws.ToString(d.PrimaryRegion),
		Created:       aws.ToTime(d.CreatedDate),
		LastChanged:   aws.ToTime(d.LastChangedDate),
		LastAccessed:  aws.ToTime(d.LastAccessedDate),
		LastRotated:   aws.ToTime(d.LastRotatedDate),
		NextRotation:  aws.ToTime(d.NextRotationDate),
		Deleted:       aws.ToTime(d.DeletedDate),
		Versions:      d.VersionIdsToStages,
		Replicas:      replicasOf(d.ReplicationStatus),
		Rotation: Rotation{
			Enabled:      aws.ToBool(d.RotationEnabled),
			Lambda:       aws.ToString(d.RotationLambdaARN),
			Schedule:     scheduleOf(d.RotationRules),
			ExternalRole: aws.ToString(d.ExternalSecretRotationRoleArn),
		},
	}
	for _, tag := range d.Tags {
		if m.Tags == nil {
			m.Tags = make(map[string]string, len(d.Tags))
		}
		m.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	for _, item := range d.ExternalSecretRotationMetadata {
		if m.Rotation.ExternalMetadata == nil {
			m.Rotation.ExternalMetadata = make(map[string]string)
		}
		m.Rotation.ExternalMetadata[aws.ToString(item.Key)] = aws.ToString(item.Value)
	}
	return m
}
