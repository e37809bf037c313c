package ssm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
)

// The model runs the code of rotation.Rotate and of this package's protocol
// against a Parameter Store and a database in memory, in every order in which
// the calls of several processes can follow each other. A process is a function
// of what it has been answered: what it asks next is found by running it anew
// with the answers that it had. So a state of the model is the store, the
// database, the requests on their way and the answers of each process.
//
// Time passes in ticks, at any moment. The protocol's times in ticks: a lease is
// over after 5, its holder signs requests for 2, and one takes effect up to 1
// after it was signed.
const (
	tick       = 210 * time.Second
	flightLast = 1 // ticks: AWS's own rule
)

// Far from now, so that no context of the model ends by itself.
var modelStart = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

func at(ticks int8) time.Time { return modelStart.Add(time.Duration(ticks) * tick) }

type op int8

const (
	opEnd op = iota // a run has ended
	opGet
	opLook
	opCreate
	opClaim
	opPut
	opLabel
	opRemove
	opWait
	opSet
	opTest
	opHand // somebody's own write
)

// A request is what a process asks for next.
type request struct {
	op     op
	signed bool
	num    int8 // of a version: get, label; -1: the label; 0: the latest
	val    int8
	desc   int16
	olds   [2]int8   // set: the other passwords that it tries
	until  time.Time // wait, set
	failed bool      // end
}

// An answer is what it gets.
type answer struct {
	tick   int8
	result result
	num    int8
	val    int8
	desc   int16
	made   int8 // look: when
}

type result int8

const (
	ok      result = iota
	signed         // the request is on its way
	lost           // no answer
	denied         // it came too late
	missing        // there is no such parameter or version
	exists         // there is one already
	refused        // by the database
)

// model is one exploration.
type model struct {
	t         *testing.T
	processes int
	runs      int8 // of each process
	limits    budget
	break_    string // the rule that is broken
	left      left   // what a process that died has left

	nodes    []node
	children map[edge]int32
	alike    map[string]int32
	descs    []string
	descIDs  map[string]int16
	visited  map[uint64]struct{}
	solo     map[soloKey]struct{}
	seed     maphash.Seed
	bad      string
	trace    []string
}

// left is how far a rotation had come whose lease is over.
type left int8

const (
	leftNothing left = iota
	leftPending      // created
	leftSet          // and the database has it
	leftCurrent      // and so have the readers
)

// budget is how much may happen.
type budget struct{ ticks, crashes, losses, hands int8 }

type edge struct {
	parent int32
	answer answer
}

// node is a process that has had certain answers.
type node struct {
	parent int32
	answer answer
	life   int8
	ask    request
}

// process is a process in a state.
type process struct {
	at   int32 // node
	runs int8  // begun
	life int8
	idle bool // it has made all its runs
}

// flying is a write on its way.
type flying struct {
	request request
	signed  int8
	from    int8 // process; -1: of one that died, or gave it up
}

const (
	maxVersions = 10
	maxFlying   = 4
	maxProc     = 3
)

type pendingParameter struct {
	number, val, made int8 // number 0: there is none
	desc              int16
}

// world is the store and the database.
type world struct {
	versions [maxVersions]int8 // values; the first is version 1
	count    int8
	previous int8 // the version that has the label
	pending  pendingParameter
	db       int8
	tested   uint64
	byHand   bool
}

type modelState struct {
	world
	tick   int8
	procs  [maxProc]process
	flying [maxFlying]flying
	budget budget
}

func (w *world) current() int8 { return w.versions[w.count-1] }

func (w *world) value(number int8) int8 {
	if number < 1 || number > w.count {
		return 0
	}
	return w.versions[number-1]
}

func (m *model) failf(format string, args ...any) {
	if m.bad == "" {
		m.bad = fmt.Sprintf(format, args...)
	}
}

