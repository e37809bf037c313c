package ssm_test

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

func TestLife(t *testing.T) { life(t, ssm.New(secretstest.NewServer(t).Config()), deviations{}) }

// TestLifePaged is TestLife with pages that are short and at first empty.
func TestLifePaged(t *testing.T) {
	srv := secretstest.NewServer(t, secretstest.WithPageSize(2), secretstest.WithEmptyPages())
	life(t, ssm.New(srv.Config()), deviations{})
}

// TestLifeEndpoint is TestLife against the endpoint of AWS_ENDPOINT_URL.
func TestLifeEndpoint(t *testing.T) {
	life(t, ssm.New(readtest.Endpoint(t)), deviations{moto: !readtest.EndpointIsAWS()})
}

// deviations are those of moto 5.2.1. Where it differs from what AWS documents:
//
//   - It lets an advanced parameter become a standard one, and a parameter
//     without a tier have more than 4 KB (API PutParameter, Tier);
//     Intelligent-Tiering stays that in its answers.
//   - It lets a parameter change its type (API HierarchyTypeMismatchException)
//     and be created without one (API PutParameter, Type).
//   - It holds no value to an allowed pattern (API
//     ParameterPatternMismatchException).
//   - It accepts policies and answers DescribeParameters with a string in the
//     place of their list, which the SDK cannot read (API ParameterMetadata).
//   - Its DescribeParameters has no ARN (API ParameterMetadata).
//   - It has no GetServiceSetting and no UpdateServiceSetting.
type deviations struct{ moto bool }

