package ssm

import (
	"fmt"
	"hash/maphash"
	"testing"
	"time"
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
