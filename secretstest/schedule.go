package secretstest

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A schedule is a secret's rotation schedule: when its windows open, and for
// how long. All is in UTC (user guide, "Rotation schedules").
type schedule struct {
	days   int           // every so many days at midnight
	hours  int           // every so many hours, from midnight of the day it was set
	set    time.Time     // when it was set
	cron   *cron         // else
	window time.Duration // zero: to the end of the UTC day
}

// next returns when the first window after a rotation opens. It closes at the
// second time, which is what NextRotationDate tells.
func (s *schedule) next(last time.Time) (opens, closes time.Time) {
	last = last.UTC()
	switch {
	case s.days > 0:
		opens = midnight(last).AddDate(0, 0, s.days)
	case s.hours > 0:
		interval := time.Duration(s.hours) * time.Hour
		first := midnight(s.set.UTC())
		opens = first.Add((last.Sub(first)/interval + 1) * interval)
	default:
		opens = s.cron.next(last)
	}
	closes = opens.Add(s.window)
	if s.window == 0 {
		closes = midnight(opens).AddDate(0, 0, 1)
	}
	return opens, closes.Add(-time.Second)
}

// interval is the time between two windows in days, at least one: what
// AutomaticallyAfterDays shows of a schedule expression.
func (s *schedule) interval(from time.Time) int64 {
	opens, _ := s.next(from)
	again, _ := s.next(opens)
	return max(1, int64(again.Sub(opens).Hours()/24))
}

func midnight(t time.Time) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// rotationRules is a RotationRulesType.
type rotationRules struct {
	AutomaticallyAfterDays *int64 `json:",omitempty"`
	Duration               string `json:",omitempty"`
	ScheduleExpression     string `json:",omitempty"`
}

var (
	ratePattern     = regexp.MustCompile(`^rate\(([0-9]{1,9}) (hours?|days?)\)$`)
	durationPattern = regexp.MustCompile(`^[0-9]+h$`)
	schedulePattern = regexp.MustCompile(`^[0-9A-Za-z()#?*\-/, ]+$`)
)

// parse checks the rules and makes the schedule, nil when they have none. The
// messages, and that a rate in hours is below a day, are as public reports quote
// AWS; the rest is in the user guide.
func (r *rotationRules) parse(now time.Time) (*schedule, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	s := &schedule{set: now}
	switch {
	case r.AutomaticallyAfterDays != nil && r.ScheduleExpression != "":
		return nil, fail("InvalidParameterException", "You cannot specify both rotation frequency and schedule expression together.")
	case r.AutomaticallyAfterDays != nil:
		s.days = int(*r.AutomaticallyAfterDays)
	case r.ScheduleExpression != "":
		if err := s.parse(r.ScheduleExpression); err != nil {
			return nil, err
		}
	case r.Duration != "":
		return nil, fail("InvalidParameterException", "A Duration needs AutomaticallyAfterDays or a ScheduleExpression.")
	default:
		return nil, nil
	}
	gap := s.gap()
	if gap > 0 {
		s.window = time.Hour
	}
	if r.Duration == "" {
		return s, nil
	}
	hours, _ := strconv.Atoi(strings.TrimSuffix(r.Duration, "h"))
	switch {
	case hours < 1 || hours > 24:
		return nil, fail("InvalidParameterException", "Duration must be at least 1 hour, at most 24 hour.")
	case gap > 0 && hours > gap:
		return nil, fail("InvalidParameterException", "Duration cannot be greater than Rate in hour.")
	case s.cron != nil && s.cron.hours[len(s.cron.hours)-1]+hours > 24:
		return nil, fail("InvalidParameterException", "Starting hour and duration must be within a day.")
	}
	s.window = time.Duration(hours) * time.Hour
	return s, nil
}

// check holds the rules against the service's model.
func (r *rotationRules) check() error {
	if err := checkRange("rotationRules.automaticallyAfterDays", r.AutomaticallyAfterDays, 1, 1000); err != nil {
		return err
	}
	if r.Duration != "" {
		if err := checkLength("rotationRules.duration", len(r.Duration), 2, 3); err != nil {
			return err
		}
		if !durationPattern.MatchString(r.Duration) {
			return invalid("rotationRules.duration", "Member must satisfy regular expression pattern: [0-9]+h")
		}
	}
	if r.ScheduleExpression != "" {
		if err := checkLength("rotationRules.scheduleExpression", len(r.ScheduleExpression), 1, 256); err != nil {
			return err
		}
		if !schedulePattern.MatchString(r.ScheduleExpression) {
			return invalid("rotationRules.scheduleExpression", `Member must satisfy regular expression pattern: [0-9A-Za-z\(\)#\?\*\-\/, ]+`)
		}
	}
	return nil
}

// minGap is the shortest time between two rotations, in hours.
const minGap = 4

// gap is the number of hours between two windows of a schedule in hours, zero
// for one in days.
func (s *schedule) gap() int {
	if s.cron == nil {
		return s.hours
	}
	gap := 0
	for i := 1; i < len(s.cron.hours); i++ {
		if d := s.cron.hours[i] - s.cron.hours[i-1]; gap == 0 || d < gap {
			gap = d
		}
	}
	return gap
}

var errSchedule = fail("InvalidParameterException", "Invalid schedule expression.")

func (s *schedule) parse(expression string) error {
	if m := ratePattern.FindStringSubmatch(expression); m != nil {
		n, _ := strconv.Atoi(m[1])
		if strings.HasPrefix(m[2], "hour") {
			if n < minGap || n >= 24 {
				return fail("InvalidParameterException", "Rate in hour should be least 4 and less than 24.")
			}
			s.hours = n
			return nil
		}
		if n < 1 || n > 999 {
			return fail("InvalidParameterException", "Rate in day should be greater than 0 and less than 1000.")
		}
		s.days = n
		return nil
	}
	inner, isCron := strings.CutPrefix(expression, "cron(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !isCron || !closed {
		return errSchedule
	}
	if s.cron = parseCron(inner); s.cron == nil {
		return errSchedule
	}
	if gap := s.gap(); gap > 0 && gap < minGap {
		return errSchedule
	}
	return nil
}
