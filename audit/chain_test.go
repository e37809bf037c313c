package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/audit"
	"github.com/c0629bfc/secrets/provider"
)

var chainKey = bytes.Repeat([]byte("k"), audit.MinKey)

// sample is a chain of n events.
func sample(t testing.TB, n int, key []byte) (text []byte, last audit.Checkpoint) {
	var out bytes.Buffer
	chain, err := audit.NewChain(&out, key, audit.Checkpoint{})
	require.NoError(t, err)
	write(t, chain, n)
	return out.Bytes(), chain.Checkpoint()
}

func write(t testing.TB, sink audit.Sink, n int) {
	for i := range n {
		require.NoError(t, sink.Write(audit.Event{Time: time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC), Action: audit.ActionRead,
			Ref: "sm://prod/db#password", Version: "3f8a", Source: "cache", Outcome: "ok", Principal: fmt.Sprint("user-", i), RequestID: "7d1c"}))
	}
}

func verify(text []byte, want audit.Expected) (audit.Verified, *audit.ChainError, error) {
	v, err := audit.Verify(bytes.NewReader(text), want)
	e, _ := errors.AsType[*audit.ChainError](err)
	return v, e, err
}

func TestAWholeChainVerifies(t *testing.T) {
	for _, key := range [][]byte{nil, chainKey} {
		text, last := sample(t, 100, key)
		v, err := audit.Verify(bytes.NewReader(text), audit.Expected{Key: key, Last: last})
		require.NoError(t, err)
		require.Equal(t, audit.Verified{Lines: 100, Bytes: int64(len(text)), Last: last}, v)
		require.EqualValues(t, 100, last.N)
	}
	v, err := audit.Verify(strings.NewReader(""), audit.Expected{})
	require.NoError(t, err, "an empty file is a chain without lines")
	require.Zero(t, v)
}

// The promise is about every byte: each is replaced by every other value it can
// have, removed, and preceded by another.
func TestEverySingleByteChangeIsDetected(t *testing.T) {
	const lines = 3
	for _, key := range [][]byte{nil, chainKey} {
		text, last := sample(t, lines, key)
		lineOf := func(at int) int { return 1 + bytes.Count(text[:at], []byte("\n")) }
		// Verifying from the line that was changed is what verifying from the
		// start comes to once the lines before it have passed.
		starts, afters := []int{0}, []audit.Checkpoint{{}}
		for i := range lines - 1 {
			end := starts[i] + bytes.IndexByte(text[starts[i]:], '\n') + 1
			v, err := audit.Verify(bytes.NewReader(text[:end]), audit.Expected{Key: key})
			require.NoError(t, err)
			starts, afters = append(starts, end), append(afters, v.Last)
		}
		check := func(what string, at int, changed []byte) {
			n := lineOf(at)
			v, e, err := verify(changed[starts[n-1]:], audit.Expected{Key: key, After: afters[n-1], Last: last})
			if err == nil || e == nil {
				t.Fatalf("byte %d %s: not detected", at, what)
			}
			if e.Line != 1 || v.Lines != 0 {
				t.Fatalf("byte %d %s: line %d is blamed, %d are in order", at, what, e.Line+n-1, v.Lines+n-1)
			}
		}
		changed := make([]byte, len(text), len(text)+1)
		for at := range text {
			copy(changed, text)
			for by := 1; by < 256; by++ {
				changed[at] = text[at] ^ byte(by)
				check("replaced", at, changed)
			}
			check("removed", at, append(bytes.Clone(text[:at]), text[at+1:]...))
			for _, b := range []byte("\n 0a\x00\"") {
				if b != text[at] { // else it is the same text as b after it
					check("preceded", at, append(append(bytes.Clone(text[:at]), b), text[at:]...))
				}
			}
		}
		for b := range 256 {
			_, e, _ := verify(append(bytes.Clone(text), byte(b)), audit.Expected{Key: key, Last: last})
			require.NotNil(t, e, "byte %d at the end", b)
			require.Equal(t, lines+1, e.Line)
		}
		// From the start, too, one change of each byte.
		for at := range text {
			copy(changed, text)
			changed[at] ^= 1
			_, e, _ := verify(changed, audit.Expected{Key: key, Last: last})
			require.NotNil(t, e)
			require.Equal(t, lineOf(at), e.Line)
		}
	}
}