// apply lets a write take effect.
func (m *model) apply(w *world, now int8, r request) answer {
	a := answer{tick: now}
	switch r.op {
	case opCreate:
		if w.pending.number != 0 && m.break_ != "creation is no lock" {
			a.result = exists
			return a
		}
		w.pending = pendingParameter{w.pending.number + 1, r.val, now, r.desc}
	case opClaim:
		w.pending = pendingParameter{w.pending.number + 1, r.val, now, r.desc}
		a.num = w.pending.number
	case opPut, opHand:
		if w.count == maxVersions {
			m.failf("the model has too few versions")
			return a
		}
		if r.op == opPut {
			if w.tested&(1<<r.val) == 0 {
				m.failf("a reader sees value %d, which was not tested", r.val)
			}
			m.underLock(w, r)
		}
		w.versions[w.count] = r.val
		w.count++
		a.num = w.count
	case opLabel:
		w.previous = r.num
	case opRemove:
		if w.pending.number == 0 {
			a.result = missing
			return a
		}
		w.pending = pendingParameter{}
	case opSet:
		if w.db != r.val && w.db != r.olds[0] && w.db != r.olds[1] {
			a.result = refused
			return a
		}
		m.underLock(w, r)
		w.db = r.val
	}
	return a
}

// underLock checks that what a rotation does happens while its value is the
// pending one.
func (m *model) underLock(w *world, r request) {
	if w.pending.number == 0 || w.pending.val != r.val {
		m.failf("value %d is %s while value %d is the pending one: two rotations win", r.val, map[op]string{opPut: "made current", opSet: "set"}[r.op], w.pending.val)
	}
}

// check is what holds in every state.
func (m *model) check(w *world) {
	switch w.db {
	case w.current(), w.value(w.previous), w.pending.val:
	default:
		if !w.byHand {
			m.failf("the database has value %d, which no reader finds: current %d, previous %d, pending %d", w.db, w.current(), w.value(w.previous), w.pending.val)
		}
	}
}

// read answers what changes nothing.
func (m *model) read(w *world, now int8, r request) answer {
	a := answer{tick: now}
	switch r.op {
	case opGet:
		a.num = r.num
		switch r.num {
		case 0:
			a.num = w.count
		case -1:
			a.num = w.previous
		}
		if a.val = w.value(a.num); a.val == 0 {
			a.result = missing
		}
	case opLook:
		if w.pending.number == 0 {
			a.result = missing
			break
		}
		a.num, a.val, a.desc, a.made = w.pending.number, w.pending.val, w.pending.desc, w.pending.made
	case opTest:
		if w.db != r.val {
			a.result = refused
		} else {
			w.tested |= 1 << r.val
		}
	}
	return a
}

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

func (m *model) desc(text string) int16 {
	id, ok := m.descIDs[text]
	if !ok {
		id = int16(len(m.descs))
		m.descs, m.descIDs[text] = append(m.descs, text), id
	}
	return id
}

func (m *model) child(parent int32, a answer, number int8) int32 {
	e := edge{parent, a}
	if n, ok := m.children[e]; ok {
		return n
	}
	n := int32(len(m.nodes))
	m.nodes = append(m.nodes, node{parent: parent, answer: a, life: number})
	l := &life{m: m, number: number}
	l.answers, l.clock = m.answers(n)
	ask := l.run()
	k := fmt.Sprint(number, l.at_, l.since, ask)
	if same, known := m.alike[k]; known {
		m.nodes = m.nodes[:n]
		n = same
	} else {
		m.alike[k] = n
		m.nodes[n].ask = ask
	}
	m.children[e] = n
	return n
}

// answers is what a node has been told, and when its process started: its root
// holds that.
func (m *model) answers(n int32) (all []answer, started int8) {
	for ; ; n = m.nodes[n].parent {
		if m.nodes[n].parent < 0 {
			slices.Reverse(all)
			return all, m.nodes[n].answer.tick
		}
		all = append(all, m.nodes[n].answer)
	}
}

// tell gives process i an answer.
func (m *model) tell(s modelState, i int, a answer) modelState {
	p := &s.procs[i]
	p.at = m.child(p.at, a, p.life)
	return s
}

