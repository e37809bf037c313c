package ssm

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/c0629bfc/secrets/internal/awsread"
)

const (
	tagOp   = "AddTagsToResource"
	untagOp = "RemoveTagsFromResource"
	tagsOp  = "ListTagsForResource"
)

// Tag sets tags of the parameter, and leaves its others as they are. It has 50
// at most; keys have 1 to 128 characters and do not begin with "aws:", values
// 256 at most (API Tag; AWS General Reference, Tagging).
func (s *Store) Tag(ctx context.Context, ref string, tags map[string]string) error {
	parsed, err := s.writable(ref)
	if err != nil || len(tags) == 0 {
		return err
	}
	if err := checkTags(tags); err != nil {
		return refuse(parsed, err)
	}
	err = s.limit.Do(awsread.Aside(ctx), func() error {
		_, err := s.client(parsed).AddTagsToResource(ctx, &ssm.AddTagsToResourceInput{
			ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &parsed.Name, Tags: tagList(tags),
		})
		return err
	})
	return s.explainWrite(parsed, tagOp, err)
}

// Untag removes the tags with these keys. Keys that the parameter does not have
// are no error.
func (s *Store) Untag(ctx context.Context, ref string, keys ...string) error {
	parsed, err := s.writable(ref)
	if err != nil || len(keys) == 0 {
		return err
	}
	err = s.limit.Do(awsread.Aside(ctx), func() error {
		_, err := s.client(parsed).RemoveTagsFromResource(ctx, &ssm.RemoveTagsFromResourceInput{
			ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &parsed.Name, TagKeys: keys,
		})
		return err
	})
	return s.explainWrite(parsed, untagOp, err)
}

// Tags returns the tags of the parameter.
func (s *Store) Tags(ctx context.Context, ref string) (map[string]string, error) {
	parsed, err := own(ref)
	if err != nil {
		return nil, err
	}
	var out *ssm.ListTagsForResourceOutput
	err = s.limit.Do(awsread.Aside(ctx), func() (err error) {
		out, err = s.client(parsed).ListTagsForResource(ctx, &ssm.ListTagsForResourceInput{
			ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &parsed.Name,
		})
		return err
	})
	if err != nil {
		return nil, s.explainWrite(parsed, tagsOp, err)
	}
	tags := make(map[string]string, len(out.TagList))
	for _, t := range out.TagList {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags, nil
}

func tagList(tags map[string]string) []types.Tag {
	var list []types.Tag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: aws.String(k), Value: aws.String(tags[k])})
	}
	return list
}
