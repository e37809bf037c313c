package secrets

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding"
	"fmt"
	"net/url"
	"reflect"
	"time"
)

// decodeInto sets field, which must be settable, to what v decodes to for its
// type, as JSON where asJSON says so. Where it fails, field is as it was. A type
// that has no decoder is the error of [decodable]; all others are those of the
// decoders.
func decodeInto(v Value, field reflect.Value, asJSON bool) error {
	set := setterOf(field.Type(), asJSON)
	if set == nil {
		return decodable(field.Type(), asJSON)
	}
	decoded := reflect.New(field.Type()).Elem()
	if err := set(v, decoded); err != nil {
		return err
	}
	field.Set(decoded)
	return nil
}

// decodable tells whether decodeInto can set a field of type t.
func decodable(t reflect.Type, asJSON bool) error {
	if setterOf(t, asJSON) == nil {
		return fmt.Errorf("a value does not decode to a %s: read it as JSON, or give the type UnmarshalText", t)
	}
	return nil
}

type setter func(v Value, to reflect.Value) error

func setterFor[T any](decode func(Value) (T, error)) setter {
	return func(v Value, to reflect.Value) error {
		x, err := decode(v)
		if err == nil {
			to.Set(reflect.ValueOf(x))
		}
		return err
	}
}

// setters are the types that have a decoder of their own; pointers to them have
// it too.
var setters = map[reflect.Type]setter{
	reflect.TypeFor[Value]():           setterFor(func(v Value) (Value, error) { return v, nil }),
	reflect.TypeFor[DBSecret]():        setterFor(JSON[DBSecret]),
	reflect.TypeFor[time.Duration]():   setterFor(Duration),
	reflect.TypeFor[time.Time]():       setterFor(Time),
	reflect.TypeFor[tls.Certificate](): setterFor(KeyPair),
	reflect.TypeFor[*x509.CertPool]():  setterFor(CertPool),
	reflect.TypeFor[crypto.Signer]():   setterFor(PrivateKey),
	reflect.TypeFor[*url.URL]():        setterFor(URL),
	reflect.TypeFor[url.URL](): func(v Value, to reflect.Value) error {
		u, err := URL(v)
		if err == nil {
			to.Set(reflect.ValueOf(*u))
		}
		return err
	},
}

// setterOf returns what decodes into a t; nil if nothing does.
func setterOf(t reflect.Type, asJSON bool) setter {
	if t == reflect.TypeFor[Value]() {
		return setters[t]
	}
	if asJSON {
		return func(v Value, to reflect.Value) error { return decodeJSON(v, to.Addr().Interface(), false) }
	}
	if set := setters[t]; set != nil {
		return set
	}
	if t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return func(v Value, to reflect.Value) error {
			return decodeTextUnmarshaler(v, to.Addr().Interface().(encoding.TextUnmarshaler))
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Pointer {
			return nil
		}
		set := setterOf(t.Elem(), false)
		if set == nil {
			return nil
		}
		return func(v Value, to reflect.Value) error {
			to.Set(reflect.New(t.Elem()))
			return set(v, to.Elem())
		}
	case reflect.String:
		return setting(Text, reflect.Value.SetString)
	case reflect.Bool:
		return setting(Bool, reflect.Value.SetBool)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return setting(func(v Value) (int64, error) { return decodeInt(v, t.Bits()) }, reflect.Value.SetInt)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return setting(func(v Value) (uint64, error) { return decodeUint(v, t.Bits()) }, reflect.Value.SetUint)
	case reflect.Float32, reflect.Float64:
		return setting(func(v Value) (float64, error) { return decodeFloat(v, t.Bits()) }, reflect.Value.SetFloat)
	case reflect.Slice:
		switch {
		case t.Elem().Kind() == reflect.Uint8:
			return setting(Bytes, reflect.Value.SetBytes)
		case t.Elem() == reflect.TypeFor[string]():
			return setting(List, func(to reflect.Value, list []string) { to.Set(reflect.ValueOf(list).Convert(t)) })
		}
	}
	return nil
}

// setting makes a setter of a decoder and of what sets its kind.
func setting[T any](decode func(Value) (T, error), set func(reflect.Value, T)) setter {
	return func(v Value, to reflect.Value) error {
		x, err := decode(v)
		if err == nil {
			set(to, x)
		}
		return err
	}
}
