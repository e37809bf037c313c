package sm

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Schedule is when a secret is rotated, in UTC: within a window that opens as
// AfterDays or Expression says, of which one is set. The zero Schedule leaves
// the secret's own as it is.
type Schedule struct {
	// AfterDays is the number of days from one rotation, or other write of the
	// value, to the next: 1 to 1,000. In [Metadata] it is also what AWS made of
	// an Expression.
	AfterDays int
	// Expression is "rate(10 days)", "rate(12 hours)" or "cron(0 8 1 * ? *)". A
	// rate is of 4 to 23 hours or of 1 to 999 days, and its window opens at
	// midnight. A cron expression has six fields: minutes, which is 0; hours;
	// day of the month; month; day of the week; year, which is "*". One of the
	// two days is "?".
	Expression string
	// Window is how long the window is open, 1 to 24 whole hours; zero is one
	// hour for a schedule in hours, and the rest of the day for one in days. It
	// ends by the next window and by midnight.
	Window time.Duration
}

// The limits of a schedule (API RotationRulesType; guide: Rotation schedules;
// for the rates, what AWS answers to others).
const (
	maxAfterDays  = 1000
	maxRateDays   = 999
	minRateHours  = 4
	maxRateHours  = 23
	maxExpression = 256 // characters
	dayHours      = 24
)

// Check reports what AWS would refuse about the schedule, as far as it is
// documented (guide: Rotation schedules).
func (sc Schedule) Check() error {
	window := int(sc.Window / time.Hour)
	switch {
	case sc.AfterDays != 0 && sc.Expression != "":
		return errors.New("the schedule has both AfterDays and Expression: one of them says when to rotate")
	case sc.AfterDays < 0 || sc.AfterDays > maxAfterDays:
		return fmt.Errorf("AfterDays is 1 to %d days, not %d", maxAfterDays, sc.AfterDays)
	case sc.Window%time.Hour != 0 || window < 0 || window > dayHours:
		return fmt.Errorf("the window is 1 to %d whole hours, not %s", dayHours, sc.Window)
	case window != 0 && sc.AfterDays == 0 && sc.Expression == "":
		return errors.New("the schedule has a Window and neither AfterDays nor Expression, which say when it opens")
	case sc.Expression == "":
		return nil
	case len(sc.Expression) > maxExpression:
		return fmt.Errorf("the expression is longer than %d characters", maxExpression)
	}
	kind, rest, ok := strings.Cut(sc.Expression, "(")
	inside, tail, closed := strings.Cut(rest, ")")
	if !ok || !closed || tail != "" {
		return errors.New(`the expression is not of the form "rate(10 days)" or "cron(0 8 1 * ? *)"`)
	}
	switch kind {
	case "rate":
		return checkRate(inside, window)
	case "cron":
		return checkCron(inside, window)
	}
	return errors.New(`the expression begins with neither "rate(" nor "cron("`)
}

func checkRate(s string, window int) error {
	fields := strings.Split(s, " ")
	if len(fields) != 2 {
		return errors.New("a rate is a number and a unit, as in rate(10 days)")
	}
	n, err := strconv.Atoi(fields[0])
	if err != nil || n < 1 || fields[0] != strconv.Itoa(n) {
		return errors.New("the number of a rate is a whole one from 1")
	}
	switch fields[1] {
	case "day", "days":
		if n > maxRateDays {
			return fmt.Errorf("a rate is of at most %d days, not %d", maxRateDays, n)
		}
	case "hour", "hours":
		switch {
		case n < minRateHours:
			return fmt.Errorf("a secret is rotated at most every %d hours, not every %d", minRateHours, n)
		case n > maxRateHours:
			return fmt.Errorf("a rate in hours is of at most %d, not %d: say it in days", maxRateHours, n)
		case window > n:
			return fmt.Errorf("the window of %d hours goes into the next, which opens after %d", window, n)
		}
	default:
		return errors.New("the unit of a rate is hours or days")
	}
	return nil
}

// cronField is what a field of a cron expression may have. Names count from
// first.
type cronField struct {
	name        string
	first, last int
	names       []string
	special     string // of the wildcards "?", "L" and "#", those allowed
}

var cronFields = []cronField{
	{name: "hours", first: 0, last: 23},
	{name: "day of the month", first: 1, last: 31, special: "?L"},
	{name: "month", first: 1, last: 12, names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{name: "day of the week", first: 1, last: 7, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}, special: "?L#"},
}

