package ssm

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/c0629bfc/secrets/provider"
)

const (
	tagOp   = "AddTagsToResource"
	untagOp = "RemoveTagsFromResource"
	tagsOp  = "ListTagsForResource"
)

// Tag sets tags of the parameter, and leaves its others as they are. It has 50
// at most; keys have 1 to 128 characters and do not begin with "aws:", values
// 256 at most (API Tag; AWS General Reference, Tagging).
func (s *Store) Tag(ctx context.Context, ref provider.Ref, tags map[string]string) error {
	err := s.checkWrite(ref)
	if err != nil || len(tags) == 0 {
		return err
	}
	if err := checkTags(tags); err != nil {
		return refuse(ref, err)
	}
	err = s.limit.Do(ctx, func() error {
		_, err := s.client(ref).AddTagsToResource(ctx, &ssm.AddTagsToResourceInput{
			ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &ref.Name, Tags: tagList(tags),
		})
		return err
	})
	return s.explainWrite(ref, tagOp, err)
}

// Untag removes the tags with these keys. Keys that the parameter does not have
// are no error.
func (s *Store) Untag(ctx context.Context, ref provider.Ref, keys ...string) error {
	err := s.checkWrite(ref)
	if err != nil || len(keys) == 0 {
		return err
	}
	err = s.limit.Do(ctx, func() error {
		_, err := s.client(ref).RemoveTagsFromResource(ctx, &ssm.RemoveTagsFromResourceInput{
			ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &ref.Name, TagKeys: keys,
		})
		return err
	})
	return s.explainWrite(ref, untagOp, err)
}

// Tags returns the tags of the parameter.
func (s *Store) Tags(ctx context.Context, ref provider.Ref) (map[string]string, error) {
	if err := s.checkOwn(ref); err != nil {
		return nil, err
	}
	var out *ssm.ListTagsForResourceOutput
	err := s.limit.Do(ctx, func() (err error) {
		out, err = s.client(ref).ListTagsForResource(ctx, &ssm.ListTagsForResourceInput{
			ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &ref.Name,
		})
		return err
	})
	if err != nil {
		return nil, s.explainWrite(ref, tagsOp, err)
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
