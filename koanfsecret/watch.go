package koanfsecret

import (
	"context"
	"errors"

	"github.com/c0629bfc/secrets"
)

// Watch calls cb, with nils, after something changed: the client has the new
// value by then, so a Read in cb asks no store. Calls come one after the other,
// in a goroutine of the client's, and changes that come during one are one more.
// They end with Unwatch or when the client is closed. A change between a Read and
// Watch is not told: Read after Watch.
//
// Of a prefix, what is there now is watched: Watch lists it once, and then reads
// no more than what changes. What is created below it later is not seen before
// Unwatch and another Read; what is deleted makes Read fail once the client no
// longer serves it ([secrets.WithStaleIfDenied]).
func (s *Secrets) Watch(cb func(event any, err error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	s.mu.Lock()
	watching := len(s.watched) > 0
	s.mu.Unlock()
	if watching {
		return errors.New(s.source + ": it is watched already")
	}
	refs := []string{s.source}
	if s.prefix != nil {
		values, err := s.values(ctx)
		if err != nil {
			return err
		}
		refs = refs[:0]
		for _, v := range values {
			refs = append(refs, v.Ref().String())
		}
		if len(refs) == 0 {
			return errors.New(s.source + ": there is nothing below it to watch")
		}
	}
	var handles []*secrets.Handle[secrets.Value]
	var stops []func()
	var told []secrets.Value
	abandon := func() {
		for i, h := range handles {
			stops[i]()
			h.Close()
		}
	}
	for _, ref := range refs {
		h, err := secrets.Bind(ctx, s.client, ref, func(v secrets.Value) (secrets.Value, error) { return v, nil })
		if err != nil {
			abandon()
			return err
		}
		handles, told = append(handles, h), append(told, h.Value())
		stops = append(stops, h.OnChange(func(secrets.Value) { s.call() }))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watched) > 0 {
		abandon()
		return errors.New(s.source + ": it is watched already")
	}
	s.watched, s.stops, s.told, s.cb = handles, stops, told, cb
	return nil
}

// Unwatch ends Watch. It does not wait for a call that has begun or is about to;
// none follows that. Where nothing is watched, it does nothing.
func (s *Secrets) Unwatch() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, h := range s.watched {
		s.stops[i]()
		h.Close()
	}
	s.watched, s.stops, s.told, s.cb = nil, nil, nil, nil
	return nil
}

// call calls back, unless that is under way: then whoever does it looks once more.
func (s *Secrets) call() {
	s.mu.Lock()
	running := s.calling
	s.calling = true
	s.mu.Unlock()
	if running {
		return
	}
	ended := false
	defer func() {
		if !ended { // the callback panicked, which the client logs
			s.mu.Lock()
			defer s.mu.Unlock()
			s.calling = false
		}
	}()
	for cb := s.due(); cb != nil; cb = s.due() {
		cb(nil, nil)
	}
	ended = true
}

// due returns the callback of the Watch there is now, if it has something to
// hear, and ends the calling if not.
func (s *Secrets) due() (cb func(event any, err error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, h := range s.watched {
		if v := h.Value(); v != s.told[i] {
			s.told[i], cb = v, s.cb
		}
	}
	s.calling = cb != nil
	return cb
}
