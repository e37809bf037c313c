package ssm

import (
	"fmt"
	"hash/maphash"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