func TestWhatHappenedToLinesIsTold(t *testing.T) {
	text, last := sample(t, 5, nil)
	lines := bytes.SplitAfter(text, []byte("\n"))[:5]
	for _, test := range []struct {
		name  string
		lines []int
		kind  error
		line  int
		last  bool
	}{
		{"as it was", []int{0, 1, 2, 3, 4}, nil, 0, true},
		{"one removed", []int{0, 1, 3, 4}, audit.ErrMissing, 3, false},
		{"the first removed", []int{1, 2, 3, 4}, audit.ErrMissing, 1, false},
		{"two swapped", []int{0, 2, 1, 3, 4}, audit.ErrReordered, 2, false},
		{"one moved to the end", []int{0, 2, 3, 4, 1}, audit.ErrReordered, 2, false},
		{"one moved up", []int{0, 4, 1, 2, 3}, audit.ErrReordered, 2, false},
		{"one repeated", []int{0, 1, 1, 2, 3, 4}, audit.ErrReordered, 3, false},
		{"the first repeated at the end", []int{0, 1, 2, 3, 4, 0}, audit.ErrReordered, 6, false},
		{"the last two removed, seen by the checkpoint", []int{0, 1, 2}, audit.ErrTruncated, 4, true},
		{"the last two removed, not seen without", []int{0, 1, 2}, nil, 0, false},
		{"all removed, seen by the checkpoint", nil, audit.ErrTruncated, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var changed []byte
			for _, i := range test.lines {
				changed = append(changed, lines[i]...)
			}
			var want audit.Expected
			if test.last {
				want.Last = last
			}
			v, e, err := verify(changed, want)
			if test.kind == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.kind)
			require.Equal(t, test.line, e.Line, err)
			require.Equal(t, test.line-1, v.Lines)
			_, _, err = verify(changed[:v.Bytes], audit.Expected{Last: v.Last})
			require.NoError(t, err, "what is in order verifies")
		})
	}
}

func TestATornLastLineIsTruncatedAndTheChainCanGoOn(t *testing.T) {
	text, _ := sample(t, 3, nil)
	for cut := bytes.LastIndexByte(text[:len(text)-1], '\n') + 2; cut < len(text); cut++ {
		v, e, err := verify(text[:cut], audit.Expected{})
		require.ErrorIs(t, err, audit.ErrTruncated)
		require.Equal(t, 3, e.Line)
		require.Equal(t, 2, v.Lines)
	}
	v, _, _ := verify(text[:len(text)-5], audit.Expected{})
	file := bytes.NewBuffer(bytes.Clone(text[:v.Bytes]))
	chain, err := audit.NewChain(file, nil, v.Last)
	require.NoError(t, err)
	write(t, chain, 2)
	v, _, err = verify(file.Bytes(), audit.Expected{Last: chain.Checkpoint()})
	require.NoError(t, err)
	require.Equal(t, 4, v.Lines)
}

func TestAChainRunsOnThroughRestartsAndFiles(t *testing.T) {
	first, checkpoint := sample(t, 10, chainKey)
	parsed, err := audit.ParseCheckpoint(checkpoint.String()) // as it was kept
	require.NoError(t, err)
	var second bytes.Buffer
	chain, err := audit.NewChain(&second, chainKey, parsed)
	require.NoError(t, err)
	write(t, chain, 10)

	want := audit.Expected{Key: chainKey, Last: chain.Checkpoint()}
	v, err := audit.Verify(io.MultiReader(bytes.NewReader(first), bytes.NewReader(second.Bytes())), want)
	require.NoError(t, err)
	require.Equal(t, 20, v.Lines)
	want.After = checkpoint
	v, err = audit.Verify(bytes.NewReader(second.Bytes()), want)
	require.NoError(t, err, "the second file alone, by the checkpoint")
	require.Equal(t, 10, v.Lines)

	_, err = audit.Verify(bytes.NewReader(second.Bytes()), audit.Expected{Key: chainKey})
	require.ErrorIs(t, err, audit.ErrMissing, "without what came before")
	want.After.Hash = strings.Repeat("0", 64)
	_, err = audit.Verify(bytes.NewReader(second.Bytes()), want)
	require.ErrorIs(t, err, audit.ErrAltered, "after another chain")
	require.ErrorContains(t, err, "checkpoint")
}

