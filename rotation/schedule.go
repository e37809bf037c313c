package rotation

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Schedule says when something is to be rotated, in UTC. Make one with
// [ParseSchedule].
type Schedule struct {
	every time.Duration // a rate; else
	cron  *cron
}

// ParseSchedule parses a schedule in AWS's syntax (EventBridge Scheduler guide:
// Schedule types; Secrets Manager guide: Rotation schedules):
//
//	rate(12 hours)        a number of minutes, hours or days after the last time
//	cron(0 8 1 * ? *)     minutes, hours, day of the month, month, day of the week, year
//
// In a cron expression a field is "*", or numbers or names (JAN, SUN) separated
// by commas, with ranges (1-5) and steps (0/15). One of the two days is "?". L is
// the last day of the month, or 5L its last Thursday (SUN is 1); 3#2 is its
// second Tuesday, and 15W the weekday nearest to the 15th.
func ParseSchedule(expression string) (Schedule, error) {
	fail := func(err error) (Schedule, error) {
		return Schedule{}, fmt.Errorf("schedule %q: %w", expression, err)
	}
	kind, rest, _ := strings.Cut(expression, "(")
	inside, closed := strings.CutSuffix(rest, ")")
	switch {
	case closed && kind == "rate":
		every, err := parseRate(inside)
		if err != nil {
			return fail(err)
		}
		return Schedule{every: every}, nil
	case closed && kind == "cron":
		c, err := parseCron(inside)
		if err != nil {
			return fail(err)
		}
		return Schedule{cron: c}, nil
	}
	return fail(errors.New("want rate(…) or cron(…)"))
}

// Next returns the first time after t, of a schedule by which something was done
// at last: a rate counts from that, and a cron expression does not look at it. It
// is zero where there is none, as on a day that no year has.
func (s Schedule) Next(last, t time.Time) time.Time {
	if s.cron != nil {
		return s.cron.next(t)
	}
	if s.every <= 0 {
		return time.Time{}
	}
	next := last.Add(s.every)
	if missed := t.Sub(next); missed >= 0 {
		next = next.Add((missed/s.every + 1) * s.every)
	}
	return next
}

// maxRate keeps a rate within what a time.Duration holds with room to add.
const maxRate = 10_000 * 24 * time.Hour

func parseRate(s string) (time.Duration, error) {
	count, unit, _ := strings.Cut(s, " ")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > int(maxRate/time.Minute) || count != strconv.Itoa(n) {
		return 0, errors.New("the number of a rate is a whole one from 1")
	}
	units := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
	of, ok := units[strings.TrimSuffix(unit, "s")]
	if !ok {
		return 0, errors.New("the unit of a rate is minutes, hours or days")
	}
	if time.Duration(n) > maxRate/of {
		return 0, errors.New("the rate is of more than 10,000 days")
	}
	return time.Duration(n) * of, nil
}

// cron is a parsed cron expression. Its numbers are sorted.
type cron struct {
	minutes, hours, months, years []int
	days                          []dayRule
	weekly                        bool // the days are of the week
}

// dayRule is one element of a field of days: a day, the last one, or the nth.
type dayRule struct {
	day     int // of the month, or of the week from SUN as 1; 0: the last of the month
	last    bool
	nth     int
	weekday bool // the weekday nearest to it
}

