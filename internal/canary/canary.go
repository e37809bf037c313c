// Package canary finds secrets where none belong. A test puts canaries, random
// texts, in the place of secrets, hands everything that was printed, logged or
// returned to a [Net], and fails if a piece of one is in it.
package canary

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// piece is how many characters of a canary in a row are a hit: few enough to
// find one that was cut short, and too many to be chance (40 bits).
const piece = 8

// Net catches text and knows the canaries. It is safe for concurrent use; the
// zero Net is ready.
type Net struct {
	mu      sync.Mutex
	needles map[uint64][]needle      // by their first eight bytes
	sieve   [1 << 16]bool            // of those, by the last two: to skip the rest fast
	caught  map[string]*bytes.Buffer // by where it is from
	known   map[string]bool          // texts that were caught already, with where
}

// needle is what to find, and what it is a piece of.
type needle struct{ text, name string }

// Secret returns a new canary, 26 letters and digits that are in no text by
// chance. Name is what a hit is reported as.
func (n *Net) Secret(name string) string {
	secret := rand.Text()
	n.Watch(name, secret)
	return secret
}

// Watch makes a text a canary that is not random as a whole, such as a key in
// PEM. All its pieces count, so what is common to other text must not be in it.
func (n *Net) Watch(name, secret string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := 0; i+piece <= len(secret); i++ {
		part := secret[i : i+piece]
		n.find(part, name)
		n.find(reversed(part), name+", reversed")
		n.find(strings.ToLower(part), name+", in lower case")
		n.find(hex.EncodeToString([]byte(part)), name+", in hexadecimal")
		n.find(strings.ToUpper(hex.EncodeToString([]byte(part))), name+", in hexadecimal")
		n.find(strings.Trim(fmt.Sprint([]byte(part)), "[]"), name+", as bytes")
		n.find(strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(part)), "[]byte{"), "}"), name+", as bytes of Go")
		n.find(strings.ReplaceAll(strings.Trim(fmt.Sprint([]byte(part)), "[]"), " ", ","), name+", as bytes of JSON")
		n.find(url.QueryEscape(part), name+", in a URL")
		// Of what base64 makes of a piece, the ends depend on what is around it;
		// the nine bytes of a longer piece are three whole groups at any offset.
		if i+piece+1 <= len(secret) {
			group := secret[i : i+piece+1]
			n.find(base64.StdEncoding.EncodeToString([]byte(group)), name+", in base64")
			n.find(base64.URLEncoding.EncodeToString([]byte(group)), name+", in base64")
		}
	}
}

// find adds a needle, of eight bytes at least.
func (n *Net) find(text, name string) {
	if n.needles == nil {
		n.needles = make(map[uint64][]needle)
	}
	key := binary.LittleEndian.Uint64([]byte(text))
	if !slices.ContainsFunc(n.needles[key], func(known needle) bool { return known.text == text }) {
		n.needles[key] = append(n.needles[key], needle{text, name})
		n.sieve[key>>48] = true
	}
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// Catch takes a text; from says where it is from.
func (n *Net) Catch(from, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = make(map[string]bool)
	}
	if text += "\n"; !n.known[from+text] {
		n.known[from+text] = true
		n.from(from).WriteString(text)
	}
}

func (n *Net) from(from string) *bytes.Buffer {
	if n.caught == nil {
		n.caught = make(map[string]*bytes.Buffer)
	}
	if n.caught[from] == nil {
		n.caught[from] = new(bytes.Buffer)
	}
	return n.caught[from]
}

// Writer returns a writer of which all is caught, also a canary that two writes
// have a half of each.
func (n *Net) Writer(from string) *Writer { return &Writer{n, from} }

// Writer is a [Net]'s.
type Writer struct {
	net  *Net
	from string
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	return w.net.from(w.from).Write(p)
}

// Size returns how many bytes were caught, in all or from one place.
func (n *Net) Size(from ...string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	size := 0
	for name, b := range n.caught {
		if len(from) == 0 || slices.Contains(from, name) {
			size += b.Len()
		}
	}
	return size
}

// Places returns where text was caught from, sorted.
func (n *Net) Places() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var places []string
	for name := range n.caught {
		places = append(places, name)
	}
	slices.Sort(places)
	return places
}

// Leaks returns which canaries are where, sorted: for each place and form the
// first, with what stands before it.
func (n *Net) Leaks() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	found := make(map[string]bool)
	for from, b := range n.caught {
		text := b.Bytes()
		seen := make(map[string]bool)
		for i := 0; i+8 <= len(text); i++ {
			if !n.sieve[binary.LittleEndian.Uint16(text[i+6:])] {
				continue
			}
			for _, needle := range n.needles[binary.LittleEndian.Uint64(text[i:])] {
				if seen[needle.name] || !bytes.HasPrefix(text[i:], []byte(needle.text)) {
					continue
				}
				seen[needle.name] = true
				found[fmt.Sprintf("%s shows %s, after %q", from, needle.name, text[max(0, i-160):i])] = true
			}
		}
	}
	leaks := make([]string, 0, len(found))
	for leak := range found {
		leaks = append(leaks, leak)
	}
	slices.Sort(leaks)
	return leaks
}
