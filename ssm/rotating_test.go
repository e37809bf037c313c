package ssm_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

// door is a target with one password.
type door struct {
	mu       sync.Mutex
	password string
	next     string
	set      func() error // after the effect
}

func (d *door) Next(context.Context, provider.Value) (string, error) { return d.next, nil }

func (d *door) Set(_ context.Context, _, pending, _ provider.Value) error {
	d.mu.Lock()
	d.password = pending.Text()
	d.mu.Unlock()
	if d.set != nil {
		return d.set()
	}
	return nil
}

func (d *door) Test(_ context.Context, pending provider.Value) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.password != pending.Text() {
		return errors.New("refused")
	}
	return nil
}

func rotate(t testing.TB, store *ssm.Store, d *door) error {
	t.Helper()
	return rotation.Rotate(t.Context(), store, "ssm:///prod/db", d, rotation.WithLogger(quietLog))
}

func seedRotation(t testing.TB) (*secretstest.Server, *ssm.Store, *door) {
	srv := secretstest.NewServer(t, secretstest.InProcess())
	srv.SetSecureParameter("/prod/db", "hunter2-0")
	return srv, ssm.New(srv.Config()), &door{password: "hunter2-0", next: "hunter2-1"}
}

func text(t testing.TB, store *ssm.Store, ref string) string {
	t.Helper()
	parsed, err := provider.ParseRef(ref)
	require.NoError(t, err)
	r := store.Fetch(t.Context(), parsed)[0]
	if r.Err != nil {
		return "error"
	}
	return r.Value.Text()
}

// TestAStalledProcessWritesNothing: what would be signed when the lease is about
// to end is not sent, and the next process finishes.
func TestAStalledProcessWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store, d := seedRotation(t)
		ref, _ := provider.ParseRef("ssm:///prod/db")
		r, err := store.BeginRotation(t.Context(), ref, provider.RotationOptions{})
		require.NoError(t, err)
		require.NoError(t, r.StorePending(t.Context(), "hunter2-1"))
		require.Equal(t, 9*time.Minute+30*time.Second, time.Until(r.State().Until))
		d.password = "hunter2-1"
		time.Sleep(10 * time.Minute)
		for _, write := range []func(context.Context) error{r.Promote, r.Abandon} {
			err := write(t.Context())
			require.ErrorIs(t, err, provider.ErrConflict)
			require.ErrorContains(t, err, "lease")
		}
		require.Equal(t, 1, srv.Calls("PutParameter"), "the pending one alone")
		require.Zero(t, srv.Calls("DeleteParameter"))
		require.Equal(t, "hunter2-0", text(t, store, "ssm:///prod/db"))
		require.Equal(t, "hunter2-1", text(t, store, "ssm:///.rotation/prod/db"))

		other := ssm.New(srv.Config())
		d.next = "hunter2-2"
		err = rotate(t, other, d)
		require.ErrorIs(t, err, provider.ErrConflict)
		require.ErrorContains(t, err, "until 2000-01-01T00:15:00Z")
		time.Sleep(5*time.Minute + time.Second)
		began := time.Now()
		require.NoError(t, rotate(t, other, d))
		require.Equal(t, 6*time.Minute+30*time.Second, time.Since(began).Round(30*time.Second), "nobody lets go of what was taken over until no rival can write")
		require.Equal(t, "hunter2-1", text(t, other, "ssm:///prod/db"), "the value that the database has")
		require.Equal(t, "hunter2-0", text(t, other, "ssm:///prod/db?label=previous"))
		require.Equal(t, "error", text(t, other, "ssm:///.rotation/prod/db"))
	})
}

// TestAValueThatAWSWouldNotPutIsNotSet: the database does not learn what the
// parameter can never hold.
func TestAValueThatAWSWouldNotPutIsNotSet(t *testing.T) {
	srv := secretstest.NewServer(t)
	store, d := ssm.New(srv.Config()), &door{password: "aaaa", next: "BBBB"}
	_, err := store.Create(t.Context(), "ssm:///prod/db", ssm.SecureString("aaaa"), ssm.Attributes{AllowedPattern: "^[a-z]+$"})
	require.NoError(t, err)
	err = rotate(t, store, d)
	require.ErrorIs(t, err, ssm.ErrInvalid)
	require.ErrorContains(t, err, "allowed pattern")
	require.Equal(t, "aaaa", d.password)
	require.Equal(t, "error", text(t, store, "ssm:///.rotation/prod/db"), "nothing is pending")
	d.next = "bbbb"
	require.NoError(t, rotate(t, store, d))
	require.Equal(t, "bbbb", text(t, store, "ssm:///prod/db"))
}

