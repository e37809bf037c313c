package snapshot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// MaxValues is how many values a snapshot has at most; where there are more, the
// one goes that the store brought or confirmed the longest ago.
const MaxValues = 10_000

// future is how far ahead of the clock a value may be from.
const future = time.Minute

// Snapshot is a [secrets.Fallback] in a file. It is safe for concurrent use.
// Make it with [Open].
type Snapshot struct {
	path, binding string
	keys          []Key // the first one is what is written under
	maxAge        time.Duration
	logger        *slog.Logger

	data   dataKey // the writer's
	wake   chan struct{}
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	kept   *simplelru.LRU[provider.Ref, *one] // by when they were kept
	labels map[provider.Ref][]provider.Ref    // those of them that were read by a label, by the ref without it
	dirty  bool
	pinned bool // some version of those that were kept is
	frozen bool // the file is left alone
	closed bool
	status Status
}

var _ secrets.Fallback = (*Snapshot)(nil)

// Open reads the snapshot at path, if there is one, and has what is kept from
// now on written there. Binding says what the values belong to, such as the
// account, Region and program: a file with another binding is not used.
//
// The error is about the arguments. A file that is not used is no error:
// [Snapshot.Status] has the reason, and the snapshot begins empty. Beside the
// disk only the function of an [Envelope] is waited for, which gets ctx. Open
// starts a goroutine that ends with Close.
func Open(ctx context.Context, path, binding string, key Key, opts ...Option) (*Snapshot, error) {
	s := &Snapshot{path: path, binding: binding, keys: []Key{key}, maxAge: DefaultMaxAge,
		wake: make(chan struct{}, 1), ended: make(chan struct{})}
	for _, opt := range opts {
		opt(s)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.labels = make(map[provider.Ref][]provider.Ref)
	s.kept, _ = simplelru.NewLRU[provider.Ref, *one](MaxValues, s.dropped) // the size is all it asks
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.load(ctx); err != nil {
		s.refuse(err)
	}
	clean(path)
	go s.run()
	return s, nil
}

// load takes up what is in the file.
func (s *Snapshot) load(ctx context.Context) error {
	b, err := readFile(s.path)
	if b == nil || err != nil {
		return err
	}
	plain, err := s.unseal(ctx, b)
	if err != nil {
		return err
	}
	all, err := decode(plain)
	if err != nil {
		return err
	}
	now := time.Now()
	for i := len(all) - 1; i >= 0; i-- { // the latest is the first
		if s.usable(all[i].at, now) {
			s.add(&all[i])
		}
	}
	s.status.Loaded = s.kept.Len()
	if len(all) > 0 && s.kept.Len() == 0 {
		return fmt.Errorf("%w: none of its %d values is of the last %v", ErrTooOld, len(all), s.maxAge)
	}
	return nil
}

// unseal tries the keys. That one of them could not be had says more than that
// another one is wrong.
func (s *Snapshot) unseal(ctx context.Context, b []byte) (plain []byte, err error) {
	for _, k := range s.keys {
		plain, failure := unseal(ctx, b, s.binding, k)
		if !errors.Is(failure, ErrWrongKey) && !errors.Is(failure, ErrKeyService) {
			return plain, failure
		}
		if err == nil || errors.Is(failure, ErrKeyService) {
			err = failure
		}
	}
	return nil, err
}

// refuse notes why the file is not used.
func (s *Snapshot) refuse(err error) {
	s.status.Refused = err
	level, then := slog.LevelWarn, "it is replaced when there is something to write"
	if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrTooOld) && !errors.Is(err, ErrKeyService) {
		s.frozen = true
		level, then = slog.LevelError, "it is left alone and nothing is kept: mend the reason or remove it"
	}
	s.log().Log(context.Background(), level, "secrets: a snapshot is not used", "path", s.path, "reason", err, "then", then)
}

// period is how often the file is to say at least that nothing changed.
func (s *Snapshot) period() time.Duration { return s.maxAge / 24 }

// usable reports whether a value of that time may be used.
func (s *Snapshot) usable(at, now time.Time) bool {
	age := now.Round(0).Sub(at)
	return age <= s.maxAge && age >= -future
}

// Keep implements [secrets.Fallback].
func (s *Snapshot) Keep(v secrets.Value) {
	ref := v.Ref()
	if !keepable(v) {
		s.Forget(ref)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.frozen {
		return
	}
	now := time.Now().Round(0)
	o := &one{value: v, at: now, own: true}
	s.pinned = s.pinned || ref.Pinned()
	if old, had := s.kept.Peek(ref); had && alike(old.value, v) {
		o.saved = old.saved
	}
	s.add(o)
	if lag := now.Sub(o.saved); lag > s.period() || lag < -future {
		s.soil()
	}
}

// Last implements [secrets.Fallback].
func (s *Snapshot) Last(ref provider.Ref) (v secrets.Value, kept time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.kept.Peek(ref)
	if !ok {
		return secrets.Value{}, time.Time{}, false
	}
	now := time.Now()
	if kept = o.good(now); !s.usable(kept, now) {
		return secrets.Value{}, time.Time{}, false
	}
	return o.value, kept, true
}

// Forget implements [secrets.Fallback]. With the current version it forgets those
// that were read by a label: a write moves labels.
func (s *Snapshot) Forget(ref provider.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ref := range append(slices.Clone(s.labels[ref]), ref) {
		if s.kept.Remove(ref) {
			s.soil()
		}
	}
}

// add adds a value. The caller holds the mutex.
func (s *Snapshot) add(o *one) {
	ref := o.value.Ref()
	if bare, is := labelled(ref); is && !s.kept.Contains(ref) {
		s.labels[bare] = append(s.labels[bare], ref)
	}
	s.kept.Add(ref, o)
}

// dropped is told of all that goes.
func (s *Snapshot) dropped(ref provider.Ref, _ *one) {
	bare, is := labelled(ref)
	if !is {
		return
	}
	left := slices.DeleteFunc(s.labels[bare], func(other provider.Ref) bool { return other == ref })
	if s.labels[bare] = left; len(left) == 0 {
		delete(s.labels, bare)
	}
}

// labelled returns a ref without the label that it is read by.
func labelled(ref provider.Ref) (bare provider.Ref, is bool) {
	bare = ref
	bare.Stage, bare.Label = "", ""
	return bare, bare != ref
}

// Status is how a snapshot is.
type Status struct {
	// Loaded is how many values Open found to be usable, and Refused why it did
	// not use the file; nil if it did or there was none.
	Loaded  int
	Refused error
	Kept    int       // values now
	Written time.Time // when the file was last written; zero if it was not
	Err     error     // why writing failed the last time
}

// Status returns how the snapshot is.
func (s *Snapshot) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Kept = s.kept.Len()
	return status
}

// Close writes what is not written yet, ends the goroutine and returns why the
// file could not be written, if that failed the last time. Afterwards the
// snapshot is empty. Close the client first. The function of an [Envelope] may
// take ten seconds. Closing again does nothing.
func (s *Snapshot) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	<-s.ended
	if again {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.Purge()
	return s.status.Err
}

// String returns the path.
func (s *Snapshot) String() string { return "snapshot " + s.path }

// soil has the file written soon. The caller holds the mutex.
func (s *Snapshot) soil() {
	if s.frozen || s.closed {
		return
	}
	s.dirty = true
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Snapshot) log() *slog.Logger {
	if s.logger != nil {
		return s.logger
	}
	return slog.Default()
}
