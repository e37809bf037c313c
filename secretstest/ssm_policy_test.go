package secretstest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

func inlinePolicy(kind, attributes string) string {
	return `{"Type":"` + kind + `","Version":"1.0","Attributes":{` + attributes + `}}`
}

func TestParameterPoliciesAreChecked(t *testing.T) {
	_, _, ps := start(t)
	const (
		expires = `"Timestamp":"2099-12-02T21:34:33.000Z"`
		days    = `"Before":"15","Unit":"Days"`
		invalid = "InvalidPolicyAttributeException"
	)
	expiration := inlinePolicy("Expiration", expires)
	noChange := inlinePolicy("NoChangeNotification", `"After":"20","Unit":"Days"`)
	list := func(policies ...string) string { return "[" + strings.Join(policies, ",") + "]" }
	sized := func(n int) string { return list(expiration) + strings.Repeat(" ", n-len(list(expiration))) }
	many := func(n int) string {
		policies := []string{expiration}
		for i := range n - 1 {
			policies = append(policies, inlinePolicy("ExpirationNotification", fmt.Sprintf(`"Before":"%d","Unit":"Hours"`, i+1)))
		}
		return list(policies...)
	}
	for name, tt := range map[string]struct{ policies, code, message string }{
		"expiration":               {list(expiration), "", ""},
		"offset":                   {list(inlinePolicy("Expiration", `"Timestamp":"2099-11-01T22:13:48.87+10:30"`)), "", ""},
		"offset with seconds":      {list(inlinePolicy("Expiration", `"Timestamp":"2099-11-01T22:13:48.87+10:30:00"`)), "", ""},
		"without seconds":          {list(inlinePolicy("Expiration", `"Timestamp":"2099-11-01T22:13Z"`)), "", ""},
		"both notifications":       {list(expiration, inlinePolicy("ExpirationNotification", days), noChange), "", ""},
		"no change alone":          {list(noChange), "", ""},
		"number":                   {list(inlinePolicy("NoChangeNotification", `"After":20,"Unit":"Hours"`)), "", ""},
		"no policies":              {`[]`, "", ""},
		"an empty policy":          {`[{}]`, "", ""},
		"nine policies":            {many(9), "", ""},
		"ten policies":             {many(10), "", ""},
		"eleven policies":          {many(11), "PoliciesLimitExceededException", "Number of policies attached to a parameter cannot exceed 10"},
		"longest":                  {sized(4096), "", ""},
		"too long":                 {sized(4097), "ValidationException", ""},
		"empty":                    {"", "ValidationException", ""},
		"no JSON":                  {`[`, invalid, "Invalid policies input"},
		"no array":                 {expiration, invalid, "Invalid policies input"},
		"unknown type":             {list(inlinePolicy("expiration", expires)), "InvalidPolicyTypeException", "Policy type expiration is not supported."},
		"version":                  {list(strings.Replace(expiration, "1.0", "2.0", 1)), invalid, "Unsupported policy version."},
		"no attributes":            {`[{"Type":"Expiration","Version":"1.0"}]`, invalid, "Mandatory policy attribute Attributes is missing."},
		"no timestamp":             {list(inlinePolicy("Expiration", "")), invalid, "A valid Expiration policy must have an attribute of Timestamp."},
		"date alone":               {list(inlinePolicy("Expiration", `"Timestamp":"2099-11-01"`)), invalid, "Invalid timestamp format"},
		"no time zone":             {list(inlinePolicy("Expiration", `"Timestamp":"2099-11-01T22:13:48"`)), invalid, "Invalid timestamp format"},
		"two expirations":          {list(expiration, expiration), "IncompatiblePolicyException", "There can be only one expiration policy"},
		"notification alone":       {list(inlinePolicy("ExpirationNotification", days)), "IncompatiblePolicyException", "Expiration notification policies are missing expiration policy"},
		"no Before":                {list(expiration, inlinePolicy("ExpirationNotification", `"Unit":"Days"`)), invalid, "Mandatory policy attribute Before is missing."},
		"no Unit":                  {list(inlinePolicy("NoChangeNotification", `"After":"1"`)), invalid, "Mandatory policy attribute Unit is missing."},
		"zero":                     {list(inlinePolicy("NoChangeNotification", `"After":"0","Unit":"Days"`)), invalid, "Attribute After must be a positive integer."},
		"fraction":                 {list(inlinePolicy("NoChangeNotification", `"After":1.5,"Unit":"Days"`)), invalid, "Attribute After must be a positive integer."},
		"weeks":                    {list(inlinePolicy("NoChangeNotification", `"After":"1","Unit":"Weeks"`)), invalid, "Supported time units: DAYS HOURS"},
		"not an object in the set": {`[1]`, invalid, "Invalid policies input"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ps.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/p"), Type: "String", Value: aws.String("v"), Tier: "Advanced", Policies: &tt.policies, Overwrite: aws.Bool(true)})
			if tt.code == "" {
				require.NoError(t, err)
				return
			}
			requireCode(t, err, tt.code)
			if tt.message != "" {
				requireCode(t, err, tt.code, tt.message)
			}
		})
	}
}