// TestAParameterThatTakesNoMoreVersionsIsNotRotated, before the database learns
// the next value.
func TestAParameterThatTakesNoMoreVersionsIsNotRotated(t *testing.T) {
	srv, store, d := seedRotation(t)
	require.NoError(t, rotate(t, store, d))
	for range 98 { // after two, of which the first has the label "previous"
		srv.SetSecureParameter("/prod/db", "by hand")
	}
	d.password, d.next = "by hand", "hunter2-2"
	err := rotate(t, store, d)
	require.ErrorIs(t, err, ssm.ErrInvalid)
	require.ErrorContains(t, err, "100 versions, and the oldest, which would go, is kept by the label previous: it is version 1")
	require.Equal(t, "by hand", d.password)
	require.Equal(t, "error", text(t, store, "ssm:///.rotation/prod/db"), "nothing is pending")
	require.NoError(t, store.Label(t.Context(), "ssm:///prod/db", "previous"))
	require.NoError(t, rotate(t, store, d))
	require.Equal(t, "hunter2-2", text(t, store, "ssm:///prod/db"))
}

func TestTheSameProcessGoesOnAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, store, d := seedRotation(t)
		d.set = func() error { return errors.New("timed out") }
		require.ErrorContains(t, rotate(t, store, d), "ssm:///prod/db: setSecret: timed out")
		d.set, d.next = nil, "hunter2-2"
		began := time.Now()
		require.NoError(t, rotate(t, store, d))
		require.Zero(t, time.Since(began))
		require.Equal(t, "hunter2-1", text(t, store, "ssm:///prod/db"))
	})
}

func TestAVersionWrittenByHandMeanwhileIsThePreviousOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store, d := seedRotation(t)
		d.set = func() error { srv.SetSecureParameter("/prod/db", "by hand"); return nil }
		require.NoError(t, rotate(t, store, d))
		require.Equal(t, "hunter2-1", text(t, store, "ssm:///prod/db"))
		require.Equal(t, "by hand", text(t, store, "ssm:///prod/db?label=previous"))
	})
}

func TestAVersionKeepsWhatAParameterHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		store := ssm.New(srv.Config(), ssm.WithRotationPrefix("/pending/"))
		_, err := store.Create(t.Context(), "ssm:///prod/db", ssm.SecureString("hunter2-0"), ssm.Attributes{
			KMSKey: "alias/prod", Tier: ssm.Advanced, Description: "of the shop", AllowedPattern: `hunter2-\d`,
			Policies: ssm.Policies{ssm.NoChangeNotification{After: 24 * time.Hour}},
		})
		require.NoError(t, err)
		d := &door{next: "hunter2-1"}
		d.set = func() error {
			m, err := store.Describe(t.Context(), "ssm:///pending/prod/db")
			require.NoError(t, err)
			require.Equal(t, "alias/prod", m.KMSKey)
			require.Equal(t, provider.SecureString, m.Type)
			require.NotContains(t, m.Description, "hunter2")
			return nil
		}
		before, err := store.Describe(t.Context(), "ssm:///prod/db")
		require.NoError(t, err)
		require.NoError(t, rotate(t, store, d))
		after, err := store.Describe(t.Context(), "ssm:///prod/db")
		require.NoError(t, err)
		require.Equal(t, "2", after.Version.ID)
		before.Version, after.Version = provider.Version{}, provider.Version{}
		require.Equal(t, before, after)
	})
}

// TestRejectKnowsOfTheRotation: a client whose password the database refuses is
// given the pending one while a rotation is under way, and the previous one after
// it was undone.
func TestRejectKnowsOfTheRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store, d := seedRotation(t)
		srv.SetSecureParameter("/prod/db", "hunter2-0") // version 2; the pending parameter is at 1
		client, err := secrets.New(secrets.WithProvider(store))
		require.NoError(t, err)
		defer client.Close()
		used, err := client.Get(t.Context(), "ssm:///prod/db")
		require.NoError(t, err)
		d.set = func() error {
			next, err := client.Reject(t.Context(), used)
			require.NoError(t, err)
			require.Equal(t, "hunter2-1", next.Text())
			return nil
		}
		require.NoError(t, rotate(t, store, d))
		time.Sleep(10 * time.Minute)
		used, err = client.Get(t.Context(), "ssm:///prod/db")
		require.NoError(t, err)
		require.Equal(t, "hunter2-1", used.Text())
		next, err := client.Reject(t.Context(), used)
		require.NoError(t, err)
		require.Equal(t, "hunter2-0", next.Text())
	})
}

