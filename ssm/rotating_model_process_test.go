package ssm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
)

// life runs a process with the answers it has had, until it asks for more.
type life struct {
	m       *model
	number  int8
	answers []answer
	clock   int8
	ids     int
	values  int8
	ask     request
	memory  rotations

	r     *rotating // of the run
	at_   string    // the state when the last method was called
	since []answer  // then
}

// mark says that a method of the store or the target is called. What the process
// does from there on depends on nothing but its state and later answers, so that
// processes which agree in that are one.
func (l *life) mark(method string) {
	var b strings.Builder
	fmt.Fprint(&b, method, " ", l.ids, " ", l.values, " ")
	if method == "begin" || strings.HasPrefix(method, "store") {
		fmt.Fprint(&b, l.clock)
	}
	if h := l.memory.held[place{}]; h != nil {
		settled := h.settled
		if !settled.After(l.now()) {
			settled = time.Time{}
		}
		fmt.Fprint(&b, h.claim, h.version, h.began.Unix(), h.busy, settled.Unix(), h.doubtful, h.removing, h.unchecked)
	}
	if r := l.r; r != nil {
		s := r.state
		fmt.Fprint(&b, r.owner, r.base, s.Current.Text(), s.Pending.Text(), s.Previous.Text(), s.Token, s.Promoted, s.Until.Unix())
	}
	l.at_, l.since = b.String(), nil
}

// modelRotation marks the calls of its methods.
type modelRotation struct {
	*rotating
	l *life
}

func (r modelRotation) StorePending(ctx context.Context, content string) error {
	r.l.mark("store " + content)
	return r.rotating.StorePending(ctx, content)
}

func (r modelRotation) Promote(ctx context.Context) error {
	r.l.mark("promote")
	return r.rotating.Promote(ctx)
}

// asks is what ends the process when it has no answer.
type asks struct{}

func (l *life) next(r request) answer {
	if len(l.answers) == 0 {
		l.ask = r
		panic(asks{})
	}
	a := l.answers[0]
	l.answers = l.answers[1:]
	l.since = append(l.since, a)
	l.clock = a.tick
	return a
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func (l *life) run() (ask request) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(asks); !ok {
				panic(p)
			}
			ask = l.ask
		}
	}()
	for {
		err := rotation.Rotate(context.Background(), l, "ssm:///db", l, rotation.WithLogger(quiet))
		l.r = nil
		l.mark("end")
		l.next(request{op: opEnd, failed: err != nil})
	}
}

var modelRef, modelPending = provider.Ref{Scheme: "ssm", Name: "/db"}, provider.Ref{Scheme: "ssm", Name: "/.rotation/db"}

// BeginRotation is that of the Store, with other calls.
func (l *life) BeginRotation(ctx context.Context, ref provider.Ref, opts provider.RotationOptions) (provider.Rotation, error) {
	l.mark("begin")
	r := &rotating{api: l, ref: ref, pending: modelPending, all: &l.memory}
	l.r = r
	if err := r.begin(ctx, opts.Token); err != nil {
		r.Close()
		return nil, err
	}
	return modelRotation{r, l}, nil
}

func (l *life) now() time.Time { return at(l.clock) }

func (l *life) id() string {
	l.ids++
	return fmt.Sprintf("%d.%d", l.number, l.ids)
}

func (l *life) wait(_ context.Context, d time.Duration) error {
	if l.m.break_ == "nobody waits" {
		l.clock += int8(d/tick) + 1
		return nil
	}
	l.next(request{op: opWait, until: l.now().Add(d)})
	return nil
}

var valueTexts = func() (texts [64]string) {
	for i := range texts {
		texts[i] = "v" + strconv.Itoa(i)
	}
	return texts
}()

func code(text string) int8 {
	n, _ := strconv.ParseInt(strings.TrimPrefix(text, "v"), 10, 8)
	return int8(n)
}

func value(n int8) provider.Value {
	return provider.NewValue(modelRef, provider.Version{}, provider.SecureString, valueTexts[n])
}

func (l *life) get(_ context.Context, selector string) (content, error) {
	r := request{op: opGet}
	switch selector {
	case "":
	case previousLabel:
		r.num = -1
	default:
		n, _ := strconv.ParseInt(selector, 10, 8)
		r.num = int8(n)
	}
	a := l.next(r)
	if a.result == missing {
		return content{}, provider.ErrVersionNotFound
	}
	return content{int64(a.num), value(a.val)}, nil
}

func (l *life) look(context.Context) (seen, error) {
	a := l.next(request{op: opLook})
	if a.result == missing {
		return seen{}, nil
	}
	s := seen{content: content{int64(a.num), value(a.val)}, modified: at(a.made), now: at(a.tick)}
	return s, json.Unmarshal([]byte(l.m.descs[a.desc]), &s.claim)
}

// write signs a request and waits for its answer.
func (l *life) write(r request, f fence) (answer, error) {
	l.next(r)
	if err := f(); err != nil && l.m.break_ != "no fence" {
		return answer{}, err
	}
	r.signed = true
	a := l.next(r)
	switch a.result {
	case lost:
		return a, errLost
	case missing:
		return a, provider.ErrNotFound
	case exists:
		return a, provider.ErrConflict
	case denied, refused:
		return a, provider.ErrAccessDenied
	}
	return a, nil
}

func (l *life) create(_ context.Context, text, description string, f fence) error {
	_, err := l.write(request{op: opCreate, val: code(text), desc: l.m.desc(description)}, f)
	return err
}

func (l *life) claim(_ context.Context, s seen, description string, f fence) (int64, error) {
	a, err := l.write(request{op: opClaim, val: code(s.value.Text()), desc: l.m.desc(description)}, f)
	if l.m.break_ == "every claim holds" {
		return s.number + 1, err
	}
	return int64(a.num), err
}

func (l *life) put(_ context.Context, text string, f fence) (int64, error) {
	a, err := l.write(request{op: opPut, val: code(text)}, f)
	return int64(a.num), err
}

func (l *life) label(_ context.Context, n int64, f fence) error {
	_, err := l.write(request{op: opLabel, num: int8(n)}, f)
	return err
}

func (l *life) remove(_ context.Context, f fence) error {
	_, err := l.write(request{op: opRemove}, f)
	return err
}

func (l *life) Next(context.Context, provider.Value) (string, error) {
	l.values++
	return valueTexts[2+l.number*4+l.values], nil
}

// Set is held to its deadline as the store's writes are to their fence: what is
// on its way then reaches the database as soon as a request reaches AWS.
func (l *life) Set(ctx context.Context, current, pending, previous provider.Value) error {
	l.mark("set")
	if l.m.break_ == "set comes last" {
		return nil
	}
	deadline, _ := ctx.Deadline()
	_, err := l.write(request{op: opSet, val: code(pending.Text()), olds: [2]int8{code(current.Text()), code(previous.Text())}}, func() error {
		if !l.now().Before(deadline) {
			return context.DeadlineExceeded
		}
		return nil
	})
	return err
}

func (l *life) Test(_ context.Context, pending provider.Value) error {
	l.mark("test")
	if l.m.break_ == "no test" {
		return nil
	}
	if a := l.next(request{op: opTest, val: code(pending.Text())}); a.result != ok {
		return errors.New("refused")
	}
	return nil
}