func TestPoliciesStayUntilReplaced(t *testing.T) {
	srv, _, ps := start(t)
	put := func(policies *string, tier types.ParameterTier) (*ssm.PutParameterOutput, error) {
		return ps.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/p"), Type: "String", Value: aws.String("v"), Tier: tier, Policies: policies, Overwrite: aws.Bool(true)})
	}
	read := func() []types.ParameterInlinePolicy {
		out, err := ps.GetParameterHistory(t.Context(), &ssm.GetParameterHistoryInput{Name: aws.String("/p")})
		require.NoError(t, err)
		return out.Parameters[len(out.Parameters)-1].Policies
	}
	at := srv.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339)
	text := "[" + inlinePolicy("Expiration", `"Timestamp":"`+at+`"`) + ",\n" + inlinePolicy("ExpirationNotification", `"Before":"1","Unit":"Days"`) + "," + inlinePolicy("NoChangeNotification", `"After":"30","Unit":"Hours"`) + "]"
	_, err := put(&text, "Standard")
	requireCode(t, err, "ValidationException")
	out, err := put(&text, "Intelligent-Tiering")
	require.NoError(t, err)
	require.Equal(t, types.ParameterTierAdvanced, out.Tier, "a policy needs the advanced tier")
	_, err = put(nil, "")
	require.NoError(t, err)
	policies := read()
	require.Len(t, policies, 3)
	require.Equal(t, inlinePolicy("Expiration", `"Timestamp":"`+at+`"`), aws.ToString(policies[0].PolicyText))
	status := func() (s string) {
		for _, p := range read() {
			s += aws.ToString(p.PolicyStatus) + " "
		}
		return s
	}
	require.Equal(t, "Pending Pending Pending ", status())
	srv.Advance(25 * time.Hour)
	require.Equal(t, "Pending Finished Pending ", status())
	srv.Advance(6 * time.Hour)
	require.Equal(t, "Pending Finished Finished ", status())
	_, err = put(nil, "")
	require.NoError(t, err)
	require.Equal(t, "Pending Finished Pending ", status(), "a change begins the wait for no change again")
	srv.Advance(18 * time.Hour)
	_, err = getParameter(t, ps, "/p", false)
	requireCode(t, err, "ParameterNotFound")
	out, err = put(&text, "Advanced")
	require.NoError(t, err)
	require.EqualValues(t, 1, out.Version)
	_, err = getParameter(t, ps, "/p", false)
	requireCode(t, err, "ParameterNotFound")

	text = "[" + inlinePolicy("NoChangeNotification", `"After":"30","Unit":"Hours"`) + "]"
	_, err = put(&text, "Advanced")
	require.NoError(t, err)
	_, err = put(aws.String("[{}]"), "")
	require.NoError(t, err)
	require.Empty(t, read())
}

