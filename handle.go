package secrets

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/c0629bfc/secrets/provider"
)

// Handle holds one value, decoded, and follows its changes: a program binds what
// it needs at start-up and loads it wherever it uses it. It is safe for
// concurrent use.
//
// The client refreshes what handles hold whether or not anybody reads it, and
// never evicts it: it does not count against [WithMaxEntries]. That ends with
// [Handle.Close], or when the handle is not reachable any more.
type Handle[T any] struct {
	current *atomic.Pointer[snapshot[T]] // first: Load is all that has to be fast
	*follower[T]
}

// snapshot is one version of a handle's value.
type snapshot[T any] struct {
	value   T
	view    Value
	whole   Value
	changed chan struct{} // closed when another value takes its place
}

// follower is what the cache and goroutines know of a handle, so that one that
// is dropped can be collected.
type follower[T any] struct {
	client  *Client
	ctx     context.Context // of Bind: its values
	ref     provider.Ref
	spelled string
	decode  func(Value) (T, error)
	current atomic.Pointer[snapshot[T]]
	watcher *watcher
	work    worker        // decodes
	turn    chan struct{} // of the one that decodes
	closed  chan struct{} // by Close
	once    sync.Once

	failed Value // a version that could not be decoded; whoever has the turn has it

	mu        sync.Mutex // guards what follows, and storing current
	err       error      // why the newest version could not be decoded
	callbacks map[*worker]struct{}
}

// Bind reads what ref names, decodes it and returns a handle that follows it.
// Decode turns a [Value] into what the program uses: [Text], [JSON], [Int] and
// their like, or a function of one's own. It is called for each new version, in
// a goroutine of the client's, and must not keep the value for longer than the
// result lives.
//
// Errors are those of [Client.Get] and of decode; each names the ref. An error of
// decode's that has the whole value in its text is wrapped by one that does not
// show it. A decode that panics has failed. After Bind nothing fails: a version that cannot be
// decoded, or a store that cannot be reached, leaves the handle as it is.
func Bind[T any](ctx context.Context, c *Client, ref string, decode func(Value) (T, error)) (*Handle[T], error) {
	return bindOr(ctx, c, ref, decode, nil)
}

// bindOr is Bind, but a value that is missing is not an error if there is a
// fallback to hold until there is one.
func bindOr[T any](ctx context.Context, c *Client, ref string, decode func(Value) (T, error), fallback *T) (*Handle[T], error) {
	r, _, err := c.parse(ref)
	if err != nil {
		return nil, err
	}
	f := &follower[T]{client: c, ctx: context.WithoutCancel(ctx), ref: r, spelled: ref, decode: decode,
		turn: make(chan struct{}, 1), closed: make(chan struct{}), callbacks: make(map[*worker]struct{})}
	f.work = worker{client: c, run: func() {
		if f.current.Load() != nil { // the first value is for Bind to decode
			_ = f.follow(c.ctx)
		}
	}}
	f.watcher = &watcher{key: r.Base(), changed: f.work.wake}
	c.cache.watch(f.watcher)
	bound := false
	defer func() {
		if !bound {
			f.release()
		}
	}()
	v, err := c.Get(ctx, ref)
	switch {
	case err == nil:
		err = f.first(ctx, v)
	case fallback != nil && missing(err):
		f.current.CompareAndSwap(nil, &snapshot[T]{value: *fallback, changed: make(chan struct{})})
		err = nil
	}
	if err != nil {
		return nil, err
	}
	c.cache.ensure(f.watcher.key)
	if c.cache.has(f.watcher.key) != f.current.Load().whole {
		f.work.wake() // it changed meanwhile
	}
	h := &Handle[T]{&f.current, f}
	bound = true
	runtime.AddCleanup(h, (*follower[T]).release, f)
	return h, nil
}

// Format implements [fmt.Formatter]: it prints the ref, and not what is loaded.
func (h *Handle[T]) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "secrets.Handle(%s)", h.spelled)
}

