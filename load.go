package secrets

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/c0629bfc/secrets/provider"
)

// Load fills the struct that dst points to: each field that has a tag
//
//	URL      *url.URL               `secret:"ssm:///${env}/app/url"`
//	Password string                 `secret:"sm://${env}/db#password"`
//	Workers  int                    `secret:"ssm:///${env}/app/workers,default=4"`
//	Limits   Limits                 `secret:"ssm:///${env}/app/limits,json"`
//	Sentry   string                 `secret:"sm://${env}/sentry,optional"`
//	DB       *Handle[DBSecret]      `secret:"sm://${env}/db"`
//
// gets the value that the tag's ref names, decoded for the field's type: text,
// bytes, numbers, bool, [time.Duration], [time.Time], URLs, []string (a
// StringList), certificates and keys, [DBSecret], [Value], whatever implements
// [encoding.TextUnmarshaler], and with ",json" any type by its JSON. A field that
// is a *[Handle] follows its value from then on; every other field is read once.
// Structs without a tag, embedded ones and pointers to them are filled alike.
//
// ${name} stands for what [WithVar] says. A value that is missing (not found,
// version not found, field not found) leaves a field with ",optional" as it is,
// and gives one with ",default=" that text, which is all that follows, commas
// included; a handle with a default takes the value once there is one. Any other
// failure is an error.
//
// All refs are read in as few calls as the stores allow. If anything fails dst
// stays as it was, and the error joins all that went wrong, each with the field
// and the ref. Dst must not be used meanwhile.
func (c *Client) Load(ctx context.Context, dst any) error {
	p := reflect.ValueOf(dst)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("secrets: Load(%T): want a pointer to a struct", dst)
	}
	l := &loading{client: c, visiting: make(map[reflect.Type]bool)}
	l.walk(p.Elem(), p.Elem().Type().Name())
	if len(l.fields) == 0 && len(l.errs) == 0 {
		return fmt.Errorf("secrets: Load(%T): no field has a tag such as `secret:\"sm://prod/db\"`", dst)
	}
	if len(l.errs) > 0 {
		return errors.Join(l.errs...)
	}
	return l.load(ctx)
}

type loading struct {
	client   *Client
	fields   []*loadField
	errs     []error
	inits    []func() // of pointers to structs that were nil
	visiting map[reflect.Type]bool
}

// loadField is a field to fill.
type loadField struct {
	path, ref            string
	into                 reflect.Value // settable
	json, optional, dflt bool
	text                 string // of the default
}

func (l *loading) fail(path, ref string, err error) {
	if ref != "" {
		err = named(ref, err)
	}
	l.errs = append(l.errs, fmt.Errorf("%s: %w", path, err))
}

// walk gathers the fields of a struct.
func (l *loading) walk(v reflect.Value, path string) {
	t := v.Type()
	if l.visiting[t] {
		return // a list or a tree of itself: what is nil in it stays nil
	}
	l.visiting[t] = true
	defer delete(l.visiting, t)
	for i := range t.NumField() {
		sf, field := t.Field(i), v.Field(i)
		at := strings.TrimPrefix(path+"."+sf.Name, ".")
		tag, tagged := sf.Tag.Lookup("secret")
		switch {
		case tagged && !sf.IsExported():
			l.fail(at, "", errors.New("the field is not exported"))
		case tagged:
			if f, err := l.field(at, tag, field); err != nil {
				ref, _, _ := strings.Cut(tag, ",")
				l.fail(at, ref, err)
			} else {
				l.fields = append(l.fields, f)
			}
		case sf.IsExported() && field.Kind() == reflect.Struct:
			l.walk(field, at)
		case sf.IsExported() && field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.Struct:
			l.walkPointer(field, at)
		case sf.Anonymous && field.Kind() == reflect.Struct: // an embedded struct's exported fields can be set
			l.walk(field, at)
		}
	}
}

// walkPointer gathers the fields of what a pointer points to; a nil one gets a
// struct if there is something to fill in it.
func (l *loading) walkPointer(p reflect.Value, path string) {
	if !p.IsNil() {
		l.walk(p.Elem(), path)
		return
	}
	fresh, before := reflect.New(p.Type().Elem()), len(l.fields)
	l.walk(fresh.Elem(), path)
	if len(l.fields) > before {
		l.inits = append(l.inits, func() { p.Set(fresh) })
	}
}

