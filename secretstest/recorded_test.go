package secretstest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

// notReplayed lists the recorded scenarios whose calls cannot be rebuilt from
// the names of scenario and steps, and why.
var notReplayed = map[string]string{}

// TestRecordedAnswers makes the calls of each scenario in testdata through the
// real SDK and holds the server's answers against those that AWS gave: members
// and their absence, values, codes, messages, statuses.
func TestRecordedAnswers(t *testing.T) {
	recorded := map[string]map[string]any{}
	for _, file := range []string{"testdata/secretsmanager.json", "testdata/ssm.json"} {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &recorded))
	}
	for name := range recorded {
		_, replayed := scenarios[name]
		_, excused := notReplayed[name]
		require.NotEqual(t, replayed, excused, "scenario %q", name)
	}
	for name, run := range scenarios {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, recorded, name)
			r := newReplay(t, recorded[name])
			run(r)
			r.requireComplete()
		})
	}
}

// A replay makes the calls of one scenario.
type replay struct {
	*testing.T
	srv   *secretstest.Server
	sm    *secretsmanager.Client
	ssm   *ssm.Client
	tap   *tap
	want  map[string]any
	bound map[string]string // values of the placeholders
}

// A tap keeps the last answer as it was on the wire.
type tap struct {
	aws.HTTPClient
	operation string
	status    int
	header    http.Header
	body      []byte
}

func (p *tap) Do(r *http.Request) (*http.Response, error) {
	resp, err := p.HTTPClient.Do(r)
	if err != nil {
		return nil, err
	}
	_, p.operation, _ = strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	p.status, p.header = resp.StatusCode, resp.Header
	if p.body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(p.body))
	return resp, nil
}

func newReplay(t *testing.T, want map[string]any) *replay {
	srv := secretstest.NewServer(t, secretstest.WithAccount("111111111111"))
	cfg := srv.Config()
	tap := &tap{HTTPClient: cfg.HTTPClient}
	cfg.HTTPClient = tap
	return &replay{T: t, srv: srv, tap: tap, sm: secretsmanager.NewFromConfig(cfg), ssm: ssm.NewFromConfig(cfg), want: maps.Clone(want), bound: map[string]string{}}
}

// step compares the last answer with the named step. The error of the call is
// part of the answer: whether there is to be one, the recording says.
func (r *replay) step(name string, _ any, _ error) {
	r.Helper()
	want, ok := r.want[name]
	require.True(r, ok, "no step %q", name)
	delete(r.want, name)
	r.match(name, want, r.answer(want))
}

// did is for a call that the recording leaves out.
func (r *replay) did(_ any, err error) {
	r.Helper()
	require.NoError(r, err)
}

func (r *replay) requireComplete() {
	require.Empty(r, r.want, "steps that were not replayed")
}

// answer gives the last answer the form that the recording has: as boto3 shows
// a result or an exception, as the text of an exception, or as it was sent.
func (r *replay) answer(want any) any {
	// The recording leaves the headers out; these every answer of AWS has.
	require.Equal(r, "application/x-amz-json-1.1", r.tap.header.Get("Content-Type"))
	require.Len(r, r.tap.header.Get("X-Amzn-Requestid"), 36)
	var body map[string]any
	require.NoError(r, json.Unmarshal(r.tap.body, &body))
	code, _ := body["__type"].(string)
	message, lower := body["message"]
	if !lower {
		message = body["Message"]
	}
	if _, text := want.(string); text {
		return fmt.Sprintf("An error occurred (%s) when calling the %s operation: %v", code, r.tap.operation, message)
	}
	shape := want.(map[string]any)
	if _, raw := shape["Metadata"]; raw {
		return map[string]any{"Error": body, "Metadata": map[string]any{"StatusCode": float64(r.tap.status)}}
	}
	if code != "" {
		e := map[string]any{"Error": map[string]any{"Code": code, "Message": message}}
		if !lower {
			e["Message"] = message // a member of the exception's model
		}
		body = e
	}
	if _, ok := shape["ResponseMetadata"]; ok {
		body["ResponseMetadata"] = map[string]any{"HTTPHeaders": map[string]any{}, "HTTPStatusCode": float64(r.tap.status)}
	}
	return body
}

// match compares what came with what was recorded.
func (r *replay) match(at string, want, got any) {
	r.Helper()
	switch want := want.(type) {
	case map[string]any:
		if text, ok := got.(string); ok {
			// A policy document, which the recording shows as the object it is.
			got = nil
			require.NoError(r, json.Unmarshal([]byte(text), &got), at)
		}
		members, ok := got.(map[string]any)
		require.True(r, ok, "%s is not an object", at)
		keys := make(map[string]string, len(want))
		for key := range want {
			keys[r.resolve(key)] = key
		}
		require.ElementsMatch(r, slices.Collect(maps.Keys(keys)), slices.Collect(maps.Keys(members)), at)
		// Members that are one placeholder come first: they bind it for those
		// that have it within a text.
		order := slices.SortedFunc(maps.Keys(keys), func(a, b string) int {
			return whole(want[keys[b]]) - whole(want[keys[a]])
		})
		for _, key := range order {
			r.match(at+"."+keys[key], want[keys[key]], members[key])
		}
	case []any:
		items, ok := got.([]any)
		require.True(r, ok, "%s is not a list", at)
		require.Len(r, items, len(want), at)
		for i := range want {
			r.match(fmt.Sprintf("%s[%d]", at, i), want[i], items[i])
		}
	case string:
		r.matchText(at, want, got)
	default:
		require.Equal(r, want, got, at)
	}
}

var placeholder = regexp.MustCompile(`<[^<>]+>`)

func whole(v any) int {
	if s, ok := v.(string); ok && placeholder.FindString(s) == s {
		return 1
	}
	return 0
}

func (r *replay) matchText(at, want string, got any) {
	r.Helper()
	if want == "datetime" || want == "<datetime>" {
		require.IsType(r, float64(0), got, at)
		return
	}
	if bytes, ok := strings.CutPrefix(want, "b'"); ok {
		want = base64.StdEncoding.EncodeToString([]byte(strings.TrimSuffix(bytes, "'")))
	}
	text, ok := got.(string)
	require.True(r, ok, "%s is not a text", at)
	var names []string
	pattern, rest := "^", r.resolve(want)
	for {
		span := placeholder.FindStringIndex(rest)
		if span == nil {
			break
		}
		pattern += regexp.QuoteMeta(rest[:span[0]]) + "(.+?)"
		names = append(names, rest[span[0]:span[1]])
		rest = rest[span[1]:]
	}
	found := regexp.MustCompile(pattern + regexp.QuoteMeta(rest) + "$").FindStringSubmatch(text)
	require.NotNil(r, found, "%s: want %s, got %s", at, r.resolve(want), text)
	for i, name := range names {
		r.bound[name] = found[i+1]
	}
}

// resolve puts in the values of the placeholders that are bound.
func (r *replay) resolve(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if value, ok := r.bound[name]; ok {
			return value
		}
		return name
	})
}
