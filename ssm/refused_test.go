package ssm_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

func putVersion(b *bench, t *testing.T) error {
	_, err := b.store.PutVersion(t.Context(), "ssm:///a", ssm.SecureString("hunter2-hunter2"), ssm.Attributes{KMSKey: "alias/app"})
	return err
}

// TestRefusals is every error that the API reference names for PutParameter,
// and those of the other operations, with the cure that each comes with.
func TestRefusals(t *testing.T) {
	for code, test := range map[string]struct {
		kind error
		says string
		is   func(error) bool
	}{
		"HierarchyLevelLimitExceededException": {ssm.ErrInvalid, "15 levels", readtest.Is[*types.HierarchyLevelLimitExceededException]},
		"HierarchyTypeMismatchException":       {ssm.ErrInvalid, "keeps its type", readtest.Is[*types.HierarchyTypeMismatchException]},
		"IncompatiblePolicyException":          {ssm.ErrInvalid, "one Expiration at most", readtest.Is[*types.IncompatiblePolicyException]},
		"InternalServerError":                  {provider.ErrUnavailable, "", readtest.Is[*types.InternalServerError]},
		"InvalidAllowedPatternException":       {ssm.ErrInvalid, "regular expression", readtest.Is[*types.InvalidAllowedPatternException]},
		"InvalidKeyId":                         {provider.ErrDecryption, "allow kms:Encrypt and, for an advanced parameter, kms:GenerateDataKey on alias/app", readtest.Is[*types.InvalidKeyId]},
		"InvalidPolicyAttributeException":      {ssm.ErrInvalid, "attribute of a policy", readtest.Is[*types.InvalidPolicyAttributeException]},
		"InvalidPolicyTypeException":           {ssm.ErrInvalid, "type of a policy", readtest.Is[*types.InvalidPolicyTypeException]},
		"ParameterAlreadyExists":               {provider.ErrConflict, "adds a version", readtest.Is[*types.ParameterAlreadyExists]},
		"ParameterLimitExceeded":               {ssm.ErrInvalid, "10,000 standard", readtest.Is[*types.ParameterLimitExceeded]},
		"ParameterMaxVersionLimitExceeded":     {ssm.ErrInvalid, "move that to a newer version by Label", readtest.Is[*types.ParameterMaxVersionLimitExceeded]},
		"ParameterPatternMismatchException":    {ssm.ErrInvalid, "allowed pattern, which Describe tells", readtest.Is[*types.ParameterPatternMismatchException]},
		"PoliciesLimitExceededException":       {ssm.ErrInvalid, "ten policies", readtest.Is[*types.PoliciesLimitExceededException]},
		"TooManyUpdates":                       {provider.ErrThrottled, "try again", readtest.Is[*types.TooManyUpdates]},
		"UnsupportedParameterType":             {ssm.ErrInvalid, "StringList", readtest.Is[*types.UnsupportedParameterType]},
		"ValidationException":                  {ssm.ErrInvalid, "", readtest.Is[*types.ValidationException]},
		"TooManyTagsError":                     {ssm.ErrInvalid, "50 tags", readtest.Is[*types.TooManyTagsError]},
		"ParameterVersionLabelLimitExceeded":   {ssm.ErrInvalid, "ten labels", readtest.Is[*types.ParameterVersionLabelLimitExceeded]},
		"InvalidResourceId":                    {provider.ErrNotFound, "the Region (us-east-1)", readtest.Is[*types.InvalidResourceId]},
		"ServiceSettingNotFound":               {provider.ErrNotFound, "no such setting", readtest.Is[*types.ServiceSettingNotFound]},
		"AccessDeniedException":                {provider.ErrAccessDenied, "allow ssm:PutParameter on it", readtest.Is[*types.AccessDeniedException]},
		"ThrottlingException":                  {provider.ErrThrottled, "quota", readtest.Is[smithy.APIError]},
		"BrandNewException":                    {provider.ErrUnavailable, "", readtest.Is[smithy.APIError]},
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, secretstest.InProcess())
				b.Inject(secretstest.Fault{Operation: "PutParameter", Err: &secretstest.Error{Code: code, Message: "said of it"}})
				err := putVersion(b, t)
				require.ErrorIs(t, err, test.kind)
				require.ErrorContains(t, err, test.says)
				require.ErrorContains(t, err, "ssm:///a: ")
				if code != "TooManyTagsError" && code != "InvalidResourceId" { // the model gives those no message
					require.ErrorContains(t, err, "said of it")
				}
				require.True(t, test.is(err), "%#v", err)
				readtest.RequireNoLeak(t, err, "hunter2")
			})
		})
	}
}