// field reads a tag: a ref and its options.
func (l *loading) field(path, tag string, into reflect.Value) (*loadField, error) {
	f := &loadField{path: path, into: into}
	var err error
	ref, options, _ := strings.Cut(tag, ",")
	if f.ref, err = l.client.expand(ref); err != nil {
		return nil, err
	}
	for rest := options; rest != ""; {
		var option string
		if text, ok := strings.CutPrefix(rest, "default="); ok {
			f.dflt, f.text = true, text
			break
		}
		switch option, rest, _ = strings.Cut(rest, ","); option {
		case "json":
			f.json = true
		case "optional":
			f.optional = true
		default:
			return nil, fmt.Errorf("%q is none of the options json, optional and default=: write a comma of the ref itself as %%2C", option)
		}
	}
	if f.optional && f.dflt {
		return nil, errors.New("it is optional and has a default: one of them says what to do")
	}
	r, _, err := l.client.parse(f.ref)
	if err != nil {
		return nil, err
	}
	if b, ok := into.Interface().(binder); ok {
		if err := b.decodable(f.json); err != nil || !f.dflt {
			return f, err
		}
		return f, b.check(f.defaultValue(r), f.json)
	}
	if err := decodable(into.Type(), f.json); err != nil || !f.dflt {
		return f, err
	}
	return f, decodeInto(f.defaultValue(r), reflect.New(into.Type()).Elem(), f.json)
}

func (f *loadField) defaultValue(r provider.Ref) Value {
	return provider.NewValue(r, provider.Version{}, provider.String, f.text)
}

// load reads all values, and sets the fields if none failed.
func (l *loading) load(ctx context.Context) error {
	c := l.client
	refs := make([]string, len(l.fields))
	for i, f := range l.fields {
		refs[i] = f.ref
	}
	errOf := make(map[string]error, len(refs))
	values := make(map[string]Value, len(refs))
	c.readAll(ctx, refs, wantValue, func(ref string, v Value, err error) {
		values[ref], errOf[ref] = v, err
	})
	var sets, undo []func()
	for _, f := range l.fields {
		v, err := values[f.ref], errOf[f.ref]
		if err != nil && missing(err) {
			if f.optional {
				continue
			}
			if f.dflt {
				r, _ := provider.ParseRef(f.ref)
				v, err = f.defaultValue(r), nil
			}
		}
		if err != nil {
			l.fail(f.path, f.ref, err)
			continue
		}
		if b, ok := f.into.Interface().(binder); ok {
			h, closing, err := b.bind(ctx, c, f)
			if err != nil {
				l.fail(f.path, f.ref, err)
				continue
			}
			undo = append(undo, closing)
			sets = append(sets, func() { f.into.Set(reflect.ValueOf(h)) })
			continue
		}
		decoded := reflect.New(f.into.Type()).Elem()
		if err := decodeInto(v, decoded, f.json); err != nil {
			l.fail(f.path, f.ref, err)
			continue
		}
		sets = append(sets, func() { f.into.Set(decoded) })
	}
	if len(l.errs) > 0 {
		for _, closing := range undo {
			closing()
		}
		return errors.Join(l.errs...)
	}
	for _, init := range l.inits {
		init()
	}
	for _, set := range sets {
		set()
	}
	return nil
}

// binder is a *Handle[T], also a nil one, of whatever T.
type binder interface {
	decodable(asJSON bool) error
	check(v Value, asJSON bool) error
	bind(ctx context.Context, c *Client, f *loadField) (handle any, closing func(), err error)
}

func (*Handle[T]) decodable(asJSON bool) error { return decodable(reflect.TypeFor[T](), asJSON) }

func (*Handle[T]) check(v Value, asJSON bool) error {
	_, err := decodeAs[T](asJSON)(v)
	return err
}

func (*Handle[T]) bind(ctx context.Context, c *Client, f *loadField) (any, func(), error) {
	decode := decodeAs[T](f.json)
	var fallback *T
	if f.dflt {
		r, _ := provider.ParseRef(f.ref)
		value, err := decode(f.defaultValue(r))
		if err != nil {
			return nil, nil, err
		}
		fallback = &value
	}
	h, err := bindOr(ctx, c, f.ref, decode, fallback)
	if err != nil {
		return nil, nil, err
	}
	return h, h.Close, nil
}

// decodeAs is the decoder that decodeInto would use for a T.
func decodeAs[T any](asJSON bool) func(Value) (T, error) {
	return func(v Value) (value T, err error) {
		err = decodeInto(v, reflect.ValueOf(&value).Elem(), asJSON)
		return value, err
	}
}

// missing reports whether an error says that there is no such value.
func missing(err error) bool {
	return errors.Is(err, provider.ErrNotFound) || errors.Is(err, provider.ErrVersionNotFound) || errors.Is(err, provider.ErrFieldNotFound)
}

// expand puts the values of WithVar into a ref.
func (c *Client) expand(ref string) (string, error) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(ref, "${")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, after, ok := strings.Cut(rest, "}")
		value, known := c.vars[name]
		switch {
		case !ok:
			return "", errors.New(`a "${" is not closed by a "}"`)
		case !known:
			return "", fmt.Errorf("${%s} has no value: give it one by WithVar", name)
		}
		b.WriteString(value)
		ref = after
	}
}

// plain reports whether s may be a variable or its value: nothing in it can end
// a part of a ref.
func plain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("/_.-", c)
	})
}