func TestAlternatesAreThePendingAndThePreviousValue(t *testing.T) {
	store := ssm.New(aws.Config{Region: "us-east-1"})
	for ref, want := range map[string][]string{
		"ssm:///prod/db#password":                              {"ssm:///.rotation/prod/db", "ssm:///prod/db?label=previous"},
		"ssm://plain?region=eu-central-1":                      {"ssm:///.rotation.plain?region=eu-central-1", "ssm://plain?label=previous&region=eu-central-1"},
		"ssm:///prod/db?version=3":                             nil,
		"ssm:///prod/db?label=blue":                            nil,
		"arn:aws:ssm:us-east-1:123456789012:parameter/prod/db": {"arn:aws:ssm:us-east-1:123456789012:parameter/prod/db?label=previous"},
	} {
		parsed, err := provider.ParseRef(ref)
		require.NoError(t, err)
		var got []string
		for _, r := range store.Alternates(parsed) {
			got = append(got, r.String())
		}
		require.Equal(t, want, got, ref)
	}
}

// late is an AWS whose clock is behind.
type late struct{ aws.HTTPClient }

func (l late) Do(r *http.Request) (*http.Response, error) {
	answer, err := l.HTTPClient.Do(r)
	if err == nil {
		answer.Header.Set("Date", time.Now().Add(-2*time.Minute).UTC().Format(http.TimeFormat))
	}
	return answer, err
}

func TestAClockThatIsAheadRotatesNothingThatOthersMayHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store, d := seedRotation(t)
		d.set = func() error { return errors.New("timed out") }
		require.Error(t, rotate(t, store, d))
		cfg := srv.Config()
		cfg.HTTPClient = late{cfg.HTTPClient}
		require.ErrorContains(t, rotate(t, ssm.New(cfg), d), "clock is ahead of AWS's by 2m")
	})
}

func TestWhatCannotBeRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store, d := seedRotation(t)
		try := func(ref string) error {
			return rotation.Rotate(t.Context(), store, ref, d, rotation.WithLogger(quietLog))
		}
		require.ErrorIs(t, try("ssm:///none"), provider.ErrNotFound)
		require.ErrorIs(t, try("ssm:///prod/db?version=1"), provider.ErrInvalidRef)
		require.ErrorIs(t, try("arn:aws:ssm:us-east-1:123456789012:parameter/prod/db"), provider.ErrInvalidRef)
		srv.SetParameter("/.rotation/prod/db", "somebody's own")
		require.ErrorContains(t, try("ssm:///prod/db"), "not the pending value of a rotation")
		require.Equal(t, "hunter2-0", text(t, store, "ssm:///prod/db"))
		store = ssm.New(srv.Config(), ssm.WithRotationPrefix("/other"))
		d.next = "hunter2-0"
		require.ErrorContains(t, try("ssm:///prod/db"), "next value is the current one")
	})
}

var quietLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// TestOfTwoThatBeginTogetherOneIsToldToLeaveIt, and not how to write all the same.
func TestOfTwoThatBeginTogetherOneIsToldToLeaveIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store, _ := seedRotation(t)
		ref, _ := provider.ParseRef("ssm:///prod/db")
		var both [2]provider.Rotation
		for i, s := range []*ssm.Store{store, ssm.New(srv.Config())} {
			var err error
			both[i], err = s.BeginRotation(t.Context(), ref, provider.RotationOptions{})
			require.NoError(t, err)
		}
		require.NoError(t, both[0].StorePending(t.Context(), "hunter2-1"))
		err := both[1].StorePending(t.Context(), "hunter2-2")
		require.ErrorIs(t, err, provider.ErrConflict)
		require.ErrorContains(t, err, "ssm:///prod/db: ")
		require.ErrorContains(t, err, "until 2000-01-01T00:15:00Z")
		require.NotContains(t, err.Error(), "PutVersion")
		exists, ok := errors.AsType[*types.ParameterAlreadyExists](err)
		require.True(t, ok)
		require.NotEmpty(t, exists.ErrorCode())
	})
}

// TestAPendingValueThatWasMadeFromAnOldVersionIsDropped: no database has it.
func TestAPendingValueThatWasMadeFromAnOldVersionIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store, _ := seedRotation(t)
		ref, _ := provider.ParseRef("ssm:///prod/db")
		r, err := store.BeginRotation(t.Context(), ref, provider.RotationOptions{})
		require.NoError(t, err)
		srv.SetSecureParameter("/prod/db", "by hand")
		err = r.StorePending(t.Context(), "hunter2-1")
		require.ErrorIs(t, err, provider.ErrConflict)
		require.ErrorContains(t, err, "version 2 was written meanwhile, not 1")
		require.Equal(t, "error", text(t, store, "ssm:///.rotation/prod/db"))
		require.ErrorIs(t, r.Promote(t.Context()), provider.ErrConflict)
		require.Equal(t, "by hand", text(t, store, "ssm:///prod/db"))
	})
}