func TestWhatToAllow(t *testing.T) {
	for operation, do := range map[string]func(context.Context, *ssm.Store) error{
		"DeleteParameter":         func(ctx context.Context, s *ssm.Store) error { return s.Delete(ctx, readtest.Ref(t, "ssm:///a")) },
		"DeleteParameters":        func(ctx context.Context, s *ssm.Store) error { return s.DeleteMany(ctx, "ssm:///a")[0] },
		"LabelParameterVersion":   func(ctx context.Context, s *ssm.Store) error { return s.Label(ctx, "ssm:///a", "x") },
		"UnlabelParameterVersion": func(ctx context.Context, s *ssm.Store) error { return s.Unlabel(ctx, "ssm:///a?version=1", "x") },
		"AddTagsToResource":       func(ctx context.Context, s *ssm.Store) error { return s.Tag(ctx, "ssm:///a", tagged(1)) },
		"RemoveTagsFromResource":  func(ctx context.Context, s *ssm.Store) error { return s.Untag(ctx, "ssm:///a", "x") },
		"ListTagsForResource":     func(ctx context.Context, s *ssm.Store) error { _, err := s.Tags(ctx, "ssm:///a"); return err },
		"DescribeParameters":      func(ctx context.Context, s *ssm.Store) error { _, err := s.Describe(ctx, "ssm:///a"); return err },
		"GetServiceSetting":       func(ctx context.Context, s *ssm.Store) error { _, err := s.DefaultTier(ctx); return err },
		"UpdateServiceSetting":    func(ctx context.Context, s *ssm.Store) error { return s.SetHighThroughput(ctx, true) },
		"GetParameterHistory": func(ctx context.Context, s *ssm.Store) (last error) {
			for _, err := range s.Versions(ctx, "ssm:///a") {
				last = err
			}
			return last
		},
	} {
		b := newBench(t)
		b.SetParameter("/a", "x")
		b.Inject(secretstest.Fault{Operation: operation, Err: secretstest.AccessDenied()})
		err := do(t.Context(), b.store)
		require.ErrorIs(t, err, provider.ErrAccessDenied, operation)
		require.ErrorContains(t, err, "allow ssm:"+operation+" on it")
		require.Equal(t, 1, b.Calls(operation))
	}
}

// TestAMessageThatQuotesTheValue is a ValidationException as services of AWS
// word it.
func TestAMessageThatQuotesTheValue(t *testing.T) {
	for _, value := range []string{"hunter2-hunter2", "pw", `a"b`} {
		for _, code := range []string{"ValidationException", "BrandNewException"} {
			b := newBench(t)
			b.Inject(secretstest.Fault{Operation: "PutParameter", Err: &secretstest.Error{Code: code, Message: "Value '" + value + "' at 'value' failed to satisfy constraint"}})
			var reported error
			ctx := provider.WithCalls(t.Context(), func(c provider.Call) { reported = c.Err })
			_, err := b.store.PutVersion(ctx, "ssm:///a", ssm.String(value), ssm.Attributes{})
			require.ErrorContains(t, err, "quotes the value")
			readtest.RequireNoLeak(t, err, "'"+value+"'")
			readtest.RequireNoLeak(t, reported, "'"+value+"'")
			var api smithy.APIError
			require.ErrorAs(t, err, &api)
			require.Equal(t, code, api.ErrorCode())
		}
	}
	b := newBench(t)
	b.Inject(secretstest.Fault{Operation: "PutParameter", Err: &secretstest.Error{Code: "ValidationException", Message: "a parameter"}})
	_, err := b.store.PutVersion(t.Context(), "ssm:///a", ssm.String("a"), ssm.Attributes{})
	require.ErrorContains(t, err, "a parameter", "a letter is in every message")
}

// TestLabelsThatAWSLeavesOut is an answer that names a label which passed the
// checks.
func TestLabelsThatAWSLeavesOut(t *testing.T) {
	b := newBench(t)
	b.SetParameter("/a", "x")
	b.tap.Alter(func(string, []byte) []byte { return []byte(`{"InvalidLabels":["blue"],"ParameterVersion":1}`) })
	err := b.store.Label(t.Context(), "ssm:///a", "blue", "green")
	require.ErrorIs(t, err, ssm.ErrInvalid)
	require.ErrorContains(t, err, `does not accept the labels ["blue"]`)
}

