package secrets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// An error of the program's own decoder may quote the value. Who wants to see
// it unwraps it.
func TestAnErrorThatQuotesTheValueIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &store{}
		s.set("n", "1")
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute), secrets.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		h := bind(t, c, "mem://n", func(v secrets.Value) (int, error) { return strconv.Atoi(v.Text()) })
		s.set("n", "hunter2")
		require.NoError(t, c.Refresh(t.Context()))
		synctest.Wait()
		_, err := secrets.Bind(t.Context(), c, "mem://n", func(v secrets.Value) (int, error) { return strconv.Atoi(v.Text()) })
		for _, err := range []error{h.Err(), err} {
			require.ErrorContains(t, err, "mem://n")
			require.ErrorContains(t, err, "*strconv.NumError")
			require.NotContains(t, fmt.Sprintf("%v %+v %#v %q", err, err, err, err), "hunter2")
			quoted, ok := errors.AsType[*strconv.NumError](err)
			require.True(t, ok)
			require.Equal(t, "hunter2", quoted.Num)
		}
		require.Contains(t, log.String(), "cannot be decoded")
		require.NotContains(t, log.String(), "hunter2")
	})
}

// quote is an error that is no pointer, which fmt would look into.
type quote struct{ text string }

func (q quote) Error() string { return "bad " + q.text }

func TestAQuotingErrorOfAnyKindIsNotShown(t *testing.T) {
	s := &store{}
	s.set("n", "hunter2")
	c := open(t, secrets.WithProvider(s))
	for _, quoting := range []error{quote{"hunter2"}, &quote{"hunter2"}, errors.New("hunter2"), fmt.Errorf("a %w", quote{"hunter2"}), &strconv.NumError{Num: "hunter2", Err: strconv.ErrSyntax}} {
		_, err := secrets.Bind(t.Context(), c, "mem://n", func(secrets.Value) (int, error) { return 0, quoting })
		require.ErrorContains(t, err, "mem://n")
		require.ErrorIs(t, err, quoting)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown := fmt.Sprintf(verb, err)
			require.NotContains(t, shown, "hunter2", "%T %s", quoting, verb)
			require.NotContains(t, shown, "68756e74657232", "%T %s", quoting, verb)
		}
	}
}

// What is in them is in use meanwhile: with the race detector this fails if it
// is printed.
func TestClientsAndHandlesPrintNothingOfThemselves(t *testing.T) {
	s := &store{}
	s.set("n", "1")
	c := open(t, secrets.WithProvider(s))
	h := bind(t, c, "mem://n", secrets.Text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, "secrets.Client", fmt.Sprintf(verb, c))
		require.Equal(t, "secrets.Handle(mem://n)", fmt.Sprintf(verb, h))
	}
}

// A handle that holds a default says that what it names does not exist.
func TestHandleWithADefaultSaysWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		c := open(t, secrets.WithProvider(s))
		var dst struct {
			N *secrets.Handle[int] `secret:"mem://n,default=7"`
		}
		require.NoError(t, c.Load(t.Context(), &dst))
		require.Equal(t, 7, dst.N.Load())
		require.ErrorIs(t, dst.N.Err(), provider.ErrNotFound)
	})
}

// A write that changes the type is read back as what the store made of it.
func TestPutOfAnotherType(t *testing.T) {
	server, c := connect(t, secretstest.NewServer(t))
	server.SetParameter("/n", "a,b")
	require.Equal(t, provider.String, get(t, c, "ssm:///n").Type())
	require.NoError(t, c.Delete(t.Context(), "ssm:///n"))
	_, err := c.Put(t.Context(), "ssm:///n", "a,b", secrets.As(provider.SecretString))
	require.NoError(t, err)
	require.Equal(t, provider.SecureString, get(t, c, "ssm:///n").Type())

	for _, typ := range []provider.Type{provider.StringList, "nonsense"} {
		_, err = c.Put(t.Context(), "sm://n", "x", secrets.As(typ))
		require.ErrorIs(t, err, provider.ErrInvalid)
		require.ErrorContains(t, err, string(typ))
	}
	_, err = c.Put(t.Context(), "sm://n", "x", secrets.As(provider.SecretBinary))
	require.NoError(t, err)
	require.Equal(t, provider.SecretBinary, get(t, c, "sm://n").Type())
	_, err = c.Put(t.Context(), "sm://n", "y", secrets.As(provider.SecretString))
	require.NoError(t, err)
	require.Equal(t, provider.SecretString, get(t, c, "sm://n").Type())
}

// Whoever takes one store's slashes for the other's is told.
func TestAMistakenSlashIsTold(t *testing.T) {
	_, c := connect(t, secretstest.NewServer(t))
	for ref, cure := range map[string]string{"sm:///prod/db": "sm://prod/db has not", "ssm://prod/db": "ssm:///prod/db"} {
		_, err := c.Get(t.Context(), ref)
		require.ErrorIs(t, err, provider.ErrNotFound)
		require.ErrorContains(t, err, cure)
	}
}

// An observer knows what is listed from the moment that the store is asked.
func TestListingsAreObserved(t *testing.T) {
	var told []string
	observer := func(name string) secrets.Option {
		return secrets.WithObserver(secrets.Observer{Listed: func(_ context.Context, prefix string) { told = append(told, name+" "+prefix) }})
	}
	_, c := connect(t, secretstest.NewServer(t), observer("a"), observer("b"))
	listing := c.List(t.Context(), "ssm:///prod/")
	require.Empty(t, told)
	for range listing {
		continue
	}
	for _, err := range c.List(t.Context(), "no prefix") {
		require.Error(t, err)
	}
	require.Equal(t, []string{"a ssm:///prod/", "b ssm:///prod/"}, told)
}

// What the log says of a value that was deleted while a handle holds it is true.
func TestLogOfADeletedValueThatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		server, c := world(t, secrets.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		server.SetParameter("/n", "1")
		h := bind(t, c, "ssm:///n", number)
		require.NoError(t, c.Delete(t.Context(), "ssm:///n"))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, 1, h.Load())
		require.ErrorIs(t, h.Err(), provider.ErrNotFound)
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
		require.Contains(t, log.String(), "handles keep what they have")
	})
}
