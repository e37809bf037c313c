package main

// event is what happens to a process at a time.
type event struct {
	at   int64 // nanoseconds from the start of the deploy
	proc int32
	kind kind
	call uint8  // of the process's, where the event is a call's
	life uint16 // the process's at the time
}

type kind uint8

const (
	starts  kind = iota // the process
	asks                // its application wants what is missing
	due                 // its refresher has something to do
	tries               // a call is to be made once the client's bucket lets it
	sends               // a call leaves
	ends                // its answer is there
	hurries             // what is queued leaves without waiting for the fetch before it
)

// queue is a heap of events by time. It has four children a node, which suits
// the cache of a processor better than two.
type queue []event

func (q *queue) push(e event) {
	h := append(*q, e)
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if h[parent].at <= e.at {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
	*q = h
}

func (q *queue) pop() event {
	h := *q
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	if len(h) == 0 {
		return first
	}
	i := 0
	for {
		least := 4*i + 1
		if least >= len(h) {
			break
		}
		for c := least + 1; c < min(4*i+5, len(h)); c++ {
			if h[c].at < h[least].at {
				least = c
			}
		}
		if last.at <= h[least].at {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = last
	return first
}