func TestDeleteManyFailsByName(t *testing.T) {
	b := newBench(t)
	var refs []string
	for i := range 12 {
		name := fmt.Sprintf("/x/%02d", i)
		b.SetParameter(name, "v")
		refs = append(refs, "ssm://"+name)
	}
	b.Inject(secretstest.Fault{Operation: "DeleteParameters", Name: "/x/03", Err: secretstest.AccessDenied()})
	errs := b.store.DeleteMany(t.Context(), refs...)
	for i, err := range errs {
		if i == 3 {
			require.ErrorIs(t, err, provider.ErrAccessDenied)
			require.ErrorContains(t, err, "ssm:///x/03")
		} else {
			require.NoError(t, err)
		}
	}
	require.Equal(t, 12, b.Calls("DeleteParameters"), "one of ten, ten of it again, and one of two")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range b.store.DeleteMany(ctx, refs...) {
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, provider.ErrUnavailable)
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, secretstest.InProcess())
		b.Inject(secretstest.Fault{Err: secretstest.Throttled()})
		for _, err := range b.store.DeleteMany(t.Context(), refs...) {
			require.ErrorIs(t, err, provider.ErrThrottled)
		}
		require.Equal(t, 6, b.Calls(), "two batches of three tries: a throttled call is not answered with more")
	})
}

func TestDeleteManyInRegions(t *testing.T) {
	b := newBench(t)
	b.SetParameter("/a", "x")
	b.elsewhere(t, "eu-central-1", "123456789012", "/a", "x")
	require.Equal(t, []error{nil, nil}, b.store.DeleteMany(t.Context(), "ssm:///a", "ssm:///a?region=eu-central-1"))
	require.Equal(t, 2, b.Calls("DeleteParameters"))
}

// TestHistoryWhereKMSRefuses has a version under a key that is gone.
func TestHistoryWhereKMSRefuses(t *testing.T) {
	b := newBench(t)
	for _, v := range []string{"v1", "v2", "v3"} {
		b.SetSecureParameter("/a", v)
	}
	refused := &secretstest.Error{Code: "InvalidKeyId", Message: "The key is disabled."}
	b.Inject(secretstest.Fault{Operation: "GetParameterHistory", Err: refused, Times: 1})
	b.Inject(secretstest.Fault{Operation: "GetParameter", Name: "/a:2", Err: refused})
	var texts []string
	for r, err := range b.store.History(t.Context(), "ssm:///a") {
		if err != nil {
			require.ErrorIs(t, err, provider.ErrDecryption)
			require.ErrorContains(t, err, "ssm:///a?version=2")
			require.Zero(t, r)
			continue
		}
		texts = append(texts, r.Value.Text())
	}
	require.Equal(t, []string{"v1", "v3"}, texts)
}

func TestHistoryPrintsNoValue(t *testing.T) {
	b := newBench(t)
	b.SetSecureParameter("/a", "hunter2")
	for r, err := range b.store.History(t.Context(), "ssm:///a") {
		require.NoError(t, err)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			require.NotContains(t, fmt.Sprintf(verb, r), "hunter2")
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, []any{ssm.SecureString("hunter2"), ssm.String("hunter2"), ssm.StringList("hunter2")}), "hunter2")
	}
	for range b.store.Versions(t.Context(), "ssm:///a") {
	}
	require.Equal(t, 1, b.Decrypts(), "KMS is asked for values alone")
}

// TestASharedParameterIsOnlyRead names one of another account by its ARN.
func TestASharedParameterIsOnlyRead(t *testing.T) {
	b := newBench(t)
	b.elsewhere(t, "us-east-1", "210987654321", "/shared", "x")
	const arn = "arn:aws:ssm:us-east-1:210987654321:parameter/shared"
	n := 0
	for r, err := range b.store.History(t.Context(), arn) {
		require.NoError(t, err)
		require.Equal(t, "x", r.Value.Text())
		n++
	}
	require.Equal(t, 1, n)
	b.ResetCalls()
	_, create := b.store.Create(t.Context(), arn, ssm.String("y"), ssm.Attributes{})
	_, put := b.store.PutVersion(t.Context(), arn, ssm.String("y"), ssm.Attributes{})
	_, writer := b.store.Put(t.Context(), ssm.String("y").WithRef(readtest.Ref(t, arn)), provider.Condition{})
	for i, err := range []error{
		create, put, writer, b.store.Delete(t.Context(), readtest.Ref(t, arn)), b.store.DeleteMany(t.Context(), arn)[0],
		b.store.Label(t.Context(), arn, "x"), b.store.Unlabel(t.Context(), arn+":1", "x"), b.store.Tag(t.Context(), arn, tagged(1)), b.store.Untag(t.Context(), arn, "x"),
	} {
		require.ErrorIs(t, err, provider.ErrInvalidRef, i)
		require.ErrorContains(t, err, "as another account shares it")
	}
	_, describe := b.store.Describe(t.Context(), arn)
	_, tags := b.store.Tags(t.Context(), arn)
	for _, err := range []error{describe, tags} {
		require.ErrorIs(t, err, provider.ErrInvalidRef)
		require.ErrorContains(t, err, "Versions takes an ARN too")
	}
	require.Zero(t, b.Calls())
}

