package secretstest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

type listSecretsInput struct {
	Filters                []filter
	IncludePlannedDeletion bool
	MaxResults             *int64
	NextToken              *string
	SortBy                 string
	SortOrder              string
}

type listSecretsOutput struct {
	NextToken  string `json:",omitempty"`
	SecretList []*secretOutput
}

func listSecrets(c *call, in *listSecretsInput) (any, error) {
	if err := checkRange("maxResults", in.MaxResults, 1, 100); err != nil {
		return nil, err
	}
	secrets, err := c.filterSecrets(in.Filters, in.IncludePlannedDeletion)
	if err != nil {
		return nil, err
	}
	key, descending, err := secretOrder(in.SortBy, in.SortOrder)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(secrets, func(a, b *secret) int {
		if descending {
			a, b = b, a
		}
		return cmp.Compare(key(a), key(b))
	})
	list := listing[*secret]{items: secrets, key: func(i int) string { return key(secrets[i]) }, descending: descending, badToken: badSecretToken}
	secrets, next, err := list.page(c, sizeOr(in.MaxResults, 100), in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listSecretsOutput{NextToken: next, SecretList: []*secretOutput{}}
	for _, sec := range secrets {
		entry := sec.output()
		entry.SecretVersionsToStages = sec.stages()
		out.SecretList = append(out.SecretList, entry)
	}
	return out, nil
}

// secretOrder returns what secrets are sorted by: their creation, the newest
// first, unless told otherwise.
func secretOrder(by, order string) (key func(*secret) string, descending bool, err error) {
	switch order {
	case "asc":
	case "", "desc":
		descending = true
	default:
		return nil, false, invalid("sortOrder", "Member must satisfy enum value set: [asc, desc]")
	}
	var date func(*secret) time.Time
	switch by {
	case "", "created-date":
		date = func(sec *secret) time.Time { return sec.created }
	case "last-accessed-date":
		date = func(sec *secret) time.Time { return sec.accessed }
	case "last-changed-date":
		date = func(sec *secret) time.Time { return sec.changed }
	case "name":
		return func(sec *secret) string { return sec.name }, descending, nil
	default:
		return nil, false, invalid("sortBy", "Member must satisfy enum value set: [created-date, last-accessed-date, last-changed-date, name]")
	}
	return func(sec *secret) string {
		t := date(sec)
		if t.IsZero() {
			t = time.Unix(0, 0) // never
		}
		return fmt.Sprintf("%020d %s", t.UnixNano(), sec.name)
	}, descending, nil
}

// A filter of ListSecrets and BatchGetSecretValue.
type filter struct {
	Key    string
	Values []string
}

// filterSecrets returns the secrets of the caller's store that meet all
// filters, by name.
func (c *call) filterSecrets(filters []filter, planned bool) ([]*secret, error) {
	if err := checkLength("filters", len(filters), 0, 10); err != nil {
		return nil, err
	}
	for _, f := range filters {
		if err := checkLength("filters.member.values", len(f.Values), 1, 10); err != nil {
			return nil, err
		}
		for _, value := range f.Values {
			if err := checkLength("filters.member.values.member", len(value), 0, 512); err != nil {
				return nil, err
			}
			if !filterPattern.MatchString(value) {
				return nil, invalid("filters.member.values.member", "Member must satisfy regular expression pattern: ^\\!?[a-zA-Z0-9 :_@\\/\\+\\=\\.\\-\\!]*$")
			}
		}
		if filterKeys[f.Key] == nil {
			return nil, invalid("filters.member.key", "Member must satisfy enum value set: [all, name, tag-key, description, tag-value, owning-service, primary-region]")
		}
	}
	var secrets []*secret
	for _, sec := range c.store.secrets {
		if (planned || sec.deleted.IsZero()) && !slices.ContainsFunc(filters, func(f filter) bool { return !f.accepts(sec) }) {
			secrets = append(secrets, sec)
		}
	}
	slices.SortFunc(secrets, func(a, b *secret) int { return cmp.Compare(a.name, b.name) })
	return secrets, nil
}

var filterPattern = regexp.MustCompile(`^!?[a-zA-Z0-9 :_@/+=.!-]*$`)

// accepts reports whether one of the filter's values matches, and none of
// those that "!" negates.
func (f filter) accepts(sec *secret) bool {
	match := filterKeys[f.Key]
	positive, matched := false, false
	for _, value := range f.Values {
		if not, ok := strings.CutPrefix(value, "!"); ok {
			if match(sec, not) {
				return false
			}
			continue
		}
		positive = true
		matched = matched || match(sec, value)
	}
	return matched || !positive
}

// filterKeys are the matches of the API's Filter type: by prefix, and case
// matters except for description and all.
var filterKeys = map[string]func(sec *secret, value string) bool{
	"name": func(sec *secret, value string) bool { return strings.HasPrefix(sec.name, value) },
	"description": func(sec *secret, value string) bool {
		return sec.description != "" && hasPrefixFold(sec.description, value)
	},
	"tag-key": func(sec *secret, value string) bool {
		return slices.ContainsFunc(sec.tags, func(t tag) bool { return strings.HasPrefix(t.Key, value) })
	},
	"tag-value": func(sec *secret, value string) bool {
		return slices.ContainsFunc(sec.tags, func(t tag) bool { return strings.HasPrefix(t.Value, value) })
	},
	"primary-region": func(sec *secret, value string) bool {
		return sec.primaryRegion() != "" && strings.HasPrefix(sec.primaryRegion(), value)
	},
	"owning-service": func(sec *secret, value string) bool {
		return sec.owner != "" && strings.HasPrefix(sec.owner, value)
	},
	// "Breaks the filter value string into words and then searches all
	// attributes for matches": here, each word must begin some word.
	"all": func(sec *secret, value string) bool {
		attributes := words(sec.name + " " + sec.description)
		for _, t := range sec.tags {
			attributes = append(attributes, words(t.Key+" "+t.Value)...)
		}
		return !slices.ContainsFunc(words(value), func(word string) bool {
			return !slices.ContainsFunc(attributes, func(a string) bool { return hasPrefixFold(a, word) })
		})
	},
}

func hasPrefixFold(s, prefix string) bool {
	return strings.HasPrefix(strings.ToLower(s), strings.ToLower(prefix))
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