func TestWithoutTheKeyNobodyForgesWhatACheckpointDoesNotCover(t *testing.T) {
	// Without a key the whole chain can be written anew: only the checkpoint
	// shows it.
	_, last := sample(t, 3, nil)
	var forged bytes.Buffer
	chain, err := audit.NewChain(&forged, nil, audit.Checkpoint{})
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, chain.Write(audit.Event{Ref: "sm://harmless"}))
	}
	_, err = audit.Verify(bytes.NewReader(forged.Bytes()), audit.Expected{})
	require.NoError(t, err, "as documented")
	_, err = audit.Verify(bytes.NewReader(forged.Bytes()), audit.Expected{Last: last})
	require.ErrorIs(t, err, audit.ErrAltered)
	// With a key it cannot be.
	for _, key := range [][]byte{nil, bytes.Repeat([]byte("x"), audit.MinKey)} {
		text, _ := sample(t, 3, key)
		_, err = audit.Verify(bytes.NewReader(text), audit.Expected{Key: chainKey})
		require.ErrorIs(t, err, audit.ErrAltered)
		require.ErrorContains(t, err, "key")
	}
}

func TestARewrittenLineShowsByTheLineAfter(t *testing.T) {
	text, _ := sample(t, 3, nil)
	lines := bytes.SplitAfter(text, []byte("\n"))
	first, err := audit.Verify(bytes.NewReader(lines[0]), audit.Expected{})
	require.NoError(t, err)
	var out bytes.Buffer
	chain, err := audit.NewChain(&out, nil, first.Last)
	require.NoError(t, err)
	require.NoError(t, chain.Write(audit.Event{Ref: "sm://harmless"}))
	_, e, err := verify(bytes.Join([][]byte{lines[0], out.Bytes(), lines[2]}, nil), audit.Expected{})
	require.ErrorIs(t, err, audit.ErrAltered)
	require.Equal(t, 3, e.Line)
}

// halting writes only the first bytes of some lines.
type halting struct {
	bytes.Buffer
	left int
}

func (h *halting) Write(b []byte) (int, error) {
	if h.left >= 0 && len(b) > h.left {
		n, _ := h.Buffer.Write(b[:h.left])
		return n, errSink
	}
	return h.Buffer.Write(b)
}

func TestALineThatCannotBeWrittenTakesNoNumber(t *testing.T) {
	w := &halting{left: 0}
	chain, err := audit.NewChain(w, nil, audit.Checkpoint{})
	require.NoError(t, err)
	require.ErrorIs(t, chain.Write(audit.Event{Ref: "sm://a"}), errSink)
	require.Zero(t, chain.Checkpoint())
	w.left = -1
	write(t, chain, 2)
	_, _, err = verify(w.Bytes(), audit.Expected{Last: chain.Checkpoint()})
	require.NoError(t, err)

	w.left = 20 // a line breaks off: it shows, and the next one is whole
	require.ErrorIs(t, chain.Write(audit.Event{Ref: "sm://a"}), errSink)
	w.left = -1
	write(t, chain, 1)
	require.EqualValues(t, 3, chain.Checkpoint().N)
	v, e, err := verify(w.Bytes(), audit.Expected{})
	require.ErrorIs(t, err, audit.ErrAltered)
	require.Equal(t, 3, e.Line)
	_, _, err = verify(w.Bytes()[bytes.LastIndexByte(w.Bytes()[:w.Len()-1], '\n')+1:], audit.Expected{After: v.Last, Last: chain.Checkpoint()})
	require.NoError(t, err)
}

