package audit

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
)

// What [Verify] finds wrong; test for it with [errors.Is].
var (
	// ErrAltered: a line is not what was written.
	ErrAltered = errors.New("altered")
	// ErrMissing: lines were removed.
	ErrMissing = errors.New("missing")
	// ErrReordered: a line is in the place of another, or a second time there.
	ErrReordered = errors.New("reordered")
	// ErrTruncated: the end is missing.
	ErrTruncated = errors.New("truncated")
)

// ChainError is the first thing that is wrong with a chain. It wraps one of
// [ErrAltered], [ErrMissing], [ErrReordered] and [ErrTruncated], and shows
// nothing of the line.
type ChainError struct {
	Line int    // of the input, counted from 1
	N    uint64 // the number that the line should have in the chain
	Kind error
	Hint string
}

// Error implements error.
func (e *ChainError) Error() string {
	return fmt.Sprintf("audit: line %d (number %d of the chain): %v: %s", e.Line, e.N, e.Kind, e.Hint)
}

// Unwrap returns the kind.
func (e *ChainError) Unwrap() error { return e.Kind }

// Expected is what [Verify] holds a chain against.
type Expected struct {
	Key []byte // of the chain; nil if it has none
	// After is the checkpoint that the first line follows: the zero one if the
	// input begins with the chain, that of the end of the file before if files
	// were rotated.
	After Checkpoint
	// Last is a checkpoint that the chain must reach; it may go on after it. One
	// that is before After is not looked for. The zero one leaves it open whether
	// lines are missing at the end, which nothing in a file can show.
	Last Checkpoint
}

// Verified is the part of the input that is in order, from its start.
type Verified struct {
	Lines int
	Bytes int64      // where the next line begins
	Last  Checkpoint // the last line; Expected.After if there is none
}

// maxLine is how many bytes a line may have: more than the longest event takes.
const maxLine = 1 << 20

// Verify reads a chain and reports the first line that is wrong, as a
// [ChainError], with what is in order before it. Several files that follow each
// other are one input by [io.MultiReader]. Any other error is the reader's, or
// that of a key that is too short.
//
// A process that was killed may leave its last line without its end. That is
// ErrTruncated; to go on, cut the file at Verified.Bytes and pass Verified.Last
// to [NewChain].
func Verify(r io.Reader, want Expected) (Verified, error) {
	if err := checkKey(want.Key); err != nil {
		return Verified{}, err
	}
	if !want.After.valid() || !want.Last.valid() {
		return Verified{}, errors.New("audit: what is expected is not a checkpoint of a chain")
	}
	v := verifier{lines: newLines(r), hash: newHash(want.Key), Verified: Verified{Last: want.After}}
	if want.After.N == want.Last.N && want.After != want.Last {
		return v.Verified, v.wrong(ErrAltered, "the two checkpoints that were given are not of one chain")
	}
	for {
		line, err := v.lines.next()
		switch {
		case err == io.EOF && len(line) == 0:
			return v.Verified, v.ended(want.Last)
		case err == io.EOF:
			return v.Verified, v.wrong(ErrTruncated, "the line has no end: its writer was stopped, or it was cut off")
		case err == errTooLong:
			return v.Verified, v.wrong(ErrAltered, "the line is longer than any event")
		case err != nil:
			return v.Verified, err
		}
		before := v.Verified
		if err := v.take(line); err != nil {
			return v.Verified, err
		}
		if v.Last.N == want.Last.N && v.Last != want.Last {
			v.Verified = before
			return before, v.wrong(ErrAltered, "its hash is not that of the checkpoint: it, or the chain before it, was written anew")
		}
		v.Bytes += int64(len(line))
	}
}

type verifier struct {
	lines *lines
	hash  hash.Hash
	Verified
}

func (v *verifier) wrong(kind error, format string, args ...any) error {
	return &ChainError{Line: v.Lines + 1, N: v.Last.N + 1, Kind: kind, Hint: fmt.Sprintf(format, args...)}
}

