package ssm_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

var token = strings.Repeat("t", 32)

// value is a value of /a without a type.
func value(t *testing.T, text string) provider.Value {
	return provider.NewValue(readtest.Ref(t, "ssm:///a"), provider.Version{}, "", text)
}

// once runs f before the first request of an operation.
func (b *bench) once(operation string, f func()) {
	var first sync.Once
	b.tap.Answer(func(op string) *http.Response {
		if op == operation {
			first.Do(f)
		}
		return nil
	})
}

// texts are the values of /a, by version.
func (b *bench) texts(t *testing.T) map[string]string {
	texts := make(map[string]string)
	for r, err := range b.store.History(t.Context(), "ssm:///a") {
		require.NoError(t, err)
		texts[r.Version.ID] = r.Value.Text()
	}
	return texts
}

func TestPutThatLosesARace(t *testing.T) {
	for name, test := range map[string]struct {
		between func(b *bench)
		says    string
		left    map[string]string
	}{
		"to one":  {func(b *bench) { b.SetParameter("/a", "other") }, "written as version 3, but over version 2, which was written after version 1: read it by ?version=2", map[string]string{"1": "first", "2": "other", "3": "mine"}},
		"to two":  {func(b *bench) { b.SetParameter("/a", "x"); b.SetParameter("/a", "y") }, "written as version 4, but over version 3", map[string]string{"1": "first", "2": "x", "3": "y", "4": "mine"}},
		"to none": {func(*bench) {}, "", map[string]string{"1": "first", "2": "mine"}},
		"to a deletion": {func(b *bench) {
			if b.store.DeleteMany(t.Context(), "ssm:///a")[0] != nil {
				panic("not deleted")
			}
		}, "written as version 1: the parameter was deleted meanwhile", map[string]string{"1": "mine"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.SetParameter("/a", "first")
			b.once("PutParameter", func() { test.between(b) })
			version, err := b.store.Put(t.Context(), value(t, "mine"), provider.Condition{Version: "1"})
			b.tap.Answer(nil)
			require.Equal(t, test.left, b.texts(t))
			if test.says == "" {
				require.NoError(t, err)
				require.Equal(t, "2", version.ID)
				return
			}
			require.ErrorIs(t, err, provider.ErrConflict)
			require.ErrorContains(t, err, test.says)
			readtest.RequireNoLeak(t, err, "other")
			require.Zero(t, version)
		})
	}
}

func TestPutOnAVersionThatIsNotCurrentWritesNothing(t *testing.T) {
	b := newBench(t)
	b.SetSecureParameter("/a", "1")
	b.SetSecureParameter("/a", "2")
	_, err := b.store.Put(t.Context(), value(t, "3"), provider.Condition{Version: "1"})
	require.ErrorIs(t, err, provider.ErrConflict)
	require.ErrorContains(t, err, "the current version is 2, not 1")
	require.Zero(t, b.Calls("PutParameter"))
	require.Zero(t, b.Decrypts(), "to compare versions takes no decryption")

	_, err = b.store.Put(t.Context(), value(t, "3").WithRef(readtest.Ref(t, "ssm:///missing")), provider.Condition{Version: "1"})
	require.ErrorIs(t, err, provider.ErrConflict)
	require.ErrorContains(t, err, "there is no such parameter")
}

// lost has the answer to the first request of an operation replaced by a
// failure after it took effect, so that the SDK makes it again.
func lost(b *bench, operation string) {
	cfg := b.Config()
	cfg.HTTPClient = &lossy{next: cfg.HTTPClient, operation: operation}
	b.store = ssm.New(cfg)
}

type lossy struct {
	next      aws.HTTPClient
	operation string
	once      sync.Once
}

func (l *lossy) Do(r *http.Request) (*http.Response, error) {
	out, err := l.next.Do(r)
	if _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); err == nil && operation == l.operation {
		l.once.Do(func() {
			_, _ = io.Copy(io.Discard, out.Body)
			_ = out.Body.Close()
			out = readtest.Answer(http.StatusInternalServerError, `{"__type":"InternalServerError"}`)
			out.Request = r
		})
	}
	return out, err
}

