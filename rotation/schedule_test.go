package rotation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/rotation"
)

func TestSchedulesFollowAWSsSyntax(t *testing.T) {
	const form = "Mon 2006-01-02 15:04"
	for expression, want := range map[string][]string{ // after Wed 2026-01-14 10:30
		"rate(1 minute)":               {"Wed 2026-01-14 10:31", "Wed 2026-01-14 10:32"},
		"rate(12 hours)":               {"Wed 2026-01-14 22:30", "Thu 2026-01-15 10:30"},
		"rate(10 days)":                {"Sat 2026-01-24 10:30"},
		"cron(0 8 1 * ? *)":            {"Sun 2026-02-01 08:00", "Sun 2026-03-01 08:00"},
		"cron(0/15 10 * * ? *)":        {"Wed 2026-01-14 10:45", "Thu 2026-01-15 10:00"},
		"cron(30 10 * * ? *)":          {"Thu 2026-01-15 10:30"},
		"cron(0 0,12 ? * SUN *)":       {"Sun 2026-01-18 00:00", "Sun 2026-01-18 12:00", "Sun 2026-01-25 00:00"},
		"cron(0 4 ? * 2-6 *)":          {"Thu 2026-01-15 04:00", "Fri 2026-01-16 04:00", "Mon 2026-01-19 04:00"},
		"cron(0 4 ? * mon,TUE *)":      {"Mon 2026-01-19 04:00", "Tue 2026-01-20 04:00"},
		"cron(0 4 L * ? *)":            {"Sat 2026-01-31 04:00", "Sat 2026-02-28 04:00"},
		"cron(0 4 ? * 5L *)":           {"Thu 2026-01-29 04:00", "Thu 2026-02-26 04:00"},
		"cron(0 4 ? * L *)":            {"Sat 2026-01-17 04:00"},
		"cron(0 4 ? * 3#2 *)":          {"Tue 2026-02-10 04:00"},
		"cron(0 4 1W * ? *)":           {"Mon 2026-02-02 04:00", "Mon 2026-03-02 04:00", "Wed 2026-04-01 04:00"},
		"cron(0 4 31W * ? *)":          {"Fri 2026-01-30 04:00", "Tue 2026-03-31 04:00"},
		"cron(0 4 17W JAN ? *)":        {"Fri 2026-01-16 04:00"},
		"cron(0 4 29 2 ? *)":           {"Tue 2028-02-29 04:00", "Sun 2032-02-29 04:00"},
		"cron(0 4 31 1/3 ? *)":         {"Sat 2026-01-31 04:00", "Fri 2026-07-31 04:00"},
		"cron(0 4 1 1 ? 2027-2028)":    {"Fri 2027-01-01 04:00", "Sat 2028-01-01 04:00", "never"},
		"cron(0 4 30 2 ? *)":           {"never"},
		"cron(59 23 31 12 ? 2025)":     {"never"},
		"cron(0 4 ? FEB SUN#5 *)":      {"Sun 2032-02-29 04:00"},
		"cron(10-20/5 9 ? * FRI 2026)": {"Fri 2026-01-16 09:10", "Fri 2026-01-16 09:15", "Fri 2026-01-16 09:20", "Fri 2026-01-23 09:10"},
	} {
		s, err := rotation.ParseSchedule(expression)
		require.NoError(t, err, expression)
		last := time.Date(2026, 1, 14, 10, 30, 0, 0, time.UTC)
		at := last
		for _, w := range want {
			if at = s.Next(last, at); at.IsZero() {
				require.Equal(t, "never", w, expression)
				break
			}
			require.Equal(t, w, at.Format(form), expression)
		}
	}
}

func TestARateCountsFromTheLastTimeAndSkipsWhatWasMissed(t *testing.T) {
	s, err := rotation.ParseSchedule("rate(10 days)")
	require.NoError(t, err)
	last := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	require.Equal(t, last.AddDate(0, 0, 10), s.Next(last, last))
	require.Equal(t, last.AddDate(0, 0, 40), s.Next(last, last.AddDate(0, 0, 35)))
}

func TestSchedulesThatAreRefused(t *testing.T) {
	for _, expression := range []string{
		"", "rate", "rate()", "rate(0 days)", "rate(-1 days)", "rate(+1 days)", "rate(1 week)", "rate(1.5 days)", "rate(99999 days)", "rate(1 day", "every(1 day)",
		"cron()", "cron(0 8 1 * ?)", "cron(0 8 1 * 1 *)", "cron(0 8 ? * ? *)", "cron(60 8 1 * ? *)", "cron(0 24 1 * ? *)", "cron(0 8 0 * ? *)",
		"cron(0 8 32 * ? *)", "cron(0 8 1 13 ? *)", "cron(0 8 1 JUX ? *)", "cron(0 8 ? * 8 *)", "cron(0 8 ? * 3#6 *)", "cron(0 8 5-1 * ? *)",
		"cron(0/0 8 1 * ? *)", "cron(0 8 ? * 15W *)", "cron(0 8 1 * ? 1969)", "cron(0 8 , * ? *)", "at(2026-01-01T00:00:00)",
	} {
		_, err := rotation.ParseSchedule(expression)
		require.Error(t, err, expression)
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, s := range []string{"rate(10 days)", "cron(0 8 1 * ? *)", "cron(0/5 8-17 ? JAN-MAR MON#1,5L *)", "cron(0 0 15W * ? 2027)"} {
		f.Add(s)
	}
	last := time.Date(2026, 1, 14, 10, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, expression string) {
		s, err := rotation.ParseSchedule(expression)
		if err != nil {
			return
		}
		next := s.Next(last, last)
		require.True(t, next.IsZero() || next.After(last))
	})
}
