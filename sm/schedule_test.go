package sm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// schedules are what the guide says of rotation schedules: the error, or "".
var schedules = []struct {
	sm.Schedule
	refused string
}{
	{sm.Schedule{}, ""},
	{sm.Schedule{AfterDays: 1}, ""},
	{sm.Schedule{AfterDays: 1000}, ""},
	{sm.Schedule{AfterDays: 1001}, "1 to 1000 days"},
	{sm.Schedule{AfterDays: -1}, "1 to 1000 days"},
	{sm.Schedule{AfterDays: 1, Expression: "rate(1 day)"}, "both AfterDays and Expression"},
	{sm.Schedule{AfterDays: 1, Window: 24 * time.Hour}, ""},
	{sm.Schedule{AfterDays: 1, Window: 25 * time.Hour}, "1 to 24 whole hours"},
	{sm.Schedule{AfterDays: 1, Window: -time.Hour}, "1 to 24 whole hours"},
	{sm.Schedule{AfterDays: 1, Window: 90 * time.Minute}, "1 to 24 whole hours, not 1h30m0s"},
	{sm.Schedule{Window: time.Hour}, "neither AfterDays nor Expression"},
	{sm.Schedule{AfterDays: 1, Window: time.Minute}, "1 to 24 whole hours"},

	{sm.Schedule{Expression: "rate(1 day)"}, ""},
	{sm.Schedule{Expression: "rate(10 days)", Window: 24 * time.Hour}, ""},
	{sm.Schedule{Expression: "rate(999 days)"}, ""},
	{sm.Schedule{Expression: "rate(1000 days)"}, "at most 999 days"},
	{sm.Schedule{Expression: "rate(0 days)"}, "whole one from 1"},
	{sm.Schedule{Expression: "rate(-1 days)"}, "whole one from 1"},
	{sm.Schedule{Expression: "rate(+1 days)"}, "whole one from 1"},
	{sm.Schedule{Expression: "rate(01 days)"}, "whole one from 1"},
	{sm.Schedule{Expression: "rate(1.5 days)"}, "whole one from 1"},
	{sm.Schedule{Expression: "rate(99999999999999999999 days)"}, "whole one from 1"},
	{sm.Schedule{Expression: "rate(3 hours)"}, "every 4 hours, not every 3"},
	{sm.Schedule{Expression: "rate(4 hours)"}, ""},
	{sm.Schedule{Expression: "rate(4 hours)", Window: 4 * time.Hour}, ""},
	{sm.Schedule{Expression: "rate(4 hours)", Window: 5 * time.Hour}, "goes into the next"},
	{sm.Schedule{Expression: "rate(23 hours)"}, ""},
	{sm.Schedule{Expression: "rate(24 hours)"}, "say it in days"},
	{sm.Schedule{Expression: "rate(5 minutes)"}, "hours or days"},
	{sm.Schedule{Expression: "rate(5)"}, "a number and a unit"},
	{sm.Schedule{Expression: "rate()"}, "a number and a unit"},
	{sm.Schedule{Expression: "rate(1 day) "}, "not of the form"},
	{sm.Schedule{Expression: "rate(1 day"}, "not of the form"},
	{sm.Schedule{Expression: "10 days"}, "not of the form"},
	{sm.Schedule{Expression: "every(1 day)"}, "neither"},
	{sm.Schedule{Expression: "Rate(1 day)"}, "neither"},
	{sm.Schedule{Expression: "cron(0 8 11" + strings.Repeat(",1", 119) + " * ? *)"}, ""},
	{sm.Schedule{Expression: "cron(0 8 11" + strings.Repeat(",1", 118) + ",11 * ? *)"}, "longer than 256"},
	{sm.Schedule{Expression: "rate(1  day)"}, "a number and a unit"},
	{sm.Schedule{Expression: "rate(1\tday)"}, "a number and a unit"},

	{sm.Schedule{Expression: "cron(0 8 1 * ? *)", Window: 16 * time.Hour}, ""},
	{sm.Schedule{Expression: "cron(0 8 1 * ? *)", Window: 17 * time.Hour}, "opens at 8 goes past midnight"},
	{sm.Schedule{Expression: "cron(0 0 ? * SUN#1 *)"}, ""},
	{sm.Schedule{Expression: "cron(0 16 L * ? *)"}, ""},
	{sm.Schedule{Expression: "cron(0 16 ? * 6L *)"}, ""},
	{sm.Schedule{Expression: "cron(0 16 ? * FRIL *)"}, ""},
	{sm.Schedule{Expression: "cron(0 18 ? * MON-FRI *)"}, ""},
	{sm.Schedule{Expression: "cron(0 6 ? JAN,APR,JUL,OCT 2-6 *)"}, ""},
	{sm.Schedule{Expression: "cron(0 8 1/7 * ? *)"}, ""},
	{sm.Schedule{Expression: "cron(0 4/12 * * ? *)"}, ""},
	{sm.Schedule{Expression: "cron(0 0/4 * * ? *)", Window: 4 * time.Hour}, ""},
	{sm.Schedule{Expression: "cron(0 0/4 * * ? *)", Window: 5 * time.Hour}, "goes past the next"},
	{sm.Schedule{Expression: "cron(0 0/3 * * ? *)"}, "windows at 0 and 3"},
	{sm.Schedule{Expression: "cron(0 */4 * * ? *)"}, ""},
	{sm.Schedule{Expression: "cron(0 * * * ? *)"}, "windows at 0 and 1"},
	{sm.Schedule{Expression: "cron(0 8,11 * * ? *)"}, "windows at 8 and 11"},
	{sm.Schedule{Expression: "cron(0 20,8 * * ? *)"}, ""},
	{sm.Schedule{Expression: "cron(0 23 * * ? *)", Window: time.Hour}, ""},
	{sm.Schedule{Expression: "cron(0 24 * * ? *)"}, "hours in the cron expression"},
	{sm.Schedule{Expression: "cron(0 ? * * ? *)"}, "? is for days only"},
	{sm.Schedule{Expression: "cron(0 -1 * * ? *)"}, `"" is not 0 to 23`},
	{sm.Schedule{Expression: "cron(30 8 1 * ? *)"}, "minutes of a cron expression are 0, not 30"},
	{sm.Schedule{Expression: "cron(0 8 1 * ? 2030)"}, "year of a cron expression is *, not 2030"},
	{sm.Schedule{Expression: "cron(0 8 1 * ?)"}, "six fields, not 5"},
	{sm.Schedule{Expression: "cron(0 0 8 1 * ? *)"}, "six fields, not 7"},
	{sm.Schedule{Expression: "cron()"}, "six fields, not 1"},
	{sm.Schedule{Expression: "cron(0 8 * * * *)"}, "one of day of the month and day of the week is ?"},
	{sm.Schedule{Expression: "cron(0 8 ? * ? *)"}, "one of day of the month and day of the week is ?"},
	{sm.Schedule{Expression: "cron(0 8 0 * ? *)"}, "day of the month"},
	{sm.Schedule{Expression: "cron(0 8 31 * ? *)"}, ""},
	{sm.Schedule{Expression: "cron(0 8 32 * ? *)"}, "day of the month"},
	{sm.Schedule{Expression: "cron(0 8 1 0 ? *)"}, "month"},
	{sm.Schedule{Expression: "cron(0 8 1 12 ? *)"}, ""},
	{sm.Schedule{Expression: "cron(0 8 1 13 ? *)"}, "month"},
	{sm.Schedule{Expression: "cron(0 8 1 FOO ? *)"}, `"FOO" is not 1 to 12`},
	{sm.Schedule{Expression: "cron(0 8 ? * 0 *)"}, "day of the week"},
	{sm.Schedule{Expression: "cron(0 8 ? * 8 *)"}, "day of the week"},
	{sm.Schedule{Expression: "cron(0 8 ? * MON#6 *)"}, "day of the week"},
	{sm.Schedule{Expression: "cron(0 8 ? * FOO#1 *)"}, "day of the week"},
	{sm.Schedule{Expression: "cron(0 8 ? Jan mon,frIL *)"}, ""},
	{sm.Schedule{Expression: "cron(0 8 ? * tue#2 *)"}, ""},
	{sm.Schedule{Expression: "cron(0 22-1 * * ? *)"}, "windows at 0 and 1"},
	{sm.Schedule{Expression: "cron(0 8 1/0 * ? *)"}, "after its slash"},
	{sm.Schedule{Expression: "cron(0 8 1/x * ? *)"}, "after its slash"},
	{sm.Schedule{Expression: "cron(0 8 1, * ? *)"}, "day of the month"},
	{sm.Schedule{Expression: "cron(0 8 1W * ? *)"}, "day of the month"},
}