// take checks the next line.
func (v *verifier) take(line []byte) error {
	n, prev, sum, ok := v.parse(line)
	switch {
	case !ok && v.Lines == 0:
		return v.wrong(ErrAltered, "its hash is not that of what it says, or the key is another")
	case !ok:
		return v.wrong(ErrAltered, "its hash is not that of what it says")
	case n > v.Last.N+1:
		return v.gap(n)
	case n <= v.Last.N:
		return v.wrong(ErrReordered, "it is number %d, whose place is further up", n)
	case prev != v.Last.Hash && v.Lines == 0:
		return v.wrong(ErrAltered, "it does not follow the checkpoint that was given")
	case prev != v.Last.Hash:
		return v.wrong(ErrAltered, "it does not follow the line before: one of the two was written anew")
	}
	v.Last = Checkpoint{n, sum}
	v.Lines++
	return nil
}

// parse takes a line apart. It reports whether that is intact.
func (v *verifier) parse(line []byte) (n uint64, prev, sum string, ok bool) {
	at := len(line) - len(lineTail) - hexLen - len(lineEnd)
	if at < 0 || !bytes.HasPrefix(line[at:], []byte(lineTail)) || !bytes.HasSuffix(line, []byte(lineEnd)) {
		return 0, "", "", false
	}
	body := line[:at]
	sum = string(line[at+len(lineTail) : at+len(lineTail)+hexLen])
	if !hmac.Equal([]byte(sum), []byte(sumOf(v.hash, body))) {
		return 0, "", "", false
	}
	rest, ok := bytes.CutPrefix(body, []byte(lineHead))
	if !ok {
		return 0, "", "", false
	}
	number, rest, ok := bytes.Cut(rest, []byte(lineMid))
	if !ok {
		return 0, "", "", false
	}
	before, _, ok := bytes.Cut(rest, []byte(`"`))
	n, err := strconv.ParseUint(string(number), 10, 64)
	prev = string(before)
	ok = ok && err == nil && n > 0 && strconv.FormatUint(n, 10) == string(number) && (Checkpoint{n - 1, prev}).valid()
	return n, prev, sum, ok
}

// gap tells lines that were moved from lines that are gone.
func (v *verifier) gap(n uint64) error {
	want := v.Last.N + 1
	for at := v.Lines + 2; ; at++ {
		line, err := v.lines.next()
		if err != nil && err != errTooLong {
			break
		}
		if found, _, _, ok := v.parse(line); ok && found == want {
			return v.wrong(ErrReordered, "it is number %d, and number %d is in line %d", n, want, at)
		}
	}
	if v.Lines == 0 {
		return v.wrong(ErrMissing, "it is number %d: the lines before are missing, or in a file before this one", n)
	}
	return v.wrong(ErrMissing, "it is number %d: lines missing before it: %d", n, n-want)
}

// ended checks the end of the input.
func (v *verifier) ended(last Checkpoint) error {
	if v.Last.N < last.N {
		return v.wrong(ErrTruncated, "the chain ends here, and is known to have gone on to number %d", last.N)
	}
	return nil
}

// lines reads lines with their newlines.
type lines struct {
	r   *bufio.Reader
	buf []byte
}

var errTooLong = errors.New("the line is too long")

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReader(r)} }

// next returns the next line, which holds until the call after. At the end of
// the input it returns what is left, and io.EOF.
func (l *lines) next() ([]byte, error) {
	l.buf = l.buf[:0]
	tooLong := false
	for {
		part, err := l.r.ReadSlice('\n')
		if tooLong = tooLong || len(l.buf)+len(part) > maxLine; !tooLong {
			l.buf = append(l.buf, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
		case tooLong && (err == nil || err == io.EOF):
			return nil, errTooLong
		default:
			return l.buf, err
		}
	}
}
