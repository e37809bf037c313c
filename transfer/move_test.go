package transfer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/transfer"
)

func TestAMoveDeletesWhatItHasVerified(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/dev/", 4)
		w.SetSecret("prod/0000", "hush-0")
		plan := w.move("ssm:///dev/", "sm://prod/")
		require.Contains(t, plan.String(), "each source is deleted")
		require.NoError(t, plan.Run(w.Context(), nil))
		require.Equal(t, 4, w.Calls("DeleteParameter"))
		require.Empty(t, w.plan("ssm:///dev/", "sm://prod/").Items)
		require.Equal(t, "hush-0", w.text("sm://prod/0000"))
		require.Equal(t, "hush-3", w.text("sm://prod/0003"))
		require.Zero(t, w.Calls("PutSecretValue"), "what was equal is only deleted")
		// Each deletion comes after the target was read.
		read := false
		for _, r := range w.Requests() {
			switch {
			case r.Operation == "GetSecretValue" && strings.HasPrefix(r.Names[0], "prod/"):
				read = true
			case r.Operation == "DeleteParameter":
				require.True(t, read)
				read = false
			}
		}
	})
}

func TestAMoveThatIsKilledGoesOn(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/dev/", 10)
		ctx, kill := context.WithCancel(w.Context())
		remove := w.Inject(secretstest.Fault{Operation: "DeleteParameter", Name: "/dev/0006", Err: secretstest.AccessDenied()})
		err := w.move("ssm:///dev/", "ssm:///prod/").Run(ctx, func(p transfer.Progress) {
			if p.Done == 8 {
				kill()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, provider.ErrAccessDenied)
		remove()
		plan := w.move("ssm:///dev/", "ssm:///prod/")
		require.Len(t, plan.Items, 3)
		require.Equal(t, 1, plan.Count(transfer.Unchanged))
		require.NoError(t, plan.Run(w.Context(), nil))
		require.Equal(t, 10, w.Calls("PutParameter"))
		require.Empty(t, w.move("ssm:///dev/", "ssm:///prod/").Items)
		require.Equal(t, 10, len(w.compare("ssm:///dev/", "ssm:///prod/").Values))
	})
}

func TestASourceThatChangedIsNotDeleted(t *testing.T) {
	for _, value := range []string{"changed", "hush"} { // and one that was written again
		bubble(t, func(w world) {
			w.SetSecret("dev/db", "hush")
			plan := w.move("sm://dev/db", "sm://prod/db")
			w.SetSecret("dev/db", value)
			err := plan.Run(w.Context(), nil)
			require.ErrorIs(t, err, provider.ErrConflict)
			require.ErrorContains(t, err, "sm://dev/db")
			require.Equal(t, value, w.text("sm://dev/db"))
			require.Zero(t, w.Calls("DeleteSecret"))
			require.NoError(t, w.move("sm://dev/db", "sm://prod/db").Run(w.Context(), nil))
			require.Equal(t, value, w.text("sm://prod/db"))
			_, err = w.get("sm://dev/db")
			require.ErrorIs(t, err, provider.ErrDeleted)
		})
	}
}

// TestASourceMadeAnewIsNotDeleted: a parameter counts from 1 again.
func TestASourceMadeAnewIsNotDeleted(t *testing.T) {
	bubble(t, func(w world) {
		w.SetSecureParameter("/dev/db", "hush")
		plan := w.move("ssm:///dev/db", "ssm:///prod/db")
		require.NoError(t, w.params.Delete(w.Context(), provider.Ref{Scheme: "ssm", Name: "/dev/db"}))
		w.SetSecureParameter("/dev/db", "changed")
		require.ErrorIs(t, plan.Run(w.Context(), nil), provider.ErrConflict)
		require.Equal(t, "changed", w.text("ssm:///dev/db"))
	})
}

func TestARunDoesNotRepeatWhatItHasDone(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/dev/", 3)
		remove := w.Inject(secretstest.Fault{Operation: "DeleteParameter", Name: "/dev/0001", Err: secretstest.AccessDenied()})
		plan := w.move("ssm:///dev/", "sm://prod/")
		require.Error(t, plan.Run(w.Context(), nil))
		remove()
		w.ResetCalls()
		require.NoError(t, plan.Run(w.Context(), nil))
		require.Equal(t, map[string]int{"GetSecretValue": 1, "GetParameter": 1, "DeleteParameter": 1}, w.CallsByOperation())
		w.ResetCalls()
		require.NoError(t, plan.Run(w.Context(), nil))
		require.Zero(t, w.Calls())
	})
}

// forgetful gives what it had at first, for a number of reads.
type forgetful struct {
	*sm.Store
	name  string
	lags  int
	first []provider.Result
}

func (f *forgetful) Fetch(ctx context.Context, refs ...provider.Ref) []provider.Result {
	results := f.Store.Fetch(ctx, refs...)
	if refs[0] != (provider.Ref{Scheme: "sm", Name: f.name}) {
		return results
	}
	if f.first == nil {
		f.first = results
	}
	if f.lags--; f.lags >= 0 {
		return f.first
	}
	return results
}

func TestATargetThatLagsIsWaitedForAndNothingIsDeletedBefore(t *testing.T) {
	for _, test := range []struct {
		lags int
		ok   bool
		old  string
	}{{2, true, ""}, {3, true, ""}, {4, false, ""}, {3, true, "old"}, {4, false, "old"}} { // the first is the plan's
		bubble(t, func(w world) {
			w.SetSecureParameter("/dev/db", "hush")
			if test.old != "" {
				w.SetSecret("prod/db", test.old)
			}
			store := &forgetful{Store: w.secrets, name: "prod/db", lags: test.lags}
			plan, err := transfer.PlanMove(w.Context(), w.at("ssm:///dev/db"), transfer.Place{Store: store, Ref: "sm://prod/db"})
			require.NoError(t, err)
			began := time.Now()
			err = plan.Run(w.Context(), nil)
			require.Equal(t, test.ok, err == nil, "%v", err)
			require.GreaterOrEqual(t, time.Since(began), time.Second)
			_, err = w.get("ssm:///dev/db")
			require.Equal(t, test.ok, err != nil)
		})
	}
}

// TestAValueIsNotMovedOntoItself, which would delete it.
func TestAValueIsNotMovedOntoItself(t *testing.T) {
	bubble(t, func(w world) {
		w.SetSecret("app/db", "hush")
		w.SetSecureParameter("/app/db", "hush")
		params, secrets := stores(w.Config())
		d, err := w.secrets.Describe(w.Context(), "sm://app/db")
		require.NoError(t, err)
		for _, places := range [][2]transfer.Place{
			{w.at("sm://app/"), {Store: secrets, Ref: "sm://app/"}},
			{w.at("ssm:///app/"), {Store: params, Ref: "ssm:///app/"}},
			{w.at(d.ARN), w.at("sm://app/db")},
			{w.at("sm://app/db?region=us-east-1"), w.at("sm://app/db")},
		} {
			plan, err := transfer.PlanMove(w.Context(), places[0], places[1])
			require.NoError(t, err)
			require.ErrorContains(t, plan.Run(w.Context(), nil), "they seem to be one")
		}
		require.Zero(t, w.Calls("DeleteSecret", "DeleteParameter"))
	})
}
