package providertest_test

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

var _ provider.Writer = (*memory)(nil)

func (m *memory) Put(ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error) {
	ref := v.Ref()
	if err := m.writable(ctx, ref); err != nil {
		return provider.Version{}, err
	}
	if err := m.wait(ctx, ref); err != nil {
		return provider.Version{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	versions := m.values[ref.Name]
	e := entry{content: v.Text(), typ: v.Type(), token: cond.Token}
	for i, old := range versions {
		if cond.Token != "" && old.token == cond.Token {
			return version(i+1, old), nil
		}
	}
	if cond.Absent && len(versions) > 0 || cond.Version != "" && cond.Version != fmt.Sprint(len(versions)) {
		return provider.Version{}, &provider.Error{Ref: ref, Kind: provider.ErrConflict}
	}
	switch {
	case e.typ == "" && len(versions) > 0:
		e.typ = versions[len(versions)-1].typ
	case e.typ == "":
		e.typ = provider.SecretString
	}
	m.serial++
	e.created = time.Unix(m.serial, 0)
	m.values[ref.Name] = append(versions, e)
	return version(len(versions)+1, e), nil
}

func (m *memory) Delete(ctx context.Context, ref provider.Ref) error {
	if err := m.writable(ctx, ref); err != nil {
		return err
	}
	if err := m.wait(ctx, ref); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values[ref.Name] == nil {
		return &provider.Error{Ref: ref, Kind: provider.ErrNotFound}
	}
	delete(m.values, ref.Name)
	return nil
}

func (m *memory) writable(ctx context.Context, ref provider.Ref) error {
	switch {
	case ctx.Err() != nil:
		return &provider.Error{Ref: ref, Kind: provider.ErrUnavailable, Err: ctx.Err()}
	case ref != provider.Ref{Scheme: "mem", Name: ref.Name} || ref.Name == "":
		return &provider.Error{Ref: ref, Kind: provider.ErrInvalidRef}
	}
	return nil
}

// wait holds a call while the store is blocked.
func (m *memory) wait(ctx context.Context, ref provider.Ref) error {
	m.mu.Lock()
	blocked := m.blocked
	m.mu.Unlock()
	if blocked == nil {
		return nil
	}
	close(blocked)
	<-ctx.Done()
	return &provider.Error{Ref: ref, Kind: provider.ErrUnavailable, Err: ctx.Err()}
}

// putWith puts otherwise than it was told.
func putWith(change func(m *memory, v provider.Value, cond provider.Condition) (provider.Value, provider.Condition)) func(*memory, context.Context, provider.Value, provider.Condition) (provider.Version, error) {
	return func(m *memory, ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error) {
		v, cond = change(m, v, cond)
		return m.Put(ctx, v, cond)
	}
}

// writeFaults are what a Writer may get wrong.
var writeFaults = map[string]struct {
	broken
	noticed string
}{
	"PutTellsAnotherVersion": {noticed: "Write/Creates", broken: broken{put: func(m *memory, ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error) {
		version, err := m.Put(ctx, v, cond)
		if err == nil {
			version.ID += "0"
		}
		return version, err
	}}},
	"PutOverwritesAVersion": {noticed: "Write/Replaces", broken: broken{put: func(m *memory, ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error) {
		m.mu.Lock()
		delete(m.values, v.Ref().Name)
		m.mu.Unlock()
		return m.Put(ctx, v, provider.Condition{})
	}}},
	"PutForgetsTheType": {noticed: "Write/KeepsTheType", broken: broken{put: putWith(func(_ *memory, v provider.Value, cond provider.Condition) (provider.Value, provider.Condition) {
		if v.Type() == "" {
			v = provider.NewValue(v.Ref(), provider.Version{}, provider.SecretString, v.Text())
		}
		return v, cond
	})}},
	"PutTrims": {noticed: "Write/Binary", broken: broken{put: putWith(func(_ *memory, v provider.Value, cond provider.Condition) (provider.Value, provider.Condition) {
		if v.Binary() {
			v = provider.NewValue(v.Ref(), provider.Version{}, v.Type(), v.Text()[:len(v.Text())-1])
		}
		return v, cond
	})}},
	"PutIgnoresAbsent": {noticed: "Write/OnlyIfAbsent", broken: broken{put: putWith(func(_ *memory, v provider.Value, cond provider.Condition) (provider.Value, provider.Condition) {
		cond.Absent = false
		return v, cond
	})}},
	"PutIgnoresVersion": {noticed: "Write/OnlyIfVersion", broken: broken{put: putWith(func(_ *memory, v provider.Value, cond provider.Condition) (provider.Value, provider.Condition) {
		cond.Version = ""
		return v, cond
	})}},
	"PutWritesBeforeItCompares": {noticed: "Write/OnlyIfVersion", broken: broken{put: func(m *memory, ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error) {
		version, err := m.Put(ctx, v, cond)
		if err != nil && ctx.Err() == nil && v.Ref().Scheme == "mem" {
			_, _ = m.Put(ctx, v, provider.Condition{})
		}
		return version, err
	}}},
	"PutIgnoresTheToken": {noticed: "Write/RepeatedWithItsToken", broken: broken{put: putWith(func(_ *memory, v provider.Value, cond provider.Condition) (provider.Value, provider.Condition) {
		cond.Token = ""
		return v, cond
	})}},
	"PutComparesInTwoSteps": {noticed: "Write/OneWinner", broken: broken{put: func(m *memory, ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error) {
		m.mu.Lock()
		stale := cond.Version != "" && cond.Version != fmt.Sprint(len(m.values[v.Ref().Name]))
		m.mu.Unlock()
		if stale {
			return m.Put(ctx, v, cond)
		}
		for range 1000 { // in which another writes
			runtime.Gosched()
		}
		cond.Version = ""
		return m.Put(ctx, v, cond)
	}}},
	"PutTakesAField": {noticed: "Write/Malformed", broken: broken{put: putWith(func(_ *memory, v provider.Value, cond provider.Condition) (provider.Value, provider.Condition) {
		return v.WithRef(v.Ref().Base()), cond
	})}},
	"PutIgnoresContext": {noticed: "Write/EndedContext", broken: broken{put: func(m *memory, ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error) {
		if ctx.Err() != nil { // not when it ends later, which would hang
			ctx = context.WithoutCancel(ctx)
		}
		return m.Put(ctx, v, cond)
	}}},
	"PutErrorLeaksValue": {noticed: "Write/OnlyIfAbsent", broken: broken{put: func(m *memory, ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error) {
		version, err := m.Put(ctx, v, cond)
		if err != nil {
			err.(*provider.Error).Hint = "not " + v.Text()
		}
		return version, err
	}}},
	"DeleteTakesAll": {noticed: "Write/Deletes", broken: broken{remove: func(m *memory, ctx context.Context, ref provider.Ref) error {
		err := m.Delete(ctx, ref)
		if err == nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			clear(m.values)
		}
		return err
	}}},
	"DeleteOfMissingSucceeds": {noticed: "Write/Deletes", broken: broken{remove: func(m *memory, ctx context.Context, ref provider.Ref) error {
		err := m.Delete(ctx, ref)
		if e, ok := err.(*provider.Error); ok && e.Kind == provider.ErrNotFound {
			return nil
		}
		return err
	}}},
	"DeleteDoesNothing": {noticed: "Write/Deletes", broken: broken{remove: func(m *memory, ctx context.Context, ref provider.Ref) error {
		return m.writable(ctx, ref)
	}}},
}