// successors are the states that may follow, each with what happened.
func (m *model) successors(s modelState, visit func(modelState, string)) {
	for i := range m.processes { // what concerns nobody else comes first
		p := s.procs[i]
		if p.idle || m.nodes[p.at].ask.op != opEnd {
			continue
		}
		next := s
		if p.runs == m.runs {
			next.procs[i] = process{idle: true}
			visit(next, fmt.Sprintf("process %d ends", i))
		} else {
			next.procs[i].runs++
			visit(m.tell(next, i, answer{tick: s.tick}), fmt.Sprintf("process %d runs again", i))
		}
		return
	}
	for i := range m.processes {
		p := s.procs[i]
		if p.idle {
			continue
		}
		ask := m.nodes[p.at].ask
		name := func(what string) string { return fmt.Sprintf("t%d process %d: %s %+v", s.tick, i, what, ask) }
		switch {
		case ask.op == opWait:
			if !at(s.tick).Before(ask.until) {
				visit(m.tell(s, i, answer{tick: s.tick}), name("has waited"))
			}
		case ask.op == opGet, ask.op == opLook, ask.op == opTest:
			next := s
			a := m.read(&next.world, s.tick, ask)
			visit(m.tell(next, i, a), name("reads"))
		case !ask.signed:
			next := m.tell(s, i, answer{tick: s.tick, result: signed})
			if now := m.nodes[next.procs[i].at].ask; now.signed {
				if !next.fly(flying{now, s.tick, int8(i)}) {
					m.failf("the model has too few requests on their way")
				}
			}
			visit(next, name("signs"))
		default:
			at := slices.IndexFunc(s.flying[:], func(f flying) bool { return f.request.op != opEnd && f.from == int8(i) })
			f := s.flying[at]
			landed := s
			landed.land(at)
			if s.tick-f.signed > flightLast {
				visit(m.tell(landed, i, answer{tick: s.tick, result: denied}), name("is denied"))
				break
			}
			a := m.apply(&landed.world, s.tick, f.request)
			visit(m.tell(landed, i, a), name("has done"))
			if s.budget.losses > 0 {
				landed.budget.losses--
				visit(m.tell(landed, i, answer{tick: s.tick, result: lost}), name("has done, unknown"))
				late := s
				late.budget.losses--
				late.flying[at].from = -1
				late.sort()
				if ask.op == opSet { // a target ends what it began, or it never will
					late.land(slices.IndexFunc(late.flying[:], func(f flying) bool { return f.from == -1 && f.request == ask }))
				}
				visit(m.tell(late, i, answer{tick: s.tick, result: lost}), name("gives up"))
			}
		}
		if s.budget.crashes > 0 {
			next := s
			next.budget.crashes--
			for j := range next.flying {
				if f := &next.flying[j]; f.request.op != opEnd && f.from == int8(i) {
					f.from = -1
				}
			}
			next.sort()
			next.procs[i].life++
			next.procs[i].at = m.child(-1-int32(next.procs[i].life), answer{tick: s.tick}, next.procs[i].life)
			visit(next, name("dies at"))
		}
	}
	for at, f := range s.flying {
		if f.request.op == opEnd || f.from >= 0 || s.tick-f.signed > flightLast {
			continue
		}
		next := s
		next.land(at)
		m.apply(&next.world, s.tick, f.request)
		visit(next, fmt.Sprintf("t%d arrives late: %+v", s.tick, f.request))
	}
	if s.budget.hands > 0 {
		next := s
		next.budget.hands--
		next.byHand = true
		m.apply(&next.world, s.tick, request{op: opHand, val: 63})
		visit(next, "somebody writes")
	}
	if s.budget.ticks > 0 && slices.ContainsFunc(s.procs[:m.processes], func(p process) bool { return !p.idle }) {
		next := s
		next.budget.ticks--
		next.tick++
		for j := range next.flying {
			if f := next.flying[j]; f.request.op != opEnd && f.from < 0 && next.tick-f.signed > flightLast {
				next.flying[j] = flying{}
			}
		}
		next.sort()
		visit(next, "time passes")
	}
}

