package statuspage

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// query says which entries are shown, and in which order.
type query struct {
	Text, State, Sort string
}

var (
	states = []State{Stale, Empty, Expired, Fresh}
	sorts  = []string{"ref", "age", "next", "hits"}
)

func queryOf(v url.Values) query {
	q := query{Text: strings.TrimSpace(v.Get("q"))}
	if s := v.Get("state"); slices.Contains(states, State(s)) {
		q.State = s
	}
	if s := v.Get("sort"); slices.Contains(sorts, s) {
		q.Sort = s
	}
	return q
}

// choose filters and sorts entries.
func (q query) choose(all []Entry) []Entry {
	text := strings.ToLower(q.Text)
	all = slices.DeleteFunc(all, func(e Entry) bool {
		return q.State != "" && q.State != string(e.State) || !strings.Contains(strings.ToLower(e.Ref), text)
	})
	slices.SortFunc(all, func(a, b Entry) int {
		first := 0
		switch q.Sort {
		case "":
			first = slices.Index(states, a.State) - slices.Index(states, b.State)
		case "age":
			first = cmp.Compare(b.AgeSeconds, a.AgeSeconds)
		case "hits":
			first = cmp.Compare(b.Hits, a.Hits)
		case "next":
			switch {
			case a.Next == nil || b.Next == nil:
				first = compareNil(a.Next == nil, b.Next == nil)
			default:
				first = a.Next.Compare(*b.Next)
			}
		}
		return cmp.Or(first, cmp.Compare(a.Ref, b.Ref))
	})
	return all
}

// compareNil puts what is not there last.
func compareNil(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