func TestDefaultTierSetting(t *testing.T) {
	_, _, ps := start(t)
	id := aws.String("/ssm/parameter-store/default-parameter-tier")
	read := func() *types.ServiceSetting {
		out, err := ps.GetServiceSetting(t.Context(), &ssm.GetServiceSettingInput{SettingId: id})
		require.NoError(t, err)
		return out.ServiceSetting
	}
	put := func(name string, size int) (types.ParameterTier, error) {
		out, err := ps.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Type: "String", Value: aws.String(strings.Repeat("x", size)), Overwrite: aws.Bool(true)})
		if err != nil {
			return "", err
		}
		return out.Tier, nil
	}
	set := func(value string) {
		_, err := ps.UpdateServiceSetting(t.Context(), &ssm.UpdateServiceSettingInput{SettingId: aws.String("arn:aws:ssm:us-east-1:123456789012:servicesetting" + *id), SettingValue: &value})
		require.NoError(t, err)
		require.Equal(t, value, aws.ToString(read().SettingValue))
		require.Equal(t, "Customized", aws.ToString(read().Status))
	}
	require.Equal(t, "Standard", aws.ToString(read().SettingValue))
	require.Equal(t, "Default", aws.ToString(read().Status))
	require.Equal(t, "arn:aws:ssm:us-east-1:123456789012:servicesetting/ssm/parameter-store/default-parameter-tier", aws.ToString(read().ARN))
	_, err := put("/a", 4097)
	requireCode(t, err, "ValidationException")
	set("Intelligent-Tiering")
	for size, want := range map[int]types.ParameterTier{4096: "Standard", 4097: "Advanced"} {
		tier, err := put(fmt.Sprint("/i", size), size)
		require.NoError(t, err)
		require.Equal(t, want, tier)
	}
	set("Advanced")
	tier, err := put("/b", 1)
	require.NoError(t, err)
	require.Equal(t, types.ParameterTierAdvanced, tier)
	reset, err := ps.ResetServiceSetting(t.Context(), &ssm.ResetServiceSettingInput{SettingId: id})
	require.NoError(t, err)
	require.Equal(t, "Standard", aws.ToString(reset.ServiceSetting.SettingValue))
	tier, err = put("/c", 1)
	require.NoError(t, err)
	require.Equal(t, types.ParameterTierStandard, tier)

	throughput := aws.String("/ssm/parameter-store/high-throughput-enabled")
	_, err = ps.UpdateServiceSetting(t.Context(), &ssm.UpdateServiceSettingInput{SettingId: throughput, SettingValue: aws.String("True")})
	requireCode(t, err, "ValidationException")
	_, err = ps.UpdateServiceSetting(t.Context(), &ssm.UpdateServiceSettingInput{SettingId: throughput, SettingValue: aws.String("true")})
	require.NoError(t, err)
	_, err = ps.GetServiceSetting(t.Context(), &ssm.GetServiceSettingInput{SettingId: aws.String("/ssm/parameter-store/other")})
	requireCode(t, err, "ServiceSettingNotFound")
}

