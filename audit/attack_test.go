package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/audit"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// Other bytes for the same JSON are another line: a chain is of bytes.
func TestOtherSpellingsOfALineAreDetected(t *testing.T) {
	text, last := sample(t, 3, chainKey)
	lines := bytes.SplitAfter(text, []byte("\n"))[:3]
	for name, respell := range map[string]func(string) string{
		"CRLF":                  func(s string) string { return strings.TrimSuffix(s, "\n") + "\r\n" },
		"CR":                    func(s string) string { return strings.TrimSuffix(s, "\n") + "\r" },
		"a space before":        func(s string) string { return " " + s },
		"a space after":         func(s string) string { return strings.TrimSuffix(s, "\n") + " \n" },
		"a space inside":        func(s string) string { return strings.Replace(s, `,"time":`, `, "time":`, 1) },
		"a byte order mark":     func(s string) string { return "\ufeff" + s },
		"an empty line before":  func(s string) string { return "\n" + s },
		"an escaped letter":     func(s string) string { return strings.Replace(s, `"ok"`, `"\u006fk"`, 1) },
		"an escaped slash":      func(s string) string { return strings.Replace(s, `sm://`, `sm:\/\/`, 1) },
		"an escaped name":       func(s string) string { return strings.Replace(s, `"ref"`, `"\u0072ef"`, 1) },
		"a member twice":        func(s string) string { return strings.Replace(s, `,"hash":`, `,"outcome":"ok","hash":`, 1) },
		"a number twice":        func(s string) string { return strings.Replace(s, `{"n":2`, `{"n":2,"n":2`, 1) },
		"a hash twice":          func(s string) string { return strings.Replace(s, `,"hash":`, `,"hash":"","hash":`, 1) },
		"another after the end": func(s string) string { return strings.TrimSuffix(s, "\n") + "{}\n" },
		"2.0":                   func(s string) string { return strings.Replace(s, `{"n":2`, `{"n":2.0`, 1) },
		"02":                    func(s string) string { return strings.Replace(s, `{"n":2`, `{"n":02`, 1) },
		"+2":                    func(s string) string { return strings.Replace(s, `{"n":2`, `{"n":+2`, 1) },
		"2e0":                   func(s string) string { return strings.Replace(s, `{"n":2`, `{"n":2e0`, 1) },
		"capital hexadecimal": func(s string) string {
			at := len(s) - len("\"}\n") - 64
			return s[:at] + strings.ToUpper(s[at:])
		},
		"sorted members": func(s string) string {
			return strings.Replace(s, `"source":"cache","outcome":"ok"`, `"outcome":"ok","source":"cache"`, 1)
		},
	} {
		changed := respell(string(lines[1]))
		require.NotEqual(t, string(lines[1]), changed, name)
		v, e, _ := verify([]byte(string(lines[0])+changed+string(lines[2])), audit.Expected{Key: chainKey, Last: last})
		require.NotNil(t, e, name)
		require.Equal(t, 2, e.Line, name)
		require.Equal(t, 1, v.Lines, name)
	}
}

// A number has one spelling also where there is no key and the line is hashed
// anew.
func TestANumberHasOneSpelling(t *testing.T) {
	var out bytes.Buffer
	chain, err := audit.NewChain(&out, nil, audit.Checkpoint{})
	require.NoError(t, err)
	write(t, chain, 1)
	body, _, _ := strings.Cut(out.String(), `,"hash":`)
	for _, number := range []string{"01", "+1", " 1", "1 ", "1.0", "1_", "0x1"} {
		spelled := strings.Replace(body, `{"n":1`, `{"n":`+number, 1)
		_, e, _ := verify([]byte(rehashed(spelled)), audit.Expected{})
		require.NotNil(t, e, number)
	}
	_, _, err = verify([]byte(rehashed(body)), audit.Expected{})
	require.NoError(t, err)
}

// An empty key is a mistake, such as that of a variable which is not set, and
// not a wish for a chain without a key.
func TestAnEmptyKeyIsRefused(t *testing.T) {
	_, err := audit.NewChain(io.Discard, []byte{}, audit.Checkpoint{})
	require.ErrorContains(t, err, "0 bytes")
	_, err = audit.Verify(strings.NewReader(""), audit.Expected{Key: []byte{}})
	require.ErrorContains(t, err, "0 bytes")
}

func TestCheckpointsThatContradictEachOtherAreNoChain(t *testing.T) {
	_, one := sample(t, 3, nil)
	_, other := sample(t, 3, chainKey)
	_, e, _ := verify(nil, audit.Expected{After: one, Last: other})
	require.NotNil(t, e)
	require.ErrorIs(t, e.Kind, audit.ErrAltered)
	_, _, err := verify(nil, audit.Expected{After: one, Last: one})
	require.NoError(t, err)
}

// Whatever is written verifies.
func TestALineThatNoVerifierWouldReadIsNotWritten(t *testing.T) {
	var out bytes.Buffer
	chain, err := audit.NewChain(&out, nil, audit.Checkpoint{})
	require.NoError(t, err)
	require.ErrorContains(t, chain.Write(audit.Event{Ref: strings.Repeat("x", 1<<20)}), "longer")
	require.Zero(t, out.Len())
	write(t, chain, 1)
	_, err = audit.Verify(&out, audit.Expected{Last: chain.Checkpoint()})
	require.NoError(t, err)
}

// What a writer calls a ref may be anything, and need not be one.
func TestWhatIsNoRefDoesNotFloodTheTrail(t *testing.T) {
	srv := secretstest.NewServer(t)
	sink := new(trail)
	c := open(t, srv, audit.New(sink))
	_, err := c.Put(t.Context(), strings.Repeat("é", 1<<20), "x")
	require.ErrorIs(t, err, provider.ErrInvalidRef)
	require.ErrorIs(t, c.Delete(t.Context(), "x"+strings.Repeat("é", 1<<20)), provider.ErrInvalidRef)
	events := sink.take()
	require.Len(t, events, 2)
	for _, e := range events {
		require.Equal(t, "invalid ref", e.Outcome)
		require.LessOrEqual(t, len(e.Ref), 4096)
		require.True(t, utf8.ValidString(e.Ref))
	}
}

func TestPrincipalsHaveAtMost256Bytes(t *testing.T) {
	for _, who := range []string{strings.Repeat("x", 255) + "é", strings.Repeat("\xffa", 1000), strings.Repeat("é", 1000), "x" + strings.Repeat("é", 1000)} {
		got := audit.Principal(audit.WithPrincipal(t.Context(), who))
		require.LessOrEqual(t, len(got), 256)
		require.Greater(t, len(got), 250)
		require.True(t, utf8.ValidString(got))
	}
	require.NotEqual(t, "admin", audit.Principal(audit.WithPrincipal(t.Context(), "ad\xffmin")))
}

func TestAnyNumberCanBeSampled(t *testing.T) {
	two := uint64(1) << 32
	for _, n := range []int{math.MaxInt, int(two), math.MinInt} {
		o := audit.New(new(trail), audit.Sample(n))
		for range 100 {
			o.Read(context.Background(), secrets.Read{Ref: "sm://a", Source: secrets.SourceCache, Version: provider.NewVersion("1", time.Time{})})
		}
	}
}

// rehashed ends a line of a chain without a key.
func rehashed(body string) string {
	return fmt.Sprintf("%s,\"hash\":\"%x\"}\n", body, sha256.Sum256([]byte(body)))
}