// Load returns the current value: one atomic load, which never blocks and never
// fails. It is at most the TTL old while the store answers, and at most ten
// seconds more after the machine was suspended. On AWS Lambda, where nothing
// runs between invocations, use [Handle.Get].
func (h *Handle[T]) Load() T { return h.current.Load().value }

// Get returns the current value like [Client.Get]: when it is older than the
// TTL, Get waits for the store. If what the store has cannot be decoded, Get
// returns the error and the last value that could.
func (h *Handle[T]) Get(ctx context.Context) (T, error) {
	v, err := h.client.Get(ctx, h.spelled)
	if err != nil {
		return h.Load(), err
	}
	if h.current.Load().view != v {
		if err := h.follow(ctx); err != nil {
			return h.Load(), err
		}
	}
	return h.Load(), nil
}

// Value returns the value that was decoded, for [Client.Reject].
func (h *Handle[T]) Value() Value { return h.current.Load().view }

// Version returns the version that Load's value belongs to.
func (h *Handle[T]) Version() provider.Version { return h.current.Load().view.Version() }

// Err returns why Load may be behind: the newest version could not be decoded,
// or the value could not be refreshed the last time. It is nil if all is well.
func (h *Handle[T]) Err() error {
	if err := h.decodeErr(); err != nil {
		return err
	}
	return named(h.spelled, h.client.cache.trouble(h.watcher.key))
}

// Changes yields each value that takes the place of another from the call of
// Changes on, until ctx ends or the handle or its client is closed. A consumer
// that is slower than the changes sees the last of them.
func (h *Handle[T]) Changes(ctx context.Context) iter.Seq[T] {
	start := h.current.Load()
	return func(yield func(T) bool) {
		for s := start; ; {
			select {
			case <-s.changed:
			case <-ctx.Done():
				return
			case <-h.closed:
				return
			case <-h.client.ctx.Done():
				return
			}
			if s = h.current.Load(); !yield(s.value) {
				return
			}
		}
	}
}

// OnChange has f called with each value that takes the place of another, from
// now on until stop is called. Calls of one f come one after the other, in a
// goroutine of their own: one that blocks misses changes, of which it then sees
// the last, and holds up nothing else; one that panics is logged. After stop no
// call begins; stop does not wait for one that has begun. As long as f is
// registered, the handle is not collected: f may use it.
func (h *Handle[T]) OnChange(f func(T)) (stop func()) {
	w := &worker{client: h.client}
	h.mu.Lock()
	seen := h.current.Load()
	h.callbacks[w] = struct{}{}
	h.mu.Unlock()
	w.run = func() {
		for !w.over() {
			s := h.current.Load()
			if s.changed == seen.changed { // the same value
				return
			}
			seen = s
			f(s.value)
		}
	}
	return func() {
		w.stopped.Store(true)
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.callbacks, w)
	}
}

// Close ends what the handle does: it changes no more, and its entry may be
// evicted. Load still returns the last value. Closing again does nothing.
func (h *Handle[T]) Close() {
	h.once.Do(func() {
		h.release()
		close(h.closed)
	})
}

// release ends what the client does for the handle. It may run twice.
func (f *follower[T]) release() {
	f.work.stopped.Store(true)
	f.client.cache.unwatch(f.watcher)
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.callbacks {
		w.stopped.Store(true)
	}
	clear(f.callbacks)
}

// first takes the value of Bind, unless the cache has a newer one.
func (f *follower[T]) first(ctx context.Context, v Value) error {
	if err := f.follow(ctx); err != nil || f.current.Load() != nil {
		return err
	}
	// The cache has none: it was invalidated while this one was on the way.
	value, err := f.decoded(v)
	if err == nil {
		f.current.CompareAndSwap(nil, &snapshot[T]{value, v, Value{}, make(chan struct{})})
	}
	return err
}