func TestParameterLimits(t *testing.T) {
	_, err := secretstest.Start(secretstest.WithParameterLimits(-1, 0))
	require.Error(t, err)
	_, _, ps := start(t, secretstest.WithParameterLimits(2, 2))
	put := func(name string, tier types.ParameterTier) (types.ParameterTier, error) {
		out, err := ps.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Type: "String", Value: aws.String("v"), Tier: tier, Overwrite: aws.Bool(true)})
		if err != nil {
			return "", err
		}
		return out.Tier, nil
	}
	for _, tt := range []struct {
		name       string
		tier, want types.ParameterTier
		code       string
	}{
		{"/s1", "Standard", "Standard", ""},
		{"/s2", "Intelligent-Tiering", "Standard", ""},
		{"/s3", "Standard", "", "ParameterLimitExceeded"},
		{"/s2", "Standard", "Standard", ""},
		{"/a1", "Intelligent-Tiering", "Advanced", ""},
		{"/a2", "Advanced", "Advanced", ""},
		{"/a3", "Advanced", "", "ParameterLimitExceeded"},
		{"/s1", "Advanced", "", "ParameterLimitExceeded"},
		{"/a2", "Advanced", "Advanced", ""},
	} {
		tier, err := put(tt.name, tt.tier)
		if tt.code != "" {
			requireCode(t, err, tt.code)
			continue
		}
		require.NoError(t, err, tt)
		require.Equal(t, tt.want, tier, tt)
	}
	_, err = ps.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String("/s2")})
	require.NoError(t, err)
	_, err = put("/s3", "Standard")
	require.NoError(t, err)
}