var (
	monthNames = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

const (
	firstYear = 1970
	lastYear  = 2199
)

func parseCron(s string) (*cron, error) {
	fields := strings.Fields(s)
	if len(fields) != 6 {
		return nil, fmt.Errorf("a cron expression has six fields, not %d", len(fields))
	}
	c := &cron{weekly: fields[2] == "?"}
	if c.weekly == (fields[4] == "?") {
		return nil, errors.New("one of day of the month and day of the week is ?, and the other is not")
	}
	var err error
	for _, f := range []struct {
		to          *[]int
		text, what  string
		first, last int
		names       []string
	}{
		{&c.minutes, fields[0], "minutes", 0, 59, nil},
		{&c.hours, fields[1], "hours", 0, 23, nil},
		{&c.months, fields[3], "month", 1, 12, monthNames},
		{&c.years, fields[5], "year", firstYear, lastYear, nil},
	} {
		if *f.to, err = parseNumbers(f.text, f.first, f.last, f.names); err != nil {
			return nil, fmt.Errorf("%s: %w", f.what, err)
		}
	}
	if c.weekly {
		c.days, err = parseDays(fields[4], 7, dayNames)
	} else {
		c.days, err = parseDays(fields[2], 31, nil)
	}
	return c, err
}

func parseDays(field string, most int, names []string) ([]dayRule, error) {
	var rules []dayRule
	for item := range strings.SplitSeq(field, ",") {
		day, nth, isNth := strings.Cut(item, "#")
		before, isLast := strings.CutSuffix(item, "L")
		near, isNear := strings.CutSuffix(item, "W")
		var r dayRule
		var err error
		switch {
		case item == "L" && names == nil:
			r.last = true
		case item == "L":
			r.day = most // Saturday
		case isLast && names != nil:
			r.last = true
			r.day, err = parseNumber(before, 1, most, names)
		case isNth && names != nil:
			if r.day, err = parseNumber(day, 1, most, names); err == nil {
				r.nth, err = parseNumber(nth, 1, 5, nil)
			}
		case isNear && names == nil:
			r.weekday = true
			r.day, err = parseNumber(near, 1, most, nil)
		default:
			days, err := parseNumbers(item, 1, most, names)
			if err != nil {
				return nil, fmt.Errorf("day: %w", err)
			}
			for _, day := range days {
				rules = append(rules, dayRule{day: day})
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("day: %w", err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseNumbers(field string, first, last int, names []string) ([]int, error) {
	var numbers []int
	for item := range strings.SplitSeq(field, ",") {
		span, step, stepped := strings.Cut(item, "/")
		low, high, by := first, last, 1
		var err error
		if stepped {
			if by, err = parseNumber(step, 1, last, nil); err != nil {
				return nil, err
			}
		}
		if span != "*" {
			from, to, ranged := strings.Cut(span, "-")
			if low, err = parseNumber(from, first, last, names); err != nil {
				return nil, err
			}
			switch {
			case ranged:
				if high, err = parseNumber(to, first, last, names); err != nil {
					return nil, err
				}
				if high < low {
					return nil, fmt.Errorf("the range %s runs backwards", span)
				}
			case !stepped:
				high = low
			}
		}
		for n := low; n <= high; n += by {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}

func parseNumber(s string, first, last int, names []string) (int, error) {
	if i := slices.Index(names, strings.ToUpper(s)); i >= 0 {
		return first + i, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < first || n > last || strings.ContainsAny(s, "+-") {
		return 0, fmt.Errorf("%q is not %d to %d", s, first, last)
	}
	return n, nil
}

// next looks day by day. The 29th of February is a certain day of the week every
// 28 years, and 40 across a year like 2100 that has none.
func (c *cron) next(t time.Time) time.Time {
	t = t.UTC()
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	for range 41 * 366 {
		if slices.Contains(c.months, int(day.Month())) && slices.Contains(c.years, day.Year()) && c.on(day) {
			for _, hour := range c.hours {
				for _, minute := range c.minutes {
					at := day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
					if at.After(t) {
						return at
					}
				}
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}
}

func (c *cron) on(day time.Time) bool {
	end := time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() // of the month
	return slices.ContainsFunc(c.days, func(r dayRule) bool {
		switch {
		case c.weekly:
			return r.day == int(day.Weekday())+1 && (!r.last || day.Day()+7 > end) && (r.nth == 0 || r.nth == (day.Day()-1)/7+1)
		case r.last:
			return day.Day() == end
		case r.weekday:
			return r.day <= end && day.Day() == nearestWeekday(time.Date(day.Year(), day.Month(), r.day, 0, 0, 0, 0, time.UTC), end)
		}
		return r.day == day.Day()
	})
}

// nearestWeekday is the day of the month nearest to day from Monday to Friday.
func nearestWeekday(day time.Time, end int) int {
	n := day.Day()
	switch day.Weekday() {
	case time.Saturday:
		if n == 1 {
			return n + 2
		}
		return n - 1
	case time.Sunday:
		if n == end {
			return n - 2
		}
		return n + 1
	}
	return n
}