func TestSchedules(t *testing.T) {
	for _, test := range schedules {
		err := test.Check()
		if test.refused == "" {
			require.NoError(t, err, "%+v", test.Schedule)
			continue
		}
		require.ErrorContains(t, err, test.refused, "%+v", test.Schedule)
	}
}

// TestSchedulesLeftToAWS has ranges and steps of which AWS does not say whether
// it takes them.
func TestSchedulesLeftToAWS(t *testing.T) {
	require.NoError(t, sm.Schedule{Expression: "cron(0 8 ? * FRI-MON *)"}.Check())
	require.NoError(t, sm.Schedule{Expression: "cron(0 20-4/4 * * ? *)"}.Check())
	once := sm.Schedule{Expression: "cron(0 20/9223372036854775807 * * ? *)", Window: 4 * time.Hour}
	require.NoError(t, once.Check())
	once.Window += time.Hour
	require.ErrorContains(t, once.Check(), "opens at 20 goes past midnight")
}

// TestSchedulesAreKept has those that are not refused come back from the server.
func TestSchedulesAreKept(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	for _, test := range schedules {
		if test.refused != "" || test.Schedule == (sm.Schedule{}) {
			continue
		}
		ref, _ := l.made(t, 1)
		srv.HandleRotation(someFunction, noRotation)
		_, err := l.store.Rotate(t.Context(), ref, sm.RotateOptions{Lambda: someFunction, Schedule: test.Schedule, Defer: true})
		require.NoError(t, err, "%+v", test.Schedule)
		m, err := l.store.Describe(t.Context(), ref)
		require.NoError(t, err)
		kept := m.Rotation.Schedule
		require.Equal(t, test.Expression, kept.Expression)
		require.Equal(t, test.Window, kept.Window)
		if test.Expression == "" {
			require.Equal(t, test.AfterDays, kept.AfterDays)
		}
	}
}

// FuzzSchedule looks for an expression that panics, takes forever or is let
// through although no field of it is what it has to be.
func FuzzSchedule(f *testing.F) {
	for _, test := range schedules {
		f.Add(test.Expression, int8(test.Window/time.Hour))
	}
	f.Fuzz(func(t *testing.T, expression string, hours int8) {
		sc := sm.Schedule{Expression: expression, Window: time.Duration(hours) * time.Hour}
		if sc.Check() != nil || expression == "" {
			return
		}
		require.LessOrEqual(t, len(expression), 256)
		require.True(t, strings.HasPrefix(expression, "rate(") || strings.HasPrefix(expression, "cron("))
		require.Equal(t, len(expression)-1, strings.IndexByte(expression, ')'))
		if strings.HasPrefix(expression, "cron(") {
			fields := strings.Split(expression[len("cron("):len(expression)-1], " ")
			require.Len(t, fields, 6)
			require.Equal(t, 1, strings.Count(fields[2]+fields[4], "?"))
		}
	})
}