func TestSharedParameterPolicy(t *testing.T) {
	srv, _, ps := start(t)
	put := func(name string, in ssm.PutParameterInput) string {
		in.Name, in.Value, in.Overwrite = &name, aws.String("v"), aws.Bool(true)
		_, err := ps.PutParameter(t.Context(), &in)
		require.NoError(t, err)
		return "arn:aws:ssm:us-east-1:123456789012:parameter" + name
	}
	arn := put("/a", ssm.PutParameterInput{Type: "String", Tier: "Advanced"})
	standard := put("/s", ssm.PutParameterInput{Type: "String"})
	managed := put("/k", ssm.PutParameterInput{Type: "SecureString", Tier: "Advanced"})
	text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["ssm:GetParameter"],"Resource":"` + arn + `"}]}`
	sized := func(n int) string { return text + strings.Repeat(" ", n-len(text)) }
	share := func(arn, text string, ref ...string) (*ssm.PutResourcePolicyOutput, error) {
		in := &ssm.PutResourcePolicyInput{ResourceArn: &arn, Policy: &text}
		if len(ref) > 0 {
			in.PolicyId, in.PolicyHash = &ref[0], &ref[1]
		}
		return ps.PutResourcePolicy(t.Context(), in)
	}
	for name, tt := range map[string]struct{ arn, text, code string }{
		"standard":    {standard, text, "ResourcePolicyInvalidParameterException"},
		"managed key": {managed, text, "ResourcePolicyInvalidParameterException"},
		"no ARN":      {"/a-name-that-is-long-enough", text, "ResourcePolicyInvalidParameterException"},
		"missing":     {arn + "x", text, "ResourceNotFoundException"},
		"malformed":   {arn, "{", "MalformedResourcePolicyDocumentException"},
		"too long":    {arn, sized(1025), "ResourcePolicyLimitExceededException"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := share(tt.arn, tt.text)
			requireCode(t, err, tt.code)
		})
	}
	made, err := share(arn, sized(1024))
	require.NoError(t, err)
	_, err = share(arn, text)
	requireCode(t, err, "ResourcePolicyLimitExceededException")
	_, err = share(arn, text, *made.PolicyId, "stale")
	requireCode(t, err, "ResourcePolicyConflictException")
	_, err = share(arn, text, "unknown", *made.PolicyHash)
	requireCode(t, err, "ResourcePolicyNotFoundException")
	changed, err := share(arn, text, *made.PolicyId, *made.PolicyHash)
	require.NoError(t, err)
	require.Equal(t, made.PolicyId, changed.PolicyId)
	require.NotEqual(t, made.PolicyHash, changed.PolicyHash)
	out, err := ps.GetResourcePolicies(t.Context(), &ssm.GetResourcePoliciesInput{ResourceArn: &arn})
	require.NoError(t, err)
	require.Equal(t, []types.GetResourcePoliciesResponseEntry{{Policy: &text, PolicyHash: changed.PolicyHash, PolicyId: changed.PolicyId}}, out.Policies)
	other := ssm.NewFromConfig(srv.ConfigFor("", "111122223333"))
	_, err = other.GetResourcePolicies(t.Context(), &ssm.GetResourcePoliciesInput{ResourceArn: &arn})
	requireCode(t, err, "ResourceNotFoundException")
	p, err := other.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &arn})
	require.NoError(t, err)
	require.Equal(t, "v", aws.ToString(p.Parameter.Value))
	_, err = ps.DeleteResourcePolicy(t.Context(), &ssm.DeleteResourcePolicyInput{ResourceArn: &arn, PolicyId: changed.PolicyId, PolicyHash: made.PolicyHash})
	requireCode(t, err, "ResourcePolicyConflictException")
	_, err = ps.DeleteResourcePolicy(t.Context(), &ssm.DeleteResourcePolicyInput{ResourceArn: &arn, PolicyId: changed.PolicyId, PolicyHash: changed.PolicyHash})
	require.NoError(t, err)
	out, err = ps.GetResourcePolicies(t.Context(), &ssm.GetResourcePoliciesInput{ResourceArn: &arn})
	require.NoError(t, err)
	require.Empty(t, out.Policies)
}

func TestAllowedPatternHoldsForEachItemOfAList(t *testing.T) {
	_, _, ps := start(t)
	put := func(value string) error {
		_, err := ps.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/l"), Type: "StringList", Value: &value, AllowedPattern: aws.String(`^\d+$`), Overwrite: aws.Bool(true)})
		return err
	}
	require.NoError(t, put("1,22,333"))
	requireCode(t, put("1,b"), "ParameterPatternMismatchException")
}

func TestHistoryDescribesEachVersion(t *testing.T) {
	srv, _, ps := start(t)
	put := func(in ssm.PutParameterInput) {
		in.Name, in.Overwrite, in.Type = aws.String("/h"), aws.Bool(true), "SecureString"
		_, err := ps.PutParameter(t.Context(), &in)
		require.NoError(t, err)
		srv.Advance(time.Hour)
	}
	put(ssm.PutParameterInput{Value: aws.String("1"), Description: aws.String("first")})
	put(ssm.PutParameterInput{Value: aws.String("2"), KeyId: aws.String("alias/k"), Tier: "Advanced", Policies: aws.String("[" + inlinePolicy("NoChangeNotification", `"After":1,"Unit":"Days"`) + "]")})
	put(ssm.PutParameterInput{Value: aws.String("3"), Policies: aws.String("[]"), Description: aws.String("third")})
	label(t, ps, "/h", 2, "blue")
	out, err := ps.GetParameterHistory(t.Context(), &ssm.GetParameterHistoryInput{Name: aws.String("/h"), WithDecryption: aws.Bool(true)})
	require.NoError(t, err)
	require.Len(t, out.Parameters, 3)
	for i, want := range []struct {
		value, key, description string
		tier                    types.ParameterTier
		policies                int
		labels                  []string
	}{
		{"1", "alias/aws/ssm", "first", "Standard", 0, []string{}},
		{"2", "alias/k", "first", "Advanced", 1, []string{"blue"}},
		{"3", "alias/k", "third", "Advanced", 0, []string{}},
	} {
		p := out.Parameters[i]
		require.EqualValues(t, i+1, p.Version)
		require.Equal(t, want.value, aws.ToString(p.Value))
		require.Equal(t, want.key, aws.ToString(p.KeyId))
		require.Equal(t, want.description, aws.ToString(p.Description))
		require.Equal(t, want.tier, p.Tier)
		require.Len(t, p.Policies, want.policies)
		require.Equal(t, want.labels, p.Labels)
		require.Equal(t, "arn:aws:iam::123456789012:user/secretstest", aws.ToString(p.LastModifiedUser))
		if i > 0 {
			require.True(t, p.LastModifiedDate.After(*out.Parameters[i-1].LastModifiedDate))
		}
	}
}
