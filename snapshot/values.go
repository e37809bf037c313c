package snapshot

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// one is a value that is kept.
type one struct {
	value secrets.Value
	at    time.Time // when the store last brought or confirmed it, without a monotonic reading
	saved time.Time // the same, as the file has it
	own   bool      // this process had it from the store
}

// good returns when a value was known to be good. A pinned version that this
// process had from the store is: it cannot change, and is not asked for again.
func (o one) good(now time.Time) time.Time {
	if o.own && o.value.Ref().Pinned() {
		return now.Round(0)
	}
	return o.at
}

// record is one in a file.
type record struct {
	Ref     string        `json:"ref"`
	Kept    time.Time     `json:"kept"`
	Version string        `json:"version,omitempty"`
	Created *time.Time    `json:"created,omitempty"`
	Labels  []string      `json:"labels,omitempty"`
	Type    provider.Type `json:"type,omitempty"`
	Content []byte        `json:"content"`
}

// overhead is about what a record takes besides what is counted in size, where
// JSON makes up to six bytes of one.
const overhead = 160

func (o one) size() int {
	v := o.value
	n := overhead + 6*len(v.Ref().String()+v.Version().ID+string(v.Type())) + (len(v.Text())+2)/3*4
	for _, l := range v.Version().Labels() {
		n += 6*len(l) + 3
	}
	return n
}

// encode returns the plaintext of as many values as there is room for, the first
// ones first, and their number.
func encode(all []one, room int) ([]byte, int, error) {
	records := make([]record, 0, len(all))
	for _, o := range all {
		if room -= o.size(); room < 0 {
			break
		}
		v := o.value
		r := record{Ref: v.Ref().String(), Kept: o.at.UTC(), Version: v.Version().ID, Labels: v.Version().Labels(), Type: v.Type(), Content: v.Bytes()}
		if created := v.Version().Created; !created.IsZero() {
			created = created.UTC().Round(0)
			r.Created = &created
		}
		records = append(records, r)
	}
	b, err := json.Marshal(records)
	if err != nil {
		return nil, 0, fmt.Errorf("the values cannot be encoded") // the error may quote one
	}
	return b, len(records), nil
}

// decode is the inverse of encode.
func decode(plain []byte) ([]one, error) {
	var records []record
	if err := json.Unmarshal(plain, &records); err != nil {
		return nil, fmt.Errorf("%w: its content is not what was written", ErrDamaged) // the error may quote a value
	}
	all := make([]one, 0, len(records))
	for _, r := range records {
		ref, err := provider.ParseRef(r.Ref)
		if err != nil {
			return nil, fmt.Errorf("%w: its content is not what was written", ErrDamaged)
		}
		var created time.Time
		if r.Created != nil {
			created = r.Created.UTC()
		}
		v := provider.NewValue(ref, provider.NewVersion(r.Version, created, r.Labels...), r.Type, string(r.Content))
		if keepable(v) {
			all = append(all, one{value: v, at: r.Kept.UTC(), saved: r.Kept.UTC()})
		}
	}
	return all, nil
}

const (
	pending = "AWSPENDING"
	current = "AWSCURRENT"
)

// keepable reports whether a value may be in a snapshot. A pending one may not:
// whether a server takes it is not known, and it may never become current.
func keepable(v secrets.Value) bool {
	ref, version := v.Ref(), v.Version()
	if ref.Field != "" || ref.Stage == pending || version.HasLabel(pending) && !version.HasLabel(current) {
		return false
	}
	if parsed, err := provider.ParseRef(ref.String()); err != nil || parsed != ref {
		return false
	}
	if y := version.Created.UTC().Year(); y < 0 || y > 9999 { // JSON has no other
		return false
	}
	return utf8.ValidString(ref.String() + version.ID + string(v.Type()) + strings.Join(version.Labels(), ""))
}

// alike reports whether a value need not be written in the place of another.
func alike(a, b secrets.Value) bool {
	return a == b || a.Version().ID == b.Version().ID && a.Version().Created.Equal(b.Version().Created) && a.Type() == b.Type() &&
		strings.Join(a.Version().Labels(), "\x00") == strings.Join(b.Version().Labels(), "\x00") && a.Text() == b.Text()
}