// follow decodes what the cache has by now, if that is new, and returns why the
// newest version could not be decoded. One goroutine does at a time; waiting for
// it ends with ctx.
func (f *follower[T]) follow(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}: // whether or not ctx has ended: there is nothing to wait for
	default:
		select {
		case f.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-f.turn }()
	whole := f.client.cache.has(f.watcher.key)
	old := f.current.Load()
	if whole == (Value{}) || whole == f.failed || old != nil && whole == old.whole {
		return f.decodeErr()
	}
	v, err := f.client.cache.spell(f.spelled, f.ref, whole)
	next := &snapshot[T]{view: v, whole: whole}
	var same bool
	switch {
	case err != nil:
		err = named(f.spelled, err)
	case old != nil && old.view.Text() == v.Text():
		same, next.value, next.changed = true, old.value, old.changed // another field changed
	default:
		next.value, err = f.decoded(v)
		next.changed = make(chan struct{})
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err, f.failed = err, (Value{}); err != nil {
		f.failed = whole
		if old != nil {
			f.client.log().Error("secrets: a new version cannot be decoded: the one before is kept", "ref", f.spelled, "version", whole.Version().ID, "error", err)
		}
		return err
	}
	f.current.Store(next)
	if old == nil {
		return nil
	}
	f.client.read(f.ctx, Read{Ref: f.spelled, Version: v.Version(), Source: SourceHandle, RequestID: f.client.cache.request(whole)})
	if same {
		return nil
	}
	close(old.changed)
	for w := range f.callbacks {
		w.wake()
	}
	return nil
}

// decoded calls decode. A panic may hold the value, so it is not repeated.
func (f *follower[T]) decoded(v Value) (value T, err error) {
	returned := false
	defer func() {
		if !returned {
			err = named(f.spelled, &provider.Error{Ref: f.ref, Kind: provider.ErrDecode, Hint: "the decoder " + panicked(recover())})
		}
	}()
	value, err = f.decode(v)
	returned = true
	if err != nil && v.Text() != "" && strings.Contains(err.Error(), v.Text()) {
		quoted := err
		err = quoting{&quoted}
	}
	return value, named(f.spelled, err)
}

// quoting is a decoder's error that has the value in its text. It is behind a
// pointer since fmt, for %#v, looks into the fields of an error that wraps this
// one, but not behind pointers there.
type quoting struct{ err *error }

func (q quoting) Error() string {
	return fmt.Sprintf("the decoder failed; its error, a %T, has the value in it and is not shown", *q.err)
}

// GoString is Error: the error has fields.
func (q quoting) GoString() string { return q.Error() }

// Unwrap returns the decoder's error.
func (q quoting) Unwrap() error { return *q.err }

func (f *follower[T]) decodeErr() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// worker runs a function in a goroutine of its own whenever it is woken, once
// more if it was woken meanwhile.
type worker struct {
	client  *Client
	run     func()
	stopped atomic.Bool

	mu             sync.Mutex
	running, again bool
}

// wake may be called under any lock.
func (w *worker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running {
		w.again = true
		return
	}
	if w.running = w.client.begin(&w.client.calls); w.running {
		go w.loop()
	}
}

func (w *worker) loop() {
	defer w.client.calls.Done()
	for {
		w.once()
		w.mu.Lock()
		if !w.again {
			w.running = false
			w.mu.Unlock()
			return
		}
		w.again = false
		w.mu.Unlock()
	}
}

// over reports whether no call is to begin any more.
func (w *worker) over() bool { return w.stopped.Load() || w.client.ctx.Err() != nil }

// once runs the function, and survives it.
func (w *worker) once() {
	if w.over() {
		return
	}
	returned := false
	defer func() {
		if !returned {
			p := recover()
			if p == nil { // runtime.Goexit: another goroutine does what is left
				w.mu.Lock()
				again := w.again
				w.running, w.again = false, false
				w.mu.Unlock()
				if again {
					w.wake()
				}
			}
			w.client.log().Error("secrets: a callback " + panicked(p))
		}
	}()
	w.run()
	returned = true
}

var errNoValue = errors.New("it was invalidated and not read again yet")

// trouble returns why the value of a watched key was not refreshed the last time.
func (c *cache) trouble(key provider.Ref) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := c.find(key); {
	case e == nil:
		return nil // the handle or the client was closed
	case e.err == nil && !e.full():
		if a, ok := c.absent.Peek(key); ok {
			return a.err
		}
		return errNoValue
	default:
		return e.err
	}
}
