package secrets

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/c0629bfc/secrets/provider"
)

// slot is what a hit finds: the value that one spelling of a ref stands for.
// It is immutable; when the value changes, another takes its place.
type slot struct {
	hash  uint64
	key   string // the ref as the caller wrote it
	value provider.Value
	lease *lease
}

// table finds slots by key: open addressing with linear probing. Finding takes
// no lock and writes nothing. Changing it is for one goroutine at a time; the
// cache's mutex sees to that.
type table struct {
	seed  maphash.Seed
	cells atomic.Pointer[[]atomic.Pointer[slot]] // a power of two of them, at most half of them used
	used  int                                    // cells that are not nil
	live  int                                    // those of them that are not graves
}

// grave keeps a removed slot's cell, so that a search goes on behind it. It is
// never fresh.
var grave = &slot{key: "\x00", lease: new(lease)}

const minCells = 16

func newTable() *table {
	t := &table{seed: maphash.MakeSeed()}
	t.clear()
	return t
}

// find returns the slot of key, or nil.
func (t *table) find(key string) *slot {
	hash := maphash.String(t.seed, key)
	cells := *t.cells.Load()
	for i := hash; ; i++ {
		s := cells[i&uint64(len(cells)-1)].Load()
		if s == nil || s.hash == hash && s.key == key {
			return s
		}
	}
}

// put adds the slot, or replaces the one that has its key.
func (t *table) put(s *slot) {
	s.hash = maphash.String(t.seed, s.key)
	cells := *t.cells.Load()
	for i := s.hash; ; i++ {
		cell := &cells[i&uint64(len(cells)-1)]
		old := cell.Load()
		if old == nil {
			break
		}
		if old != grave && old.key == s.key {
			cell.Store(s)
			return
		}
	}
	if 2*(t.used+1) > len(cells) {
		cells = t.rebuild()
	}
	insert(cells, s)
	t.used++
	t.live++
}

// remove takes the slot out, unless another has taken its place.
func (t *table) remove(s *slot) {
	cells := *t.cells.Load()
	for i := s.hash; ; i++ {
		cell := &cells[i&uint64(len(cells)-1)]
		switch cell.Load() {
		case nil:
			return
		case s:
			cell.Store(grave)
			t.live--
			return
		}
	}
}

// rebuild makes a table with room for twice the live slots and no graves.
func (t *table) rebuild() []atomic.Pointer[slot] {
	size := minCells
	for size < 4*(t.live+1) {
		size *= 2
	}
	fresh := make([]atomic.Pointer[slot], size)
	old := *t.cells.Load()
	for i := range old {
		if s := old[i].Load(); s != nil && s != grave {
			insert(fresh, s)
		}
	}
	t.cells.Store(&fresh)
	t.used = t.live
	return fresh
}

func (t *table) clear() {
	fresh := make([]atomic.Pointer[slot], minCells)
	t.cells.Store(&fresh)
	t.used, t.live = 0, 0
}

// insert puts a slot whose key is not there into the first free cell.
func insert(cells []atomic.Pointer[slot], s *slot) {
	i := s.hash
	for cells[i&uint64(len(cells)-1)].Load() != nil {
		i++
	}
	cells[i&uint64(len(cells)-1)].Store(s)
}
