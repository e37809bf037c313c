package secretstest

import (
	"regexp"
	"slices"
	"strings"
)

// maxTags is the quota of tags on a resource, in both services.
const maxTags = 50

type tag struct {
	Key   string
	Value string
}

// checkTags holds new tags against the model: keys of 1 to 128 characters,
// values up to 256, no key with the reserved prefix aws:.
func checkTags(tags []tag) error {
	for _, t := range tags {
		if err := checkLength("tags.member.key", len([]rune(t.Key)), 1, 128); err != nil {
			return err
		}
		if err := checkLength("tags.member.value", len([]rune(t.Value)), 0, 256); err != nil {
			return err
		}
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return invalid("tags.member.key", "Tag keys starting with aws: are reserved")
		}
	}
	return nil
}

var parameterTagPattern = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// checkParameterTags adds the characters that Parameter Store's model allows.
func checkParameterTags(tags []tag) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	for _, t := range tags {
		if !parameterTagPattern.MatchString(t.Key) || !parameterTagPattern.MatchString(t.Value) {
			return invalid("tags.member", `Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`)
		}
	}
	return nil
}

// mergeTags returns have with added put in: a known key keeps its place and
// takes the new value. ok is false above maxTags.
func mergeTags(have, added []tag) (merged []tag, ok bool) {
	merged = slices.Clone(have)
	for _, t := range added {
		if i := slices.IndexFunc(merged, func(m tag) bool { return m.Key == t.Key }); i >= 0 {
			merged[i] = t
		} else {
			merged = append(merged, t)
		}
	}
	return merged, len(merged) <= maxTags
}

// removeTags returns have without the given keys; keys it does not have are
// ignored.
func removeTags(have []tag, keys []string) []tag {
	return slices.DeleteFunc(slices.Clone(have), func(t tag) bool { return slices.Contains(keys, t.Key) })
}
