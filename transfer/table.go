package transfer

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/c0629bfc/secrets/provider"
)

// String returns the plan as a table and a line that sums it up. Of a secret's
// VersionId it has the first eight characters.
func (p *Plan) String() string {
	rows := [][]string{{"ACTION", "SOURCE", "TYPE", "BYTES", "VERSION", "TARGET", "TYPE", "TIER", "VERSION", ""}}
	for _, it := range p.Items {
		size := ""
		if it.value != (provider.Value{}) {
			size = fmt.Sprint(it.Size)
		}
		rows = append(rows, []string{string(it.Action), it.Source.String(), string(it.Type), size, short(it.Version),
			it.Target.String(), string(it.TargetType), it.Tier, short(it.Existing), it.remark()})
	}
	sum := fmt.Sprintf("%d to create, %d to update, %d unchanged, %d refused", p.Count(Create), p.Count(Update), p.Count(Unchanged), p.Count(Refused))
	if n := p.leaving(); n > 0 {
		sum += fmt.Sprintf("; %d leave something behind", n)
	}
	if p.Move {
		sum += "; each source is deleted once its target is seen to be equal"
	}
	return table(rows) + sum + "\n"
}

// remark is why an item is refused, or what it leaves.
func (it *Item) remark() string {
	if it.Err == nil && len(it.Left) > 0 {
		return "leaves " + strings.Join(strings.Fields(strings.Join(it.Left, ", ")), " ")
	}
	return reason(it.Err)
}

func (p *Plan) leaving() int {
	n := 0
	for _, it := range p.Items {
		if len(it.Left) > 0 {
			n++
		}
	}
	return n
}

// String returns the comparison as a table and a line that sums it up.
func (c *Comparison) String() string {
	rows := [][]string{{"STATUS", "HERE", "TYPE", "VERSION", "THERE", "TYPE", "VERSION", ""}}
	for _, d := range c.Values {
		rows = append(rows, []string{string(d.Status), d.Here.String(), string(d.HereType), short(d.HereVersion),
			d.There.String(), string(d.ThereType), short(d.ThereVersion), reason(d.Err)})
	}
	return table(rows) + fmt.Sprintf("%d equal, %d different, %d only here, %d only there, %d unknown\n",
		c.Count(Equal), c.Count(Different), c.Count(OnlyHere), c.Count(OnlyThere), c.Count(Unknown))
}

func table(rows [][]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := row[:len(row)-1]
		for i, cell := range cells {
			cells[i] = cmp.Or(cell, "-")
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
	lines := strings.Split(b.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

func short(v provider.Version) string { return fmt.Sprintf("%.8s", v.ID) }

// reason is an error in a line of its own, without the ref that stands beside.
func reason(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	if e, ok := errors.AsType[*provider.Error](err); ok && e.Kind != nil {
		text = e.Kind.Error()
		if e.Hint != "" {
			text += ": " + e.Hint
		}
	}
	return strings.Join(strings.Fields(text), " ")
}
