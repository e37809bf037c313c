package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"sync"
)

// A line of a chain is an event's JSON between what ties it to the line before:
//
//	{"n":7,"prev":"<hash of line 6>","time":…,"hash":"<hash>"}
//
// The hash is that of the line up to `,"hash":`, in lower-case hexadecimal.
const (
	lineHead = `{"n":`
	lineMid  = `,"prev":"`
	lineTail = `,"hash":"`
	lineEnd  = "\"}\n"
	hexLen   = 2 * sha256.Size
)

// MinKey is how many bytes the key of a chain has at least.
const MinKey = 32

// Chain is a sink that writes lines of JSON of which each holds the number and
// the hash of the one before it. [Verify] finds the first line that was altered,
// removed, repeated or moved.
//
// Without a key the hash is SHA-256: whoever can rewrite the file from some line
// to its end can compute all hashes anew. With a key it is HMAC-SHA-256, which
// takes the key to compute; the process that writes has it, so this protects
// what it wrote before somebody took it over only if checkpoints are kept where
// that one cannot write. No chain shows by itself that lines are missing at its
// end: for that, too, keep a [Checkpoint].
type Chain struct {
	mu   sync.Mutex
	w    io.Writer
	hash hash.Hash
	last Checkpoint
	torn bool // the last line was written in part
	buf  []byte
}

// NewChain returns a chain that goes on after a checkpoint: the zero one for a
// new chain, that of [Chain.Checkpoint] or [Verify] after a restart, whether in
// the same file or a new one. Each line is one Write, so w may change files
// between lines; the chain runs on through them.
//
// A key of less than [MinKey] bytes is an error, an empty one too; nil is no key.
func NewChain(w io.Writer, key []byte, after Checkpoint) (*Chain, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if !after.valid() {
		return nil, errors.New("audit: the checkpoint to go on from is not one of a chain")
	}
	return &Chain{w: w, hash: newHash(key), last: after}, nil
}

// Write implements [Sink]. A line that cannot be written is not part of the
// chain, and the next event takes its number. What was written of it stays where
// it is, as a line that Verify reports. An event that takes more than a mebibyte
// is not written; those of a client have some kilobytes at most.
func (c *Chain) Write(e Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf = c.buf[:0]
	if c.torn {
		c.buf = append(c.buf, '\n')
	}
	start := len(c.buf)
	c.buf = append(c.buf, lineHead...)
	c.buf = strconv.AppendUint(c.buf, c.last.N+1, 10)
	c.buf = append(c.buf, lineMid...)
	c.buf = append(c.buf, c.last.Hash...)
	c.buf = append(c.buf, '"')
	comma := len(c.buf)
	c.buf = appendEvent(c.buf, e)
	c.buf[comma] = ','           // instead of {
	c.buf = c.buf[:len(c.buf)-1] // without }
	sum := sumOf(c.hash, c.buf[start:])
	c.buf = append(c.buf, lineTail...)
	c.buf = append(c.buf, sum...)
	c.buf = append(c.buf, lineEnd...)
	if len(c.buf)-start > maxLine {
		c.buf = nil
		return fmt.Errorf("audit: the event is longer than a line may be, %d bytes", maxLine)
	}
	n, err := c.w.Write(c.buf)
	if err != nil {
		c.torn = n > 0 || c.torn
		return err
	}
	c.torn = false
	c.last = Checkpoint{c.last.N + 1, sum}
	return nil
}

// Checkpoint returns the last line that was written.
func (c *Chain) Checkpoint() Checkpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Checkpoint names a line of a chain: its number, counted from 1, and its hash,
// which all lines up to it went into. The zero Checkpoint is before the first.
type Checkpoint struct {
	N    uint64
	Hash string // in hexadecimal
}

// String returns the checkpoint as [ParseCheckpoint] reads it: "0", or the number
// and the hash with a colon between.
func (c Checkpoint) String() string {
	if c == (Checkpoint{}) {
		return "0"
	}
	return strconv.FormatUint(c.N, 10) + ":" + c.Hash
}

// ParseCheckpoint reads what [Checkpoint.String] returned.
func ParseCheckpoint(s string) (Checkpoint, error) {
	number, sum, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(number, 10, 64)
	c := Checkpoint{n, sum}
	if err != nil || !c.valid() || c.String() != s {
		return Checkpoint{}, fmt.Errorf("audit: %q is no checkpoint: want a line's number, a colon and its hash", s)
	}
	return c, nil
}

func (c Checkpoint) valid() bool {
	if c.N == 0 {
		return c.Hash == ""
	}
	return isHex(c.Hash)
}

func isHex(s string) bool {
	return len(s) == hexLen && strings.Trim(s, "0123456789abcdef") == ""
}

func checkKey(key []byte) error {
	if key != nil && len(key) < MinKey {
		return fmt.Errorf("audit: the key has %d bytes: want at least %d, from crypto/rand", len(key), MinKey)
	}
	return nil
}

func newHash(key []byte) hash.Hash {
	if key == nil {
		return sha256.New()
	}
	return hmac.New(sha256.New, key)
}

func sumOf(h hash.Hash, b []byte) string {
	h.Reset()
	h.Write(b)
	var sum [sha256.Size]byte
	return hex.EncodeToString(h.Sum(sum[:0]))
}