// TestWritesTakeTheirPartOfTheQuota has writes pace themselves by PutParameter's
// 3 a second, where reads have 40.
func TestWritesTakeTheirPartOfTheQuota(t *testing.T) {
	b := newBench(t)
	var mu sync.Mutex
	costs := make(map[string]float64)
	ctx := provider.WithPace(t.Context(), func(_ context.Context, cost float64) error {
		mu.Lock()
		defer mu.Unlock()
		costs[""] = cost
		return nil
	})
	ctx = provider.WithCalls(ctx, func(c provider.Call) {
		mu.Lock()
		defer mu.Unlock()
		costs[c.Operation] = costs[""]
	})
	_, err := b.store.Create(ctx, "ssm:///a", ssm.String("x"), ssm.Attributes{})
	require.NoError(t, err)
	require.NoError(t, b.store.Label(ctx, "ssm:///a", "x"))
	require.NoError(t, b.store.Unlabel(ctx, "ssm:///a?version=1", "x"))
	require.NoError(t, b.store.Tag(ctx, "ssm:///a", tagged(1)))
	require.NoError(t, b.store.Untag(ctx, "ssm:///a", "x0"))
	_, err = b.store.Tags(ctx, "ssm:///a")
	require.NoError(t, err)
	_, err = b.store.Describe(ctx, "ssm:///a")
	require.NoError(t, err)
	for range b.store.Versions(ctx, "ssm:///a") {
	}
	b.store.Fetch(ctx, readtest.Ref(t, "ssm:///a"))
	require.NoError(t, b.store.Delete(ctx, readtest.Ref(t, "ssm:///a")))
	require.Error(t, b.store.DeleteMany(ctx, "ssm:///a")[0])
	require.NoError(t, b.store.SetDefaultTier(ctx, ssm.Standard))
	_, err = b.store.DefaultTier(ctx)
	require.NoError(t, err)
	delete(costs, "")
	require.Len(t, costs, 13, "every call is reported")
	for operation, cost := range costs {
		if slices.Contains([]string{"GetParameter", "GetParameterHistory", "ListTagsForResource", "GetServiceSetting"}, operation) {
			require.Equal(t, 1.0, cost, operation)
		} else {
			require.InDelta(t, 40.0/3, cost, 1e-9, operation)
		}
	}

	full := errors.New("no turn")
	_, err = b.store.Create(provider.WithPace(t.Context(), func(context.Context, float64) error { return full }), "ssm:///a", ssm.String("x"), ssm.Attributes{})
	require.ErrorIs(t, err, full)
}

func TestMalformedRefsOfWrites(t *testing.T) {
	b := newBench(t)
	for _, ref := range []string{"", "x", "sm://x", "ssm://", "ssm:///x/", "ssm:///a b"} {
		_, create := b.store.Create(t.Context(), ref, ssm.String("x"), ssm.Attributes{})
		_, put := b.store.PutVersion(t.Context(), ref, ssm.String("x"), ssm.Attributes{})
		_, describe := b.store.Describe(t.Context(), ref)
		_, tags := b.store.Tags(t.Context(), ref)
		errs := []error{create, put, describe, tags, b.store.DeleteMany(t.Context(), ref)[0], b.store.Label(t.Context(), ref, "x"),
			b.store.Unlabel(t.Context(), ref, "x"), b.store.Tag(t.Context(), ref, nil), b.store.Untag(t.Context(), ref)}
		for _, err := range b.store.History(t.Context(), ref) {
			errs = append(errs, err)
		}
		for _, err := range b.store.Versions(t.Context(), ref) {
			errs = append(errs, err)
		}
		require.Len(t, errs, 11)
		for _, err := range errs {
			require.ErrorIs(t, err, provider.ErrInvalidRef, ref)
		}
	}
	require.Zero(t, b.Calls())
}

// TestSettingsOfAnEndpointThatDoesNotKnowThem is an answer of another shape.
func TestSettingsOfAnEndpointThatDoesNotKnowThem(t *testing.T) {
	b := newBench(t)
	for _, answer := range []string{`{}`, `{"ServiceSetting":{"SettingValue":"perhaps"}}`} {
		b.tap.Answer(func(string) *http.Response { return readtest.Answer(http.StatusOK, answer) })
		_, err := b.store.HighThroughput(t.Context())
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.True(t, strings.HasPrefix(err.Error(), "ssm:///ssm/parameter-store/high-throughput-enabled: "), err)
	}
}
