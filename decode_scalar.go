package secrets

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"
)

// Of every value in this file, space and newlines at the ends are dropped: an
// editor, or echo without -n, leaves a newline. A binary value is an error,
// [provider.ErrNotText].

// Int decodes a whole number in decimal.
func Int(v Value) (int, error) {
	n, err := decodeInt(v, strconv.IntSize)
	return int(n), err
}

// Bool decodes true or false, and the other spellings of [strconv.ParseBool]:
// 1, t, T, TRUE, True, 0, f, F, FALSE, False.
func Bool(v Value) (bool, error) {
	text, err := decodeText(v)
	if err != nil {
		return false, err
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, decodeError(v, "want true or false")
	}
	return b, nil
}

// Float decodes a finite number.
func Float(v Value) (float64, error) { return decodeFloat(v, 64) }

// Duration decodes a duration as [time.ParseDuration] reads it, such as 90s or
// 1h30m. A bare number is an error, since it does not say of what.
func Duration(v Value) (time.Duration, error) {
	text, err := decodeText(v)
	if err != nil {
		return 0, err
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, decodeError(v, "want a duration with its unit, such as 90s or 1h30m")
	}
	return d, nil
}

// Time decodes a time in RFC 3339, such as 2026-07-01T12:00:00Z.
func Time(v Value) (time.Time, error) {
	text, err := decodeText(v)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, decodeError(v, "want a time in RFC 3339, such as 2026-07-01T12:00:00Z")
	}
	return t, nil
}

// URL decodes an absolute URL with a host or a rooted path: https://host/path,
// file:///path. What is not, such as host:port and jdbc:…, is for [Text]. A URL
// that holds a password prints it; see [url.URL.Redacted].
func URL(v Value) (*url.URL, error) {
	text, err := decodeText(v)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	if err != nil || !u.IsAbs() || u.Host == "" && (u.Path == "" || u.Path[0] != '/') {
		return nil, decodeError(v, "want an absolute URL, such as https://host/path")
	}
	return u, nil
}

func decodeInt(v Value, bits int) (int64, error) {
	return decodeNumber(v, bits, "a whole number, such as 42", func(s string) (int64, error) {
		return strconv.ParseInt(s, 10, bits)
	})
}

func decodeUint(v Value, bits int) (uint64, error) {
	return decodeNumber(v, bits, "a whole number that is not negative, such as 42", func(s string) (uint64, error) {
		return strconv.ParseUint(s, 10, bits)
	})
}

func decodeFloat(v Value, bits int) (float64, error) {
	return decodeNumber(v, bits, "a finite number, such as 0.5", func(s string) (float64, error) {
		x, err := strconv.ParseFloat(s, bits)
		if err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
			err = strconv.ErrSyntax
		}
		return x, err
	})
}

func decodeNumber[N int64 | uint64 | float64](v Value, bits int, want string, parse func(string) (N, error)) (N, error) {
	text, err := decodeText(v)
	if err != nil {
		return 0, err
	}
	n, err := parse(text)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, decodeError(v, fmt.Sprintf("the number does not fit in %d bits", bits))
	case err != nil:
		return 0, decodeError(v, "want "+want)
	}
	return n, nil
}