// life takes parameters through all that can be done with one.
func life(t *testing.T, store *ssm.Store, d deviations) {
	run := "ssm:///life-" + strings.ToLower(rand.Text()[:8]) + "/"
	// fresh returns a ref that nothing is at, and removes what a test makes there.
	fresh := func(t *testing.T) string {
		ref := run + strings.ToLower(rand.Text()[:6])
		t.Cleanup(func() {
			// The test's own context has ended when its clean-up runs.
			store.DeleteMany(context.WithoutCancel(t.Context()), ref)
		})
		return ref
	}
	create := func(t *testing.T, v provider.Value, a ssm.Attributes) string {
		ref := fresh(t)
		w, err := store.Create(t.Context(), ref, v, a)
		require.NoError(t, err)
		require.Equal(t, "1", w.Version.ID)
		return ref
	}
	write := func(t *testing.T, ref string, v provider.Value) provider.Version {
		w, err := store.PutVersion(t.Context(), ref, v, ssm.Attributes{})
		require.NoError(t, err)
		return w.Version
	}
	read := func(t *testing.T, ref string) provider.Value {
		r := store.Fetch(t.Context(), readtest.Ref(t, ref))[0]
		require.NoError(t, r.Err)
		return r.Value
	}
	describe := func(t *testing.T, ref string) ssm.Metadata {
		m, err := store.Describe(t.Context(), ref)
		require.NoError(t, err)
		return m
	}

	t.Run("Types", func(t *testing.T) {
		for _, v := range []provider.Value{ssm.String("x"), ssm.StringList("x", "y"), ssm.SecureString("x")} {
			ref := create(t, v, ssm.Attributes{})
			require.Equal(t, v.Type(), read(t, ref).Type())
			require.Equal(t, v.Text(), read(t, ref).Text())
			require.Equal(t, "2", write(t, ref, v).ID)
		}
	})
	t.Run("CreateIsForWhatIsNotThere", func(t *testing.T) {
		ref := create(t, ssm.String("x"), ssm.Attributes{})
		_, err := store.Create(t.Context(), ref, ssm.String("y"), ssm.Attributes{})
		require.ErrorIs(t, err, provider.ErrConflict)
		require.ErrorContains(t, err, "PutVersion")
		require.Equal(t, "x", read(t, ref).Text())
	})
	t.Run("PutVersion", func(t *testing.T) {
		ref := fresh(t)
		require.Equal(t, "1", write(t, ref, ssm.String("x")).ID, "a value with a type is created")
		untyped := provider.NewValue(provider.Ref{}, provider.Version{}, "", "y")
		require.Equal(t, "2", write(t, ref, untyped).ID)
		require.Equal(t, "y", read(t, ref).Text())
		require.Equal(t, provider.String, read(t, ref).Type(), "a value without a type has the parameter's")
		require.Equal(t, "x", read(t, ref+"?version=1").Text())
	})
	t.Run("Describe", func(t *testing.T) {
		before := time.Now().Add(-time.Minute)
		ref := create(t, ssm.SecureString("x"), ssm.Attributes{
			KMSKey: "alias/app", Tier: ssm.Advanced, DataType: ssm.DataTypeText, AllowedPattern: "x|y", Description: "what for",
		})
		m := describe(t, ref)
		name := strings.TrimPrefix(ref, "ssm://")
		require.Equal(t, name, m.Name)
		require.True(t, d.moto || strings.HasSuffix(m.ARN, ":parameter"+name), m.ARN)
		require.Equal(t, "1", m.Version.ID)
		require.True(t, m.Version.Created.After(before))
		require.Equal(t, provider.SecureString, m.Type)
		require.Equal(t, "alias/app", m.KMSKey)
		require.Equal(t, ssm.Advanced, m.Tier)
		require.Equal(t, ssm.DataTypeText, m.DataType)
		require.Equal(t, "x|y", m.AllowedPattern)
		require.Equal(t, "what for", m.Description)

		_, err := store.Describe(t.Context(), fresh(t))
		require.ErrorIs(t, err, provider.ErrNotFound)
	})
	t.Run("Tiers", func(t *testing.T) {
		ref := fresh(t)
		w, err := store.Create(t.Context(), ref, ssm.String("x"), ssm.Attributes{Tier: ssm.Standard})
		require.NoError(t, err)
		require.Equal(t, ssm.Standard, w.Tier)
		w, err = store.PutVersion(t.Context(), ref, ssm.String(strings.Repeat("x", 5000)), ssm.Attributes{Tier: ssm.Advanced})
		require.NoError(t, err)
		require.Equal(t, ssm.Advanced, w.Tier)
		if d.moto {
			return
		}
		_, err = store.PutVersion(t.Context(), ref, ssm.String("x"), ssm.Attributes{Tier: ssm.Standard})
		require.ErrorIs(t, err, ssm.ErrInvalid)
		require.ErrorContains(t, err, "delete it and create it again")
		_, err = store.PutVersion(t.Context(), fresh(t), ssm.String(strings.Repeat("x", 5000)), ssm.Attributes{})
		require.ErrorIs(t, err, ssm.ErrInvalid)
		require.ErrorContains(t, err, "4,096 bytes at most: take the tier Advanced")
		w, err = store.Create(t.Context(), fresh(t), ssm.String(strings.Repeat("x", 5000)), ssm.Attributes{Tier: ssm.IntelligentTiering})
		require.NoError(t, err)
		require.Equal(t, ssm.Advanced, w.Tier)
	})
	t.Run("TypesStay", func(t *testing.T) {
		if d.moto {
			return
		}
		ref := create(t, ssm.String("x"), ssm.Attributes{})
		_, err := store.PutVersion(t.Context(), ref, ssm.SecureString("y"), ssm.Attributes{})
		require.ErrorIs(t, err, ssm.ErrInvalid)
		require.ErrorContains(t, err, "keeps its type")
		_, err = store.PutVersion(t.Context(), fresh(t), provider.NewValue(provider.Ref{}, provider.Version{}, "", "y"), ssm.Attributes{})
		require.ErrorIs(t, err, ssm.ErrInvalid)
		require.ErrorContains(t, err, "to create it takes a type")
	})
	t.Run("AllowedPattern", func(t *testing.T) {
		if d.moto {
			return
		}
		ref := create(t, ssm.String("12"), ssm.Attributes{AllowedPattern: `^\d+$`})
		_, err := store.PutVersion(t.Context(), ref, ssm.String("x"), ssm.Attributes{})
		require.ErrorIs(t, err, ssm.ErrInvalid)
		require.ErrorContains(t, err, "Describe tells")
		require.Equal(t, "12", read(t, ref).Text())
	})
	t.Run("Policies", func(t *testing.T) {
		set := ssm.Policies{
			ssm.Expiration{At: time.Now().Add(40 * 24 * time.Hour).UTC().Truncate(time.Millisecond)},
			ssm.ExpirationNotification{Before: 15 * 24 * time.Hour},
			ssm.NoChangeNotification{After: 30 * time.Hour},
		}
		ref := create(t, ssm.String("x"), ssm.Attributes{Tier: ssm.Advanced, Policies: set})
		if d.moto {
			return
		}
		has := func() (list ssm.Policies) {
			for _, p := range describe(t, ref).Policies {
				require.Equal(t, "Pending", p.Status)
				list = append(list, p.Policy)
			}
			return list
		}
		require.Equal(t, set, has())
		write(t, ref, ssm.String("y"))
		require.Equal(t, set, has(), "nil leaves them")
		_, err := store.PutVersion(t.Context(), ref, ssm.String("z"), ssm.Attributes{Policies: set[2:]})
		require.NoError(t, err)
		require.Equal(t, set[2:], has(), "others replace them")
		_, err = store.PutVersion(t.Context(), ref, ssm.String("z"), ssm.Attributes{Policies: ssm.Policies{}})
		require.NoError(t, err)
		require.Empty(t, has(), "an empty slice removes them")
	})
	t.Run("History", func(t *testing.T) {
		ref := create(t, ssm.SecureString("v1"), ssm.Attributes{Description: "first"})
		for _, text := range []string{"v2", "v3", "v4", "v5"} {
			write(t, ref, ssm.SecureString(text))
		}
		require.NoError(t, store.Label(t.Context(), ref+"?version=2", "two", "zwei"))
		var texts, ids []string
		for r, err := range store.History(t.Context(), ref) {
			require.NoError(t, err)
			texts = append(texts, r.Value.Text())
			require.Equal(t, r.Version, r.Value.Version())
			require.Equal(t, ref+"?version="+r.Version.ID, r.Value.Ref().String())
			require.Equal(t, provider.SecureString, r.Value.Type())
			require.False(t, r.Version.Created.IsZero())
			if r.Version.ID == "2" {
				require.Equal(t, []string{"two", "zwei"}, r.Version.Labels())
			}
		}
		slices.Sort(texts)
		require.Equal(t, []string{"v1", "v2", "v3", "v4", "v5"}, texts)
		versions := store.Versions(t.Context(), ref)
		for range 2 { // it may be ranged over again
			ids = nil
			for m, err := range versions {
				require.NoError(t, err)
				ids = append(ids, m.Version.ID)
				require.Equal(t, strings.TrimPrefix(ref, "ssm://"), m.Name)
			}
			slices.Sort(ids)
			require.Equal(t, []string{"1", "2", "3", "4", "5"}, ids)
		}
		for range store.History(t.Context(), ref) {
			break
		}
		for _, err := range store.History(t.Context(), fresh(t)) {
			require.ErrorIs(t, err, provider.ErrNotFound)
		}
	})
	t.Run("Labels", func(t *testing.T) {
		ref := create(t, ssm.String("v1"), ssm.Attributes{})
		write(t, ref, ssm.String("v2"))
		require.NoError(t, store.Label(t.Context(), ref, "blue", "green"), "the latest")
		require.Equal(t, "v2", read(t, ref+"?label=blue").Text())
		require.NoError(t, store.Label(t.Context(), ref+"?version=1", "blue"), "a label moves")
		require.Equal(t, "v1", read(t, ref+"?label=blue").Text())
		require.Equal(t, "v2", read(t, ref+"?label=green").Text())

		err := store.Unlabel(t.Context(), ref+"?version=2", "blue", "green")
		require.ErrorIs(t, err, provider.ErrVersionNotFound)
		require.ErrorContains(t, err, "does not have the labels blue")
		require.ErrorContains(t, store.Unlabel(t.Context(), ref, "blue"), "?version=")
		require.NoError(t, store.Unlabel(t.Context(), ref+"?version=1", "blue"))
		require.Error(t, store.Fetch(t.Context(), readtest.Ref(t, ref+"?label=blue"))[0].Err)
		require.ErrorIs(t, store.Label(t.Context(), ref+"?version=9", "blue"), provider.ErrVersionNotFound)
		require.ErrorIs(t, store.Label(t.Context(), fresh(t), "blue"), provider.ErrNotFound)

		require.NoError(t, store.Label(t.Context(), ref, many(10)...))
		err = store.Label(t.Context(), ref, "eleven")
		require.ErrorIs(t, err, ssm.ErrInvalid)
		require.ErrorContains(t, err, "ten labels at most")
	})
	t.Run("AHundredVersions", func(t *testing.T) {
		ref := create(t, ssm.String("v1"), ssm.Attributes{})
		require.NoError(t, store.Label(t.Context(), ref, "golden", "first"))
		// A call whose answer was lost, and that the SDK repeated, makes two, and
		// the hundredth may be refused that way: what counts is what is there.
		var err error
		for range 100 {
			if _, err = store.PutVersion(t.Context(), ref, ssm.String("v"), ssm.Attributes{}); err != nil {
				break
			}
		}
		require.ErrorIs(t, err, ssm.ErrInvalid)
		require.ErrorContains(t, err, "the label first and golden: it is version 1")
		require.Equal(t, "100", read(t, ref).Version().ID)
		require.NoError(t, store.Label(t.Context(), ref+"?version=100", "golden"))
		require.NoError(t, store.Unlabel(t.Context(), ref+"?version=1", "first"))
		write(t, ref, ssm.String("w"))
		require.Equal(t, "w", read(t, ref).Text())
		require.Error(t, store.Fetch(t.Context(), readtest.Ref(t, ref+"?version=1"))[0].Err)
		count := 0
		for _, err := range store.Versions(t.Context(), ref) {
			require.NoError(t, err)
			count++
		}
		require.Equal(t, 100, count)
	})
	t.Run("Tags", func(t *testing.T) {
		ref := create(t, ssm.String("x"), ssm.Attributes{Tags: map[string]string{"team": "a", "cost": "b"}})
		has := func() map[string]string {
			tags, err := store.Tags(t.Context(), ref)
			require.NoError(t, err)
			return tags
		}
		require.Equal(t, map[string]string{"team": "a", "cost": "b"}, has())
		require.NoError(t, store.Tag(t.Context(), ref, map[string]string{"team": "c", "new": ""}))
		require.NoError(t, store.Untag(t.Context(), ref, "cost", "missing"))
		require.Equal(t, map[string]string{"team": "c", "new": ""}, has())
		require.NoError(t, store.Tag(t.Context(), ref, nil))
		require.NoError(t, store.Untag(t.Context(), ref))

		missing := fresh(t)
		_, err := store.Tags(t.Context(), missing)
		require.ErrorIs(t, err, provider.ErrNotFound)
		require.ErrorIs(t, store.Tag(t.Context(), missing, map[string]string{"a": "b"}), provider.ErrNotFound)
		require.ErrorIs(t, store.Untag(t.Context(), missing, "a"), provider.ErrNotFound)
	})
	t.Run("DeleteMany", func(t *testing.T) {
		var refs []string
		for range 23 {
			refs = append(refs, create(t, ssm.String("x"), ssm.Attributes{}))
		}
		missing, twice := fresh(t), refs[3]
		errs := store.DeleteMany(t.Context(), slices.Concat(refs[:12], []string{missing, "ssm:///aws/x", twice}, refs[12:])...)
		require.Len(t, errs, 26)
		for i, err := range errs {
			switch i {
			case 12:
				require.ErrorIs(t, err, provider.ErrNotFound)
				require.ErrorContains(t, err, missing)
			case 13:
				require.ErrorIs(t, err, provider.ErrInvalidRef)
			default:
				require.NoError(t, err)
			}
		}
		for _, ref := range refs {
			require.ErrorIs(t, store.Fetch(t.Context(), readtest.Ref(t, ref))[0].Err, provider.ErrNotFound)
		}
		require.Empty(t, store.DeleteMany(t.Context()))
	})
	t.Run("Settings", func(t *testing.T) {
		if d.moto {
			return
		}
		on, err := store.HighThroughput(t.Context())
		require.NoError(t, err)
		require.False(t, on)
		require.NoError(t, store.SetHighThroughput(t.Context(), true))
		on, err = store.HighThroughput(t.Context())
		require.NoError(t, err)
		require.True(t, on)
		require.NoError(t, store.SetHighThroughput(t.Context(), false))

		tier, err := store.DefaultTier(t.Context())
		require.NoError(t, err)
		require.Equal(t, ssm.Standard, tier)
		require.NoError(t, store.SetDefaultTier(t.Context(), ssm.IntelligentTiering))
		tier, err = store.DefaultTier(t.Context())
		require.NoError(t, err)
		require.Equal(t, ssm.IntelligentTiering, tier)
		require.NoError(t, store.SetDefaultTier(t.Context(), ssm.Standard))
	})
}