func checkCron(s string, window int) error {
	fields := strings.Split(s, " ")
	if len(fields) != 6 {
		return fmt.Errorf("a cron expression has six fields, not %d: minutes, hours, day of the month, month, day of the week, year", len(fields))
	}
	if fields[0] != "0" {
		return fmt.Errorf("the minutes of a cron expression are 0, not %s: windows open on the hour", fields[0])
	}
	if fields[5] != "*" {
		return fmt.Errorf("the year of a cron expression is *, not %s", fields[5])
	}
	var hours []int
	for i, f := range cronFields {
		values, err := f.parse(fields[i+1])
		if err != nil {
			return fmt.Errorf("%s in the cron expression: %w", f.name, err)
		}
		if i == 0 {
			hours = values
		}
	}
	if (fields[2] == "?") == (fields[4] == "?") {
		return errors.New("one of day of the month and day of the week is ? in a cron expression, and the other is not")
	}
	return checkHours(hours, window)
}

// checkHours holds the hours at which windows open on one day to the rules of
// how often they may and how long they last.
func checkHours(hours []int, window int) error {
	for i, hour := range hours {
		next, what := dayHours, "midnight"
		if i+1 < len(hours) {
			next, what = hours[i+1], "the next"
			if next-hour < minRateHours {
				return fmt.Errorf("a secret is rotated at most every %d hours, but the cron expression has windows at %d and %d", minRateHours, hour, next)
			}
		}
		if window > next-hour {
			return fmt.Errorf("the window of %d hours that opens at %d goes past %s", window, hour, what)
		}
	}
	return nil
}

// ordinal is a day of the week as in SUN#1, and last one as in 5L.
var ordinal, last = regexp.MustCompile(`^([A-Za-z]+|[0-9])#[1-5]$`), regexp.MustCompile(`^([A-Za-z]+|[0-9])L$`)

// parse returns the values that a field means, sorted; none where that depends
// on the month.
func (f cronField) parse(s string) ([]int, error) {
	switch {
	case s == "?":
		if !strings.Contains(f.special, "?") {
			return nil, errors.New("? is for days only")
		}
		return nil, nil
	case s == "L" && strings.Contains(f.special, "L"):
		return nil, nil
	}
	var values []int
	all := f.last - f.first + 1
	for item := range strings.SplitSeq(s, ",") {
		if strings.Contains(f.special, "#") && (ordinal.MatchString(item) || last.MatchString(item)) {
			if _, err := f.value(strings.TrimRight(strings.SplitN(item, "#", 2)[0], "L")); err != nil {
				return nil, err
			}
			continue
		}
		span, step, stepped := strings.Cut(item, "/")
		by := 1
		if stepped {
			n, err := strconv.Atoi(step)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("%q has no whole number from 1 after its slash", item)
			}
			by = min(n, all)
		}
		from, to, ranged := strings.Cut(span, "-")
		low, high := f.first, f.last
		if span != "*" {
			var err error
			if low, err = f.value(from); err != nil {
				return nil, err
			}
			switch {
			case ranged:
				if high, err = f.value(to); err != nil {
					return nil, err
				}
			case !stepped:
				high = low
			}
		}
		// A range such as FRI-MON runs over the end, for all that is documented.
		if high < low {
			high += all
		}
		for v := low; v <= high; v += by {
			values = append(values, f.first+(v-f.first)%all)
		}
	}
	slices.Sort(values)
	return slices.Compact(values), nil
}

func (f cronField) value(s string) (int, error) {
	if i := slices.Index(f.names, strings.ToUpper(s)); i >= 0 {
		return f.first + i, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < f.first || n > f.last || strings.ContainsAny(s, "+-") {
		return 0, fmt.Errorf("%q is not %d to %d", s, f.first, f.last)
	}
	return n, nil
}

// rules is the schedule as the API takes it; nil where there is none.
func (sc Schedule) rules() *types.RotationRulesType {
	if sc == (Schedule{}) {
		return nil
	}
	r := &types.RotationRulesType{ScheduleExpression: orNil(sc.Expression)}
	if sc.AfterDays != 0 {
		r.AutomaticallyAfterDays = aws.Int64(int64(sc.AfterDays))
	}
	if sc.Window != 0 {
		r.Duration = aws.String(strconv.Itoa(int(sc.Window/time.Hour)) + "h")
	}
	return r
}

func scheduleOf(r *types.RotationRulesType) Schedule {
	if r == nil {
		return Schedule{}
	}
	window, err := time.ParseDuration(aws.ToString(r.Duration))
	if err != nil {
		window = 0
	}
	return Schedule{AfterDays: int(aws.ToInt64(r.AutomaticallyAfterDays)), Expression: aws.ToString(r.ScheduleExpression), Window: window}
}
