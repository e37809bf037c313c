package ssm_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/ssm"
)

// TestPoliciesAreWrittenAsTheGuideHasThem holds the JSON to the examples of the
// guide's page parameter-store-policies.
func TestPoliciesAreWrittenAsTheGuideHasThem(t *testing.T) {
	at := time.Date(2018, 12, 2, 22, 34, 33, 0, time.FixedZone("", 3600))
	for want, p := range map[string]ssm.Policy{
		`{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2018-12-02T21:34:33.000Z"}}`:      ssm.Expiration{At: at},
		`{"Type":"ExpirationNotification","Version":"1.0","Attributes":{"Before":"15","Unit":"Days"}}`:     ssm.ExpirationNotification{Before: 15 * 24 * time.Hour},
		`{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"20","Unit":"Days"}}`:        ssm.NoChangeNotification{After: 20 * 24 * time.Hour},
		`{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"25","Unit":"Hours"}}`:       ssm.NoChangeNotification{After: 25 * time.Hour},
		`{"Type":"ExpirationNotification","Version":"1.0","Attributes":{"Before":"106751","Unit":"Days"}}`: ssm.ExpirationNotification{Before: 106751 * 24 * time.Hour},
	} {
		text, err := json.Marshal(p)
		require.NoError(t, err)
		require.Equal(t, want, string(text))
		var read ssm.Policies
		require.NoError(t, json.Unmarshal([]byte("["+want+"]"), &read))
		require.Len(t, read, 1)
		if e, ok := p.(ssm.Expiration); ok {
			require.True(t, e.At.Equal(read[0].(ssm.Expiration).At))
		} else {
			require.Equal(t, p, read[0])
		}
	}
	for _, p := range []ssm.Policy{
		ssm.Expiration{}, ssm.Expiration{At: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		ssm.ExpirationNotification{}, ssm.NoChangeNotification{After: -time.Hour}, ssm.NoChangeNotification{After: math.MaxInt64},
	} {
		_, err := json.Marshal(p)
		require.Error(t, err, "%#v", p)
	}
}

func TestPoliciesAreReadAsOthersWroteThem(t *testing.T) {
	const expiration = `[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":`
	at := time.Date(2019, 11, 1, 11, 43, 48, 870e6, time.UTC)
	for text, want := range map[string]ssm.Policies{
		`[]`:   {},
		`[{}]`: {},
		// The guide's example of ISO_OFFSET_DATE_TIME, and others of it.
		expiration + `"2019-11-01T22:13:48.87+10:30:00"}}]`:                                                {ssm.Expiration{At: at}},
		expiration + `"2019-11-01T22:13:48.87+10:30"}}]`:                                                   {ssm.Expiration{At: at}},
		expiration + `"2019-11-01T11:43Z"}}]`:                                                              {ssm.Expiration{At: at.Truncate(time.Minute)}},
		`[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":20,"Unit":"hours"},"x":1}]`: {ssm.NoChangeNotification{After: 20 * time.Hour}},
	} {
		var p ssm.Policies
		require.NoError(t, json.Unmarshal([]byte(text), &p), text)
		require.Len(t, p, len(want))
		for i := range want {
			if e, ok := want[i].(ssm.Expiration); ok {
				require.True(t, e.At.Equal(p[i].(ssm.Expiration).At), text)
			} else {
				require.Equal(t, want[i], p[i])
			}
		}
	}
	for _, text := range []string{
		`{}`, `[1]`, `[{},{}]`, `[{"Type":"Expiration"}]`, expiration + `"soon"}}]`, expiration + `1}}]`,
		expiration + `"0001-01-01T00:00:00Z"}}]`,
		`[{"Type":"Expiration","Version":"2.0","Attributes":{"Timestamp":"2018-12-02T21:34:33.000Z"}}]`,
		`[{"Type":"Reminder","Version":"1.0","Attributes":{}}]`,
		`[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"0","Unit":"Days"}}]`,
		`[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"1.5","Unit":"Days"}}]`,
		`[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"106752","Unit":"Days"}}]`,
		`[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"1","Unit":"Weeks"}}]`,
	} {
		var p ssm.Policies
		require.Error(t, json.Unmarshal([]byte(text), &p), text)
		require.Nil(t, p, "nothing is half read")
	}
}

func TestAPolicyOfAnotherTypeIsShownAsItIs(t *testing.T) {
	b := newBench(t)
	b.tap.Alter(func(operation string, body []byte) []byte {
		if operation == "DescribeParameters" {
			return []byte(`{"Parameters":[{"Name":"/a","Version":1,"Policies":[{"PolicyText":"{\"Type\":\"New\"}","PolicyType":"New","PolicyStatus":"Pending"}]}]}`)
		}
		return body
	})
	m, err := b.store.Describe(t.Context(), "ssm:///a")
	require.NoError(t, err)
	require.Equal(t, []ssm.AppliedPolicy{{Text: `{"Type":"New"}`, Status: "Pending"}}, m.Policies)
}

// TestExpiryOfAnOffset is an expiration that no json.Unmarshaler of the
// standard library reads.
func TestExpiryOfAnOffset(t *testing.T) {
	b, _ := newExpiring(t)
	b.expire(t, "/a", `[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2119-11-01T22:13:48.87+10:30:00"}}]`)
	r := b.store.Fetch(t.Context(), readtest.Ref(t, "ssm:///a"))[0]
	require.NoError(t, r.Err)
	require.True(t, time.Date(2119, 11, 1, 11, 43, 48, 870e6, time.UTC).Equal(r.Changes))
}

// FuzzPolicies reads policies, and writes and reads again what it read.
func FuzzPolicies(f *testing.F) {
	for _, s := range []string{
		`[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2018-12-02T21:34:33.000Z"}},
		  {"Type":"ExpirationNotification","Version":"1.0","Attributes":{"Before":"15","Unit":"Days"}},
		  {"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"20","Unit":"Hours"}}]`,
		`[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2019-11-01T22:13:48.87+10:30:00"}}]`,
		`[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":1,"Unit":"DAYS"}}]`,
		`[{}]`, `[]`, `null`, `[null]`, `{}`, ``,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var p ssm.Policies
		if json.Unmarshal([]byte(s), &p) != nil {
			return
		}
		text, err := json.Marshal(p)
		require.NoError(t, err, "%q was read but is not written", s)
		var again ssm.Policies
		require.NoError(t, json.Unmarshal(text, &again), "%s", text)
		require.Len(t, again, len(p))
		for i := range p {
			if e, ok := p[i].(ssm.Expiration); ok {
				require.WithinDuration(t, e.At, again[i].(ssm.Expiration).At, time.Millisecond)
			} else {
				require.Equal(t, p[i], again[i])
			}
		}
	})
}
