package secretstest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

func TestRotationRulesAreChecked(t *testing.T) {
	_, sm, _ := rotating(t)
	const bad = "Invalid schedule expression."
	for name, tt := range map[string]struct{ expression, duration, code, message string }{
		"rate of 3 hours":            {"rate(3 hours)", "", "InvalidParameterException", "Rate in hour should be least 4 and less than 24."},
		"rate of 24 hours":           {"rate(24 hours)", "", "InvalidParameterException", "Rate in hour should be least 4 and less than 24."},
		"rate of no days":            {"rate(0 days)", "", "InvalidParameterException", "Rate in day should be greater than 0 and less than 1000."},
		"rate of 1000 days":          {"rate(1000 days)", "", "InvalidParameterException", "Rate in day should be greater than 0 and less than 1000."},
		"rate in minutes":            {"rate(300 minutes)", "", "InvalidParameterException", bad},
		"rate in weeks":              {"rate(1 week)", "", "InvalidParameterException", bad},
		"rate without a space":       {"rate(1day)", "", "InvalidParameterException", bad},
		"no parenthesis":             {"cron(0 8 * * ? *", "", "InvalidParameterException", bad},
		"five fields":                {"cron(0 8 * * ?)", "", "InvalidParameterException", bad},
		"minutes":                    {"cron(30 8 * * ? *)", "", "InvalidParameterException", bad},
		"year":                       {"cron(0 8 * * ? 2030)", "", "InvalidParameterException", bad},
		"two days":                   {"cron(0 8 1 * MON *)", "", "InvalidParameterException", bad},
		"no day":                     {"cron(0 8 ? * ? *)", "", "InvalidParameterException", bad},
		"hour 24":                    {"cron(0 24 * * ? *)", "", "InvalidParameterException", bad},
		"every hour":                 {"cron(0 * * * ? *)", "", "InvalidParameterException", bad},
		"every three hours":          {"cron(0 0/3 * * ? *)", "", "InvalidParameterException", bad},
		"three hours apart":          {"cron(0 8,11 * * ? *)", "", "InvalidParameterException", bad},
		"month 13":                   {"cron(0 8 1 13 ? *)", "", "InvalidParameterException", bad},
		"day 32":                     {"cron(0 8 32 * ? *)", "", "InvalidParameterException", bad},
		"weekday 8":                  {"cron(0 8 ? * 8 *)", "", "InvalidParameterException", bad},
		"sixth Monday":               {"cron(0 8 ? * 2#6 *)", "", "InvalidParameterException", bad},
		"a day that never is":        {"cron(0 8 30 2 ? *)", "", "InvalidParameterException", bad},
		"range backwards":            {"cron(0 8 9-3 * ? *)", "", "InvalidParameterException", bad},
		"character":                  {"rate(1 day);", "", "ValidationException", ""},
		"too long":                   {"rate(1 day)" + strings.Repeat(" ", 246), "", "ValidationException", ""},
		"duration of no hours":       {"rate(1 day)", "0h", "InvalidParameterException", "Duration must be at least 1 hour, at most 24 hour."},
		"duration of 25 hours":       {"rate(1 day)", "25h", "InvalidParameterException", "Duration must be at least 1 hour, at most 24 hour."},
		"duration in minutes":        {"rate(1 day)", "90m", "ValidationException", ""},
		"duration too long":          {"rate(1 day)", "100h", "ValidationException", ""},
		"duration too short":         {"rate(1 day)", "h", "ValidationException", ""},
		"duration above the rate":    {"rate(4 hours)", "5h", "InvalidParameterException", "Duration cannot be greater than Rate in hour."},
		"duration above the hours":   {"cron(0 2,8 * * ? *)", "7h", "InvalidParameterException", "Duration cannot be greater than Rate in hour."},
		"duration past midnight":     {"cron(0 20 * * ? *)", "5h", "InvalidParameterException", "Starting hour and duration must be within a day."},
		"duration without a rate":    {"", "5h", "InvalidParameterException", ""},
		"days and schedule together": {"rate(1 day)", "days", "InvalidParameterException", "You cannot specify both rotation frequency and schedule expression together."},
	} {
		t.Run(name, func(t *testing.T) {
			change := scheduled(tt.expression, tt.duration)
			if tt.duration == "days" {
				change = func(in *secretsmanager.RotateSecretInput) {
					everyDays(1)(in)
					in.RotationRules.ScheduleExpression = &tt.expression
				}
			}
			_, err := rotate(t, sm, change)
			requireCode(t, err, tt.code)
			if tt.message != "" {
				requireCode(t, err, tt.code, tt.message)
			}
			require.Nil(t, describe(t, sm, "a").RotationEnabled)
		})
	}
	for days, code := range map[int64]string{0: "ValidationException", 1001: "ValidationException"} {
		_, err := rotate(t, sm, everyDays(days))
		requireCode(t, err, code)
	}
}