func TestKeysAndCheckpointsAreChecked(t *testing.T) {
	_, err := audit.NewChain(io.Discard, []byte("short"), audit.Checkpoint{})
	require.ErrorContains(t, err, "32")
	require.NotContains(t, err.Error(), "short")
	_, err = audit.Verify(strings.NewReader(""), audit.Expected{Key: []byte("short")})
	require.Error(t, err)
	_, last := sample(t, 1, nil)
	for _, bad := range []audit.Checkpoint{{N: 1}, {Hash: last.Hash}, {N: 1, Hash: strings.ToUpper(last.Hash)}, {N: 1, Hash: last.Hash + "0"}} {
		_, err := audit.NewChain(io.Discard, nil, bad)
		require.Error(t, err)
		_, err = audit.Verify(strings.NewReader(""), audit.Expected{Last: bad})
		require.Error(t, err)
	}
	for _, bad := range []string{"", "1", ":", "0:", "01:" + last.Hash, "1:" + last.Hash[1:], "x:" + last.Hash} {
		_, err := audit.ParseCheckpoint(bad)
		require.Error(t, err, bad)
	}
	zero, err := audit.ParseCheckpoint("0")
	require.NoError(t, err)
	require.Zero(t, zero)
}

func TestALineOfAnyLengthIsReadInBoundedMemory(t *testing.T) {
	text, last := sample(t, 1, nil)
	_, err := audit.Verify(io.MultiReader(bytes.NewReader(text), io.LimitReader(endless{}, 1<<24)), audit.Expected{})
	require.ErrorIs(t, err, audit.ErrAltered)

	// The longest event: every byte of its ref is escaped.
	var out bytes.Buffer
	chain, err := audit.NewChain(&out, nil, last)
	require.NoError(t, err)
	ctx := audit.WithPurpose(audit.WithPrincipal(context.Background(), strings.Repeat("\x01", 10_000)), strings.Repeat("\x01", 10_000))
	audit.New(chain).Read(ctx, secrets.Read{Ref: strings.Repeat("\x01", 4096), Version: provider.NewVersion(strings.Repeat("v", 64), time.Time{})})
	_, err = audit.Verify(io.MultiReader(bytes.NewReader(text), &out), audit.Expected{Last: chain.Checkpoint()})
	require.NoError(t, err)
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return copy(b, strings.Repeat("x", len(b))), nil }

func TestTheReadersErrorIsNoFinding(t *testing.T) {
	text, _ := sample(t, 1, nil)
	v, e, err := verifyReader(io.MultiReader(bytes.NewReader(text), broken{}))
	require.ErrorIs(t, err, errSink)
	require.Nil(t, e)
	require.Equal(t, 1, v.Lines)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errSink }

func verifyReader(r io.Reader) (audit.Verified, *audit.ChainError, error) {
	v, err := audit.Verify(r, audit.Expected{})
	e, _ := errors.AsType[*audit.ChainError](err)
	return v, e, err
}

// FuzzVerify looks for a text that verifies as a chain that was never written,
// and for a verifier that panics or miscounts.
func FuzzVerify(f *testing.F) {
	text, last := sample(f, 3, chainKey)
	f.Add(text)
	lines := bytes.SplitAfter(text, []byte("\n"))
	f.Add(bytes.Join([][]byte{lines[1], lines[0]}, nil))
	f.Add(bytes.Join([][]byte{lines[0], lines[2]}, nil))
	f.Add([]byte(`{"n":1,"prev":"","hash":"` + strings.Repeat("0", 64) + "\"}\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, changed []byte) {
		v, err := audit.Verify(bytes.NewReader(changed), audit.Expected{Key: chainKey})
		require.LessOrEqual(t, v.Bytes, int64(len(changed)))
		require.True(t, bytes.HasPrefix(text, changed[:v.Bytes]), "what verifies is what was written")
		require.Equal(t, v.Lines, bytes.Count(changed[:v.Bytes], []byte("\n")))
		require.EqualValues(t, v.Lines, v.Last.N)
		if err == nil {
			require.Len(t, changed, int(v.Bytes))
		} else {
			require.ErrorContains(t, err, fmt.Sprintf("line %d ", v.Lines+1))
		}
		if !bytes.HasPrefix(changed, text) {
			_, err = audit.Verify(bytes.NewReader(changed), audit.Expected{Key: chainKey, Last: last})
			require.Error(t, err)
		}
	})
}