func TestAnswersThatAreLost(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *bench){
		"Create": func(t *testing.T, b *bench) {
			lost(b, "PutParameter")
			w, err := b.store.Create(t.Context(), "ssm:///a", ssm.SecureString("mine"), ssm.Attributes{})
			require.NoError(t, err)
			require.Equal(t, "1", w.Version.ID)
			require.Equal(t, map[string]string{"1": "mine"}, b.texts(t))
			require.Equal(t, 2, b.Calls("PutParameter"))
		},
		"Create of what another made": func(t *testing.T, b *bench) {
			b.Inject(secretstest.Fault{Operation: "PutParameter", Err: secretstest.Internal(), Times: 1})
			b.SetParameter("/a", "other")
			_, err := b.store.Create(t.Context(), "ssm:///a", ssm.String("mine"), ssm.Attributes{})
			require.ErrorIs(t, err, provider.ErrConflict)
		},
		"Create of what was there before": func(t *testing.T, b *bench) {
			b.SetParameter("/a", "other")
			b.SetParameter("/a", "mine")
			b.Inject(secretstest.Fault{Operation: "PutParameter", Err: secretstest.Internal(), Times: 1})
			_, err := b.store.Create(t.Context(), "ssm:///a", ssm.String("mine"), ssm.Attributes{})
			require.ErrorIs(t, err, provider.ErrConflict)
		},
		"Put if absent": func(t *testing.T, b *bench) {
			lost(b, "PutParameter")
			version, err := b.store.Put(t.Context(), value(t, "mine"), provider.Condition{Absent: true})
			require.NoError(t, err)
			require.Equal(t, "1", version.ID)
		},
		"Put on a version": func(t *testing.T, b *bench) {
			b.SetParameter("/a", "first")
			lost(b, "PutParameter")
			version, err := b.store.Put(t.Context(), value(t, "mine"), provider.Condition{Version: "1"})
			require.NoError(t, err, "the version between is its own")
			require.Equal(t, "3", version.ID)
			require.Equal(t, map[string]string{"1": "first", "2": "mine", "3": "mine"}, b.texts(t))
		},
		"Put on a version, and another's write": func(t *testing.T, b *bench) {
			b.SetParameter("/a", "first")
			b.Inject(secretstest.Fault{Operation: "PutParameter", Err: secretstest.Internal(), Times: 1})
			b.once("PutParameter", func() { b.SetParameter("/a", "other") })
			_, err := b.store.Put(t.Context(), value(t, "mine"), provider.Condition{Version: "1"})
			require.ErrorIs(t, err, provider.ErrConflict)
			require.ErrorContains(t, err, "over version 2")
		},
		"Delete": func(t *testing.T, b *bench) {
			b.SetParameter("/a", "x")
			lost(b, "DeleteParameter")
			require.NoError(t, b.store.Delete(t.Context(), readtest.Ref(t, "ssm:///a")))
			require.ErrorIs(t, b.store.Delete(t.Context(), readtest.Ref(t, "ssm:///a")), provider.ErrNotFound)
		},
		"DeleteMany": func(t *testing.T, b *bench) {
			b.SetParameter("/a", "x")
			b.SetParameter("/b", "x")
			lost(b, "DeleteParameters")
			require.Equal(t, []error{nil, nil}, b.store.DeleteMany(t.Context(), "ssm:///a", "ssm:///b"))
		},
		"Unlabel": func(t *testing.T, b *bench) {
			b.SetParameter("/a", "x")
			b.label(t, "/a", 1, "blue")
			lost(b, "UnlabelParameterVersion")
			require.NoError(t, b.store.Unlabel(t.Context(), "ssm:///a?version=1", "blue"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newBench(t, secretstest.InProcess())) })
		})
	}
}

func TestPutWithATokenWritesOnce(t *testing.T) {
	for name, cond := range map[string]provider.Condition{
		"": {Token: token}, "Absent": {Token: token, Absent: true}, "Version": {Token: token, Version: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if !cond.Absent {
				b.SetSecureParameter("/a", "first")
			}
			version, err := b.store.Put(t.Context(), value(t, "mine"), cond)
			require.NoError(t, err)
			again, err := b.store.Put(t.Context(), value(t, "mine"), cond)
			require.NoError(t, err)
			require.Equal(t, version.ID, again.ID)
			require.Equal(t, 1, b.Calls("PutParameter"))
		})
	}
	t.Run("AbsentOfAnotherVersion", func(t *testing.T) {
		b := newBench(t)
		b.SetSecureParameter("/a", "other")
		b.SetSecureParameter("/a", "mine")
		_, err := b.store.Put(t.Context(), value(t, "mine"), provider.Condition{Token: token, Absent: true})
		require.ErrorIs(t, err, provider.ErrConflict, "it was there before")
	})
	t.Run("AnotherType", func(t *testing.T) {
		b := newBench(t)
		b.SetSecureParameter("/a", "mine")
		v := ssm.String("mine").WithRef(readtest.Ref(t, "ssm:///a"))
		_, err := b.store.Put(t.Context(), v, provider.Condition{Token: token})
		require.ErrorIs(t, err, ssm.ErrInvalid)
		require.ErrorContains(t, err, "keeps its type")
	})
}

