package sm

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Tag adds tags to a secret, or gives those that it has new values. It has at
// most 50; a key has 1 to 128 characters and does not begin with "aws:", a value
// has up to 256. Keys are case-sensitive. A change that would take the caller's
// own permissions away is denied (API TagResource).
func (s *Store) Tag(ctx context.Context, ref string, tags map[string]string) error {
	t, err := s.target(ref)
	if err != nil {
		return err
	}
	if len(tags) == 0 {
		return nil
	}
	if err := t.checkTags(tags); err != nil {
		return err
	}
	_, err = call(ctx, s, t, "TagResource", t.client.TagResource, &secretsmanager.TagResourceInput{SecretId: &t.id, Tags: tagList(tags)})
	return err
}

// Untag removes tags from a secret. Keys that it has no tag of are no error.
func (s *Store) Untag(ctx context.Context, ref string, keys ...string) error {
	t, err := s.target(ref)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return nil
	}
	for _, key := range keys {
		if err := t.checkTagKey(key); err != nil {
			return err
		}
	}
	_, err = call(ctx, s, t, "UntagResource", t.client.UntagResource, &secretsmanager.UntagResourceInput{SecretId: &t.id, TagKeys: keys})
	return err
}

func tagList(tags map[string]string) []types.Tag {
	var list []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return list
}
