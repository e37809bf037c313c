package secretstest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// A cron is a cron expression: minutes 0, hours, day of month, month, day of
// week, any year. Exactly one of the two days is "?".
type cron struct {
	hours  []int // sorted
	months []int
	dom    []dayRule // nil: by the day of the week
	dow    []dayRule
}

// A dayRule is one element of a day field.
type dayRule struct {
	day  int // of the month, or of the week with Sunday as 1; zero with last: the last of the month
	last bool
	nth  int // of a weekday in the month; zero: each
}

var (
	monthNames = []string{"", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"", "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

// parseCron returns nil for an invalid expression.
func parseCron(text string) *cron {
	fields := strings.Fields(text)
	if len(fields) != 6 || fields[0] != "0" || fields[5] != "*" || (fields[2] == "?") == (fields[4] == "?") {
		return nil
	}
	c := &cron{hours: parseNumbers(fields[1], 0, 23, nil), months: parseNumbers(fields[3], 1, 12, monthNames)}
	if c.hours == nil || c.months == nil {
		return nil
	}
	if fields[4] == "?" {
		c.dom = parseDays(fields[2], 31, nil)
	} else {
		c.dow = parseDays(fields[4], 7, dayNames)
	}
	if c.dom == nil && c.dow == nil || c.next(time.Unix(0, 0)).IsZero() {
		return nil
	}
	return c
}

// parseDays reads a day field: L and # beside what parseNumbers reads.
func parseDays(field string, most int, names []string) []dayRule {
	var rules []dayRule
	for _, item := range strings.Split(field, ",") {
		weekday, nth, isNth := strings.Cut(item, "#")
		before, isLast := strings.CutSuffix(item, "L")
		switch {
		case item == "L" && names == nil:
			rules = append(rules, dayRule{last: true})
		case item == "L":
			rules = append(rules, dayRule{day: 7})
		case isLast && names != nil:
			day := parseNumber(before, 1, most, names)
			if day < 0 {
				return nil
			}
			rules = append(rules, dayRule{day: day, last: true})
		case isNth && names != nil:
			day, n := parseNumber(weekday, 1, most, names), parseNumber(nth, 1, 5, nil)
			if day < 0 || n < 0 {
				return nil
			}
			rules = append(rules, dayRule{day: day, nth: n})
		default:
			days := parseNumbers(item, 1, most, names)
			if days == nil {
				return nil
			}
			for _, day := range days {
				rules = append(rules, dayRule{day: day})
			}
		}
	}
	return rules
}

// parseNumbers reads a list of numbers, ranges and increments, sorted; nil when
// it is invalid.
func parseNumbers(field string, least, most int, names []string) []int {
	var numbers []int
	for _, item := range strings.Split(field, ",") {
		span, stepText, hasStep := strings.Cut(item, "/")
		from, to, step := least, most, 1
		if hasStep {
			if step = parseNumber(stepText, 1, most, nil); step < 0 {
				return nil
			}
		}
		if span != "*" {
			first, last, isRange := strings.Cut(span, "-")
			if from = parseNumber(first, least, most, names); from < 0 {
				return nil
			}
			switch {
			case isRange:
				if to = parseNumber(last, least, most, names); to < from {
					return nil
				}
			case !hasStep:
				to = from
			}
		}
		for n := from; n <= to; n += step {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// parseNumber returns -1 for what is not a number or name within the bounds.
func parseNumber(text string, least, most int, names []string) int {
	if i := slices.Index(names, strings.ToUpper(text)); i > 0 {
		return i
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || int(n) < least || int(n) > most {
		return -1
	}
	return int(n)
}

// next returns the first opening after t, zero when there is none in the next
// eight years, as on a 30th of February.
func (c *cron) next(t time.Time) time.Time {
	day := midnight(t.UTC())
	for range 8*366 + 1 {
		if slices.Contains(c.months, int(day.Month())) && c.onDay(day) {
			for _, hour := range c.hours {
				if opens := day.Add(time.Duration(hour) * time.Hour); opens.After(t) {
					return opens
				}
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}
}

func (c *cron) onDay(day time.Time) bool {
	lastWeek := day.AddDate(0, 0, 7).Month() != day.Month()
	lastDay := day.AddDate(0, 0, 1).Month() != day.Month()
	if c.dom != nil {
		return slices.ContainsFunc(c.dom, func(r dayRule) bool {
			return r.last && lastDay || !r.last && r.day == day.Day()
		})
	}
	return slices.ContainsFunc(c.dow, func(r dayRule) bool {
		return r.day == int(day.Weekday())+1 && (!r.last || lastWeek) && (r.nth == 0 || r.nth == (day.Day()-1)/7+1)
	})
}
