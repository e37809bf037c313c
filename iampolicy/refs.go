package iampolicy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Refs returns the refs in the tags of a struct, sorted and each once, as
// Client.Load reads them: config is the struct, or a pointer to one, which may
// be nil. Vars is what the client is given by secrets.WithVar.
//
// The error joins what is wrong with the tags: a variable without a value, a
// "${" that is not closed. It is an error, too, if there are no tags.
func Refs(config any, vars map[string]string) ([]string, error) {
	t := reflect.TypeOf(config)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil, invalid("Refs(%T): want a struct, or a pointer to one", config)
	}
	w := &walk{vars: vars, visiting: make(map[reflect.Type]bool)}
	w.fields(t, t.Name())
	if len(w.refs) == 0 && len(w.errs) == 0 {
		w.errs = append(w.errs, invalid("Refs(%T): no field has a tag such as `secret:\"sm://prod/db\"`", config))
	}
	slices.Sort(w.refs)
	return slices.Compact(w.refs), errors.Join(w.errs...)
}

type walk struct {
	vars     map[string]string
	refs     []string
	errs     []error
	visiting map[reflect.Type]bool
}

// fields gathers the refs of a struct. What Client.Load fills it looks into.
func (w *walk) fields(t reflect.Type, path string) {
	if w.visiting[t] {
		return
	}
	w.visiting[t] = true
	defer delete(w.visiting, t)
	for i := range t.NumField() {
		f := t.Field(i)
		at := strings.TrimPrefix(path+"."+f.Name, ".")
		inner := f.Type
		if f.IsExported() && inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch tag, tagged := f.Tag.Lookup("secret"); {
		case tagged:
			ref, _, _ := strings.Cut(tag, ",")
			expanded, err := w.expand(ref)
			if err != nil {
				w.errs = append(w.errs, invalid("%s: %w", at, err))
				continue
			}
			w.refs = append(w.refs, expanded)
		case inner.Kind() == reflect.Struct && (f.IsExported() || f.Anonymous):
			w.fields(inner, at)
		}
	}
}

// expand puts the values of variables into a ref.
func (w *walk) expand(ref string) (string, error) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(ref, "${")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", fmt.Errorf(`%q: a "${" is not closed by a "}"`, ref)
		}
		value, known := w.vars[name]
		if !known {
			return "", fmt.Errorf("${%s} has no value: give it the one of secrets.WithVar", name)
		}
		b.WriteString(value)
		ref = after
	}
}