func (s *modelState) fly(f flying) bool {
	for i := range s.flying {
		if s.flying[i].request.op == opEnd {
			s.flying[i] = f
			s.sort()
			return true
		}
	}
	return false
}

func (s *modelState) land(i int) {
	s.flying[i] = flying{}
	s.sort()
}

// sort gives states that differ in nothing else one order of what is flying.
func (s *modelState) sort() {
	slices.SortFunc(s.flying[:], func(a, b flying) int {
		for _, d := range []int{int(b.request.op) - int(a.request.op), int(a.from) - int(b.from), int(a.request.val) - int(b.request.val), int(a.request.num) - int(b.request.num), int(a.request.desc) - int(b.request.desc), int(a.signed) - int(b.signed)} {
			if d != 0 {
				return d
			}
		}
		return 0
	})
}

// soloKey is what a recovery depends on.
type soloKey struct{ world }

// recover checks what a new process makes of the world once all others are dead
// and their requests too.
func (m *model) recover(s modelState) {
	k := soloKey{s.world}
	k.tested = 0
	if k.pending.number != 0 {
		k.pending.made = 0
	}
	if _, done := m.solo[k]; done {
		return
	}
	m.solo[k] = struct{}{}
	w, now := s.world, s.tick+6
	before := w
	var ask request
	for answers := []answer(nil); ; {
		l := &life{m: m, number: 12, answers: slices.Clone(answers), clock: now}
		if ask = l.run(); ask.op == opEnd {
			break
		}
		a := answer{tick: now, result: signed}
		switch {
		case ask.op == opWait:
			for at(now).Before(ask.until) {
				now++
			}
			a = answer{tick: now}
		case ask.op == opGet, ask.op == opLook, ask.op == opTest:
			a = m.read(&w, now, ask)
		case ask.signed:
			a = m.apply(&w, now, ask)
		}
		answers = append(answers, a)
	}
	right := int8(0)
	for n := w.count - 1; n > 0 && right == 0; n-- {
		if w.value(n) != w.current() {
			right = n
		}
	}
	switch {
	case ask.failed && !w.byHand:
		m.failf("the recovery of %+v fails", before)
	case ask.failed:
	case w.current() != w.db:
		m.failf("after a recovery of %+v value %d is current and the database has %d", before, w.current(), w.db)
	case w.pending.number != 0:
		m.failf("after a recovery of %+v a pending value is left", before)
	case w.value(w.previous) != w.value(right):
		m.failf("after a recovery of %+v the previous value is %d, not %d", before, w.value(w.previous), w.value(right))
	}
}

// explore visits every state that can be reached.
func (m *model) explore(most int) (states int) {
	m.children, m.descIDs = make(map[edge]int32), make(map[string]int16)
	m.alike = make(map[string]int32)
	m.visited, m.solo = make(map[uint64]struct{}), make(map[soloKey]struct{})
	m.seed = maphash.MakeSeed()
	m.desc("")
	start := modelState{budget: m.limits}
	start.versions[0], start.count, start.db = 2, 1, 2
	if m.left >= leftPending {
		start.pending = pendingParameter{number: 1, val: 1, made: -5, desc: m.desc(newClaim("t", "c").String())}
	}
	if m.left >= leftSet {
		start.db, start.tested = 1, 1<<1
	}
	if m.left >= leftCurrent {
		start.versions[1], start.count = 1, 2
	}
	for i := range m.processes {
		life := int8(i * 4)
		start.procs[i] = process{at: m.child(-1-int32(life), answer{}, life), runs: 1, life: life}
	}
	type frame struct {
		state modelState
		path  *step
	}
	stack := []frame{{start, nil}}
	for len(stack) > 0 && m.bad == "" {
		f := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		m.successors(f.state, func(next modelState, what string) {
			if m.bad == "" {
				m.check(&next.world)
			}
			h := maphash.Comparable(m.seed, next)
			if _, known := m.visited[h]; known && m.bad == "" {
				return
			}
			m.visited[h] = struct{}{}
			if m.bad == "" {
				m.recover(next)
			}
			p := &step{f.path, what}
			if m.bad != "" && m.trace == nil {
				for ; p != nil; p = p.before {
					m.trace = append(m.trace, p.what)
				}
				slices.Reverse(m.trace)
				return
			}
			stack = append(stack, frame{next, p})
		})
		if len(m.visited) > most {
			m.t.Fatalf("more than %d states", most)
		}
	}
	return len(m.visited)
}