func TestPutReadsOnlyWhatItNeeds(t *testing.T) {
	b := newBench(t)
	ref := readtest.Ref(t, "ssm:///a")
	for _, test := range []struct {
		v     provider.Value
		cond  provider.Condition
		reads int
	}{
		{value(t, "1"), provider.Condition{}, 1}, // which type
		{ssm.SecureString("2").WithRef(ref), provider.Condition{}, 0},
		{ssm.SecureString("3").WithRef(ref), provider.Condition{Version: "2"}, 1},
		{ssm.SecureString("4").WithRef(ref), provider.Condition{Token: token}, 1},
	} {
		b.ResetCalls()
		_, err := b.store.Put(t.Context(), test.v, test.cond)
		require.NoError(t, err)
		require.Equal(t, test.reads, b.Calls("GetParameter"))
		require.Equal(t, test.reads+1, b.Calls())
	}
}

func TestTypesOfPut(t *testing.T) {
	b := newBench(t)
	ref := readtest.Ref(t, "ssm:///a")
	secret := provider.NewValue(ref, provider.Version{}, provider.SecretString, "x")
	_, err := b.store.Put(t.Context(), secret, provider.Condition{})
	require.NoError(t, err)
	require.Equal(t, provider.SecureString, b.store.Fetch(t.Context(), ref)[0].Value.Type(), "a secret becomes a SecureString")

	binary := provider.NewValue(ref, provider.Version{}, provider.SecretBinary, "hunter2\xff")
	b.ResetCalls()
	_, err = b.store.Put(t.Context(), binary, provider.Condition{})
	require.ErrorIs(t, err, ssm.ErrInvalid)
	readtest.RequireNoLeak(t, err, "hunter2")
	for _, cond := range []provider.Condition{
		{Absent: true, Version: "1"}, {Token: strings.Repeat("t", 31)}, {Token: strings.Repeat("t", 65)},
	} {
		_, err = b.store.Put(t.Context(), secret, cond)
		require.ErrorIs(t, err, ssm.ErrInvalid)
	}
	require.Zero(t, b.Calls())
}

func TestKMSKeyOfPut(t *testing.T) {
	b := newBench(t)
	b.store = ssm.New(b.Config(), ssm.WithKMSKey("alias/app"))
	for ref, v := range map[string]provider.Value{"ssm:///a": value(t, "x"), "ssm:///b": ssm.SecureString("x"), "ssm:///c": ssm.String("x")} {
		for range 2 {
			_, err := b.store.Put(t.Context(), v.WithRef(readtest.Ref(t, ref)), provider.Condition{})
			require.NoError(t, err)
		}
		m, err := b.store.Describe(t.Context(), ref)
		require.NoError(t, err)
		if ref == "ssm:///c" {
			require.Empty(t, m.KMSKey)
		} else {
			require.Equal(t, "alias/app", m.KMSKey)
		}
	}
	made, err := b.store.Create(t.Context(), "ssm:///d", ssm.SecureString("x"), ssm.Attributes{})
	require.NoError(t, err)
	require.Equal(t, ssm.Standard, made.Tier)
	key := func() string {
		m, err := b.store.Describe(t.Context(), "ssm:///d")
		require.NoError(t, err)
		return m.KMSKey
	}
	require.Equal(t, "alias/app", key())
	_, err = b.store.PutVersion(t.Context(), "ssm:///d", ssm.SecureString("y"), ssm.Attributes{KMSKey: "alias/other"})
	require.NoError(t, err)
	require.Equal(t, "alias/other", key())
	_, err = b.store.PutVersion(t.Context(), "ssm:///d", ssm.SecureString("z"), ssm.Attributes{})
	require.NoError(t, err)
	require.Equal(t, "alias/app", key())

	// A value without a type has the parameter's.
	for range 2 {
		_, err = b.store.PutVersion(t.Context(), "ssm:///d", value(t, "z"), ssm.Attributes{KMSKey: "alias/other"})
		require.NoError(t, err)
		require.Equal(t, "alias/other", key())
		_, err = b.store.PutVersion(t.Context(), "ssm:///d", value(t, "z"), ssm.Attributes{})
		require.NoError(t, err)
		require.Equal(t, "alias/app", key())
	}
	_, err = b.store.PutVersion(t.Context(), "ssm:///c", value(t, "z"), ssm.Attributes{})
	require.NoError(t, err)
	_, err = b.store.PutVersion(t.Context(), "ssm:///none", value(t, "z"), ssm.Attributes{})
	require.ErrorContains(t, err, "ssm:///none")
	remove := b.Inject(secretstest.Fault{Operation: "GetParameter", Err: secretstest.AccessDenied()})
	_, err = b.store.PutVersion(t.Context(), "ssm:///d", value(t, "z"), ssm.Attributes{})
	require.ErrorIs(t, err, provider.ErrAccessDenied)
	require.ErrorContains(t, err, "ssm:///d")
	remove()
}