// Each schedule is set at 10:30 on Saturday, the first of January 2000, in a
// synctest bubble, and its next two windows are watched.
func TestRotationWindows(t *testing.T) {
	for name, tt := range map[string]struct {
		expression, duration string
		opens, closes, then  string
	}{
		"four hours":            {"rate(4 hours)", "", "01-01 12:00", "01-01 12:59", "01-01 16:00"},
		"23 hours":              {"rate(23 hours)", "23h", "01-01 23:00", "01-02 21:59", "01-02 22:00"},
		"one day":               {"rate(1 day)", "", "01-02 00:00", "01-02 23:59", "01-03 00:00"},
		"ten days":              {"rate(10 days)", "2h", "01-11 00:00", "01-11 01:59", "01-21 00:00"},
		"999 days":              {"rate(999 days)", "24h", "09-26 00:00", "09-26 23:59", "06-21 00:00"},
		"each day at eight":     {"cron(0 8 * * ? *)", "", "01-02 08:00", "01-02 23:59", "01-03 08:00"},
		"later the same day":    {"cron(0 20 * * ? *)", "4h", "01-01 20:00", "01-01 23:59", "01-02 20:00"},
		"hours of a day":        {"cron(0 4/12 * * ? *)", "", "01-01 16:00", "01-01 16:59", "01-02 04:00"},
		"first of the month":    {"cron(0 8 1 * ? *)", "1h", "02-01 08:00", "02-01 08:59", "03-01 08:00"},
		"last of the month":     {"cron(0 8 L * ? *)", "", "01-31 08:00", "01-31 23:59", "02-29 08:00"},
		"Sundays":               {"cron(0 12 ? * SUN *)", "", "01-02 12:00", "01-02 23:59", "01-09 12:00"},
		"weekdays":              {"cron(0 6 ? * MON-FRI *)", "", "01-03 06:00", "01-03 23:59", "01-04 06:00"},
		"Saturday by L":         {"cron(0 12 ? * L *)", "", "01-01 12:00", "01-01 23:59", "01-08 12:00"},
		"last Friday":           {"cron(0 8 ? * 6L *)", "", "01-28 08:00", "01-28 23:59", "02-25 08:00"},
		"second Tuesday":        {"cron(0 10 ? FEB,MAY TUE#2 *)", "", "02-08 10:00", "02-08 23:59", "05-09 10:00"},
		"every third month":     {"cron(0 0 15 1/3 ? *)", "", "01-15 00:00", "01-15 23:59", "04-15 00:00"},
		"days in steps":         {"cron(0 1 2/10 * ? *)", "", "01-02 01:00", "01-02 23:59", "01-12 01:00"},
		"leap day":              {"cron(0 1 29 2 ? *)", "", "02-29 01:00", "02-29 23:59", "02-29 01:00"},
		"lower case":            {"cron(0 1 ? jan mon *)", "", "01-03 01:00", "01-03 23:59", "01-10 01:00"},
		"weekdays by number":    {"cron(0 6 ? * 2,4 *)", "", "01-03 06:00", "01-03 23:59", "01-05 06:00"},
		"days of a list":        {"cron(0 6 5,3 * ? *)", "", "01-03 06:00", "01-03 23:59", "01-05 06:00"},
		"shortest of the hours": {"cron(0 0,4 * * ? *)", "4h", "01-02 00:00", "01-02 03:59", "01-02 04:00"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, sm, f := rotating(t, secretstest.InProcess())
				time.Sleep(10*time.Hour + 30*time.Minute)
				_, err := rotate(t, sm, scheduled(tt.expression, tt.duration), later)
				require.NoError(t, err)
				require.NoError(t, srv.WaitRotations(t.Context()))
				f.steps()
				const layout = "01-02 15:04"
				var rotated []time.Time
				closes := *describe(t, sm, "a").NextRotationDate
				for range 2 {
					for len(f.steps()) == 0 {
						time.Sleep(time.Hour)
						synctest.Wait()
					}
					require.NoError(t, srv.WaitRotations(t.Context()))
					rotated = append(rotated, describe(t, sm, "a").LastRotatedDate.UTC())
				}
				require.Equal(t, tt.opens, rotated[0].Format(layout))
				require.Equal(t, tt.closes, closes.UTC().Format(layout))
				require.Equal(t, 59, closes.Second())
				require.Equal(t, tt.then, rotated[1].Format(layout))
			})
		})
	}
}