type step struct {
	before *step
	what   string
}

func TestModel(t *testing.T) {
	configs := map[string]model{
		"two begin":                    {processes: 2, runs: 1, limits: budget{ticks: 2}},
		"two begin, one dies":          {processes: 2, runs: 1, limits: budget{ticks: 1, crashes: 1}},
		"two begin, an answer is lost": {processes: 2, runs: 1, limits: budget{ticks: 1, losses: 1}},
		"two begin, somebody writes":   {processes: 2, runs: 1, limits: budget{hands: 1}},
		"three begin":                  {processes: 3, runs: 1},
		"one dies":                     {processes: 1, runs: 1, limits: budget{ticks: 7, crashes: 1}},
		"one loses answers":            {processes: 1, runs: 3, limits: budget{ticks: 2, losses: 2}},
		"two take over":                {processes: 2, runs: 1, left: leftSet, limits: budget{ticks: 2}},
		"two take over and go on":      {processes: 2, runs: 2, left: leftCurrent, limits: budget{ticks: 2}},
	}
	if os.Getenv("MODEL") == "full" { // minutes
		for name, m := range map[string]model{
			"two begin, one dies, full":     {processes: 2, runs: 1, limits: budget{ticks: 5, crashes: 1}},
			"two begin twice, full":         {processes: 2, runs: 2, limits: budget{ticks: 2}},
			"one dies twice, full":          {processes: 1, runs: 2, limits: budget{ticks: 9, crashes: 2}},
			"one loses answers, full":       {processes: 1, runs: 3, limits: budget{ticks: 7, losses: 2}},
			"two begin, both lose, full":    {processes: 2, runs: 1, limits: budget{ticks: 3, losses: 2}},
			"somebody writes, full":         {processes: 2, runs: 1, limits: budget{ticks: 1, hands: 1}},
			"three begin, full":             {processes: 3, runs: 1, limits: budget{ticks: 2}},
			"two take over, one dies, full": {processes: 2, runs: 1, left: leftSet, limits: budget{ticks: 3, crashes: 1}},
			"two take over, go on, full":    {processes: 2, runs: 2, left: leftCurrent, limits: budget{ticks: 3}},
			"one takes over, dies, full":    {processes: 1, runs: 2, left: leftPending, limits: budget{ticks: 8, crashes: 1}},
			"three take over, full":         {processes: 3, runs: 1, left: leftCurrent, limits: budget{ticks: 2}},
		} {
			configs[name] = m
		}
	}
	for name, m := range configs {
		t.Run(name, func(t *testing.T) {
			m.t = t
			began := time.Now()
			states := m.explore(50_000_000)
			t.Logf("%d states, %d histories, %d recoveries, %v", states, len(m.nodes), len(m.solo), time.Since(began))
			require.Empty(t, m.bad, "%s", strings.Join(m.trace, "\n"))
		})
	}
}

// TestModelFindsBrokenRules shows that the model is able to fail.
func TestModelFindsBrokenRules(t *testing.T) {
	for rule, m := range map[string]model{
		"creation is no lock": {processes: 2, runs: 1},
		"every claim holds":   {processes: 2, runs: 2, left: leftCurrent, limits: budget{ticks: 2}},
		"nobody waits":        {processes: 2, runs: 2, left: leftCurrent, limits: budget{ticks: 2}},
		"no fence":            {processes: 2, runs: 1, limits: budget{ticks: 7, crashes: 0}},
		"set comes last":      {processes: 1, runs: 1},
		"no test":             {processes: 1, runs: 1},
	} {
		t.Run(rule, func(t *testing.T) {
			m.t, m.break_ = t, rule
			m.explore(50_000_000)
			t.Log(m.bad)
			require.NotEmpty(t, m.bad)
		})
	}
}
