package secretstest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

func getParameter(t testing.TB, ps *ssm.Client, name string, decrypt bool) (*types.Parameter, error) {
	t.Helper()
	out, err := ps.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name, WithDecryption: &decrypt})
	if err != nil {
		return nil, err
	}
	return out.Parameter, nil
}

func label(t testing.TB, ps *ssm.Client, name string, version int64, labels ...string) {
	t.Helper()
	out, err := ps.LabelParameterVersion(t.Context(), &ssm.LabelParameterVersionInput{Name: &name, ParameterVersion: &version, Labels: labels})
	require.NoError(t, err)
	require.Empty(t, out.InvalidLabels)
}

func TestGetParameterSelectors(t *testing.T) {
	srv, _, ps := start(t)
	for i := range 3 {
		require.EqualValues(t, i+1, srv.SetParameter("/a/b", fmt.Sprint("v", i+1)))
	}
	srv.SetParameter("plain", "p")
	label(t, ps, "/a/b", 2, "blue")
	const arn = "arn:aws:ssm:us-east-1:123456789012:parameter"
	for name, tt := range map[string]struct{ id, value, selector, code, message string }{
		"latest":           {"/a/b", "v3", "", "", ""},
		"spaces at ends":   {" /a/b ", "v3", "", "", ""},
		"version":          {"/a/b:1", "v1", ":1", "", ""},
		"label":            {"/a/b:blue", "v2", ":blue", "", ""},
		"ARN":              {arn + "/a/b", "v3", "", "", ""},
		"ARN, version":     {arn + "/a/b:2", "v2", ":2", "", ""},
		"ARN, label":       {arn + "/a/b:blue", "v2", ":blue", "", ""},
		"ARN, one level":   {arn + "/plain", "p", "", "", ""},
		"no slash":         {"plain", "p", "", "", ""},
		"missing":          {"/nope", "", "", "ParameterNotFound", ""},
		"missing, no dice": {"/plain", "", "", "ParameterNotFound", ""},
		"unknown version":  {"/a/b:99", "", "", "ParameterVersionNotFound", "Systems Manager could not find version 99 of /a/b. Verify the version and try again."},
		"unknown label":    {"/a/b:red", "", "", "ParameterVersionNotFound", "Systems Manager could not find label red for parameter /a/b. Verify the label and try again."},
		"two selectors":    {"/a/b:1:2", "", "", "ValidationException", ""},
		"empty selector":   {"/a/b:", "", "", "ValidationException", ""},
		"inner space":      {"/a b", "", "", "ValidationException", ""},
		"other service":    {"arn:aws:s3:us-east-1:123456789012:parameter/a", "", "", "ValidationException", ""},
		"empty":            {" ", "", "", "ValidationException", ""},
		"too long":         {"/" + strings.Repeat("x", 1011), "", "", "ValidationException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := getParameter(t, ps, tt.id, false)
			if tt.code != "" {
				requireCode(t, err, tt.code)
				if tt.message != "" {
					requireCode(t, err, tt.code, tt.message)
				}
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.value, aws.ToString(p.Value))
			require.Equal(t, tt.selector, aws.ToString(p.Selector))
			require.NotContains(t, aws.ToString(p.Name), ":")
			require.Equal(t, "text", aws.ToString(p.DataType))
			require.NotNil(t, p.LastModifiedDate)
			require.Equal(t, arn+"/"+strings.TrimPrefix(aws.ToString(p.Name), "/"), aws.ToString(p.ARN))
		})
	}
}

func TestGetParameters(t *testing.T) {
	srv, _, ps := start(t)
	for _, name := range []string{"/c", "/a", "/b"} {
		srv.SetParameter(name, "v1")
		srv.SetParameter(name, "v2")
	}
	out, err := ps.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/c", "/nope", "/b:1", "/a", "/a:99", "/a:red", "/a"}})
	require.NoError(t, err)
	var names []string
	for _, p := range out.Parameters {
		names = append(names, aws.ToString(p.Name)+aws.ToString(p.Selector))
	}
	require.Equal(t, []string{"/a", "/b:1", "/c"}, names)
	require.Equal(t, []string{"/nope", "/a:99", "/a:red"}, out.InvalidParameters)
	for _, ids := range [][]string{{}, strings.Split(strings.Repeat("/a ", 11)[:32], " "), {"/a b"}} {
		_, err := ps.GetParameters(t.Context(), &ssm.GetParametersInput{Names: ids})
		requireCode(t, err, "ValidationException")
	}
}

func TestSecureString(t *testing.T) {
	srv, _, ps := start(t)
	const plain = "the plain text"
	srv.SetSecureParameter("/s", plain)
	sealed, err := getParameter(t, ps, "/s", false)
	require.NoError(t, err)
	require.Equal(t, types.ParameterTypeSecureString, sealed.Type)
	require.Regexp(t, `^[A-Za-z0-9+/]{100,}={0,2}$`, aws.ToString(sealed.Value))
	again, err := getParameter(t, ps, "/s", false)
	require.NoError(t, err)
	require.Equal(t, sealed.Value, again.Value, "the ciphertext belongs to the version")
	require.Zero(t, srv.Decrypts())
	open, err := getParameter(t, ps, "/s", true)
	require.NoError(t, err)
	require.Equal(t, plain, aws.ToString(open.Value))
	require.Equal(t, 1, srv.Decrypts())

	// A seeding function may change the type.
	srv.SetParameter("/s", plain)
	p, err := getParameter(t, ps, "/s", true)
	require.NoError(t, err)
	require.Equal(t, types.ParameterTypeString, p.Type)
	require.EqualValues(t, 2, p.Version)
	require.Equal(t, 1, srv.Decrypts())
}

func paths(t *testing.T, ps *ssm.Client, in *ssm.GetParametersByPathInput) (names []string, pages int) {
	t.Helper()
	for p := ssm.NewGetParametersByPathPaginator(ps, in); p.HasMorePages(); pages++ {
		out, err := p.NextPage(t.Context())
		require.NoError(t, err)
		for _, v := range out.Parameters {
			names = append(names, aws.ToString(v.Name)+"="+aws.ToString(v.Value))
		}
	}
	return names, pages
}

func TestGetParametersByPath(t *testing.T) {
	srv, _, ps := start(t)
	srv.SetParameter("/app/a", "1")
	srv.SetParameter("/app/b", "1")
	srv.SetParameter("/app/b", "2")
	srv.SetSecureParameter("/app/sub/c", "3")
	srv.SetParameter("/apple", "4")
	srv.SetParameter("plain", "5")
	label(t, ps, "/app/b", 1, "blue")
	filter := func(key, option string, values ...string) []types.ParameterStringFilter {
		f := types.ParameterStringFilter{Key: &key, Values: values}
		if option != "" {
			f.Option = &option
		}
		return []types.ParameterStringFilter{f}
	}
	for name, tt := range map[string]struct {
		path      string
		recursive bool
		filters   []types.ParameterStringFilter
		want      []string
	}{
		"one level":       {"/app", false, nil, []string{"/app/a=1", "/app/b=2"}},
		"trailing slash":  {"/app/", false, nil, []string{"/app/a=1", "/app/b=2"}},
		"recursive":       {"/app", true, nil, []string{"/app/a=1", "/app/b=2", "/app/sub/c=3"}},
		"root":            {"/", false, nil, []string{"/apple=4", "plain=5"}},
		"nothing there":   {"/nope", true, nil, nil},
		"the name itself": {"/app/a", true, nil, nil},
		"type":            {"/app", true, filter("Type", "Equals", "SecureString"), []string{"/app/sub/c=3"}},
		"key":             {"/app", true, filter("KeyId", "BeginsWith", "alias/aws"), []string{"/app/sub/c=3"}},
		"label":           {"/app", true, filter("Label", "", "blue"), []string{"/app/b=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			names, _ := paths(t, ps, &ssm.GetParametersByPathInput{Path: &tt.path, Recursive: &tt.recursive, ParameterFilters: tt.filters, WithDecryption: aws.Bool(true)})
			require.Equal(t, tt.want, names)
		})
	}
	for name, tt := range map[string]struct {
		in   *ssm.GetParametersByPathInput
		code string
	}{
		"no slash":      {&ssm.GetParametersByPathInput{Path: aws.String("app")}, "ValidationException"},
		"bad character": {&ssm.GetParametersByPathInput{Path: aws.String("/a b")}, "ValidationException"},
		"max too small": {&ssm.GetParametersByPathInput{Path: aws.String("/"), MaxResults: aws.Int32(0)}, "ValidationException"},
		"max too large": {&ssm.GetParametersByPathInput{Path: aws.String("/"), MaxResults: aws.Int32(11)}, "ValidationException"},
		"filter key":    {&ssm.GetParametersByPathInput{Path: aws.String("/"), ParameterFilters: filter("Name", "", "a")}, "InvalidFilterKey"},
		"filter option": {&ssm.GetParametersByPathInput{Path: aws.String("/"), ParameterFilters: filter("Label", "BeginsWith", "a")}, "InvalidFilterOption"},
		"filter value":  {&ssm.GetParametersByPathInput{Path: aws.String("/"), ParameterFilters: filter("Type", "Equals")}, "InvalidFilterValue"},
		"token":         {&ssm.GetParametersByPathInput{Path: aws.String("/"), NextToken: aws.String("x")}, "InvalidNextToken"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ps.GetParametersByPath(t.Context(), tt.in)
			requireCode(t, err, tt.code)
		})
	}
}

func TestParameterPages(t *testing.T) {
	for name, tt := range map[string]struct {
		opts  []secretstest.Option
		pages int
	}{
		"of AWS": {nil, 3},
		"short":  {[]secretstest.Option{secretstest.WithPageSize(4)}, 6},
		"empty":  {[]secretstest.Option{secretstest.WithEmptyPages()}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			srv, _, ps := start(t, tt.opts...)
			for i := range 23 {
				srv.SetParameter(fmt.Sprintf("/p/%02d", i), "v")
			}
			names, pages := paths(t, ps, &ssm.GetParametersByPathInput{Path: aws.String("/p")})
			require.Len(t, names, 23)
			require.Equal(t, tt.pages, pages)
		})
	}
}

func TestGetParameterHistory(t *testing.T) {
	srv, _, ps := start(t)
	for i := range 60 {
		srv.SetSecureParameter("/h", fmt.Sprint("v", i+1))
	}
	label(t, ps, "/h", 2, "blue", "green")
	var all []types.ParameterHistory
	for p := ssm.NewGetParameterHistoryPaginator(ps, &ssm.GetParameterHistoryInput{Name: aws.String("/h"), WithDecryption: aws.Bool(true)}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, len(out.Parameters), 50)
		all = append(all, out.Parameters...)
	}
	require.Len(t, all, 60)
	require.Equal(t, []string{"blue", "green"}, all[1].Labels)
	require.Equal(t, "v2", aws.ToString(all[1].Value))
	require.Equal(t, "alias/aws/ssm", aws.ToString(all[1].KeyId))
	require.Equal(t, types.ParameterTierStandard, all[1].Tier)
	_, err := ps.GetParameterHistory(t.Context(), &ssm.GetParameterHistoryInput{Name: aws.String("/nope")})
	requireCode(t, err, "ParameterNotFound")
	_, err = ps.GetParameterHistory(t.Context(), &ssm.GetParameterHistoryInput{Name: aws.String("/h"), MaxResults: aws.Int32(51)})
	requireCode(t, err, "ValidationException")
}

func TestDescribeParameters(t *testing.T) {
	srv, _, ps := start(t)
	srv.SetParameter("/app/a", "v")
	srv.SetSecureParameter("/app/sub/b", "v")
	srv.SetParameter("/other", strings.Repeat("v", 5000))
	_, err := ps.AddTagsToResource(t.Context(), &ssm.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: aws.String("/other"), Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("prod")}}})
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		key, option, value string
		want               []string
	}{
		"name equals":   {"Name", "Equals", "/app/a", []string{"/app/a"}},
		"name begins":   {"Name", "BeginsWith", "/app", []string{"/app/a", "/app/sub/b"}},
		"name contains": {"Name", "Contains", "sub", []string{"/app/sub/b"}},
		"one level":     {"Path", "OneLevel", "/app", []string{"/app/a"}},
		"recursive":     {"Path", "Recursive", "/app", []string{"/app/a", "/app/sub/b"}},
		"type":          {"Type", "", "SecureString", []string{"/app/sub/b"}},
		"tier":          {"Tier", "Equals", "Advanced", []string{"/other"}},
		"key":           {"KeyId", "Equals", "alias/aws/ssm", []string{"/app/sub/b"}},
		"data type":     {"DataType", "Equals", "text", []string{"/app/a", "/app/sub/b", "/other"}},
		"tag":           {"tag:env", "Equals", "prod", []string{"/other"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: &tt.key, Values: []string{tt.value}}}}
			if tt.option != "" {
				in.ParameterFilters[0].Option = &tt.option
			}
			out, err := ps.DescribeParameters(t.Context(), in)
			require.NoError(t, err)
			var names []string
			for _, p := range out.Parameters {
				names = append(names, aws.ToString(p.Name))
				require.NotEmpty(t, p.ARN)
			}
			require.Equal(t, tt.want, names)
		})
	}
	out, err := ps.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{Filters: []types.ParametersFilter{{Key: "Name", Values: []string{"/app"}}}})
	require.NoError(t, err)
	require.Len(t, out.Parameters, 2)
	_, err = ps.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{
		Filters:          []types.ParametersFilter{{Key: "Name", Values: []string{"/app"}}},
		ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Name"), Values: []string{"/app"}}},
	})
	requireCode(t, err, "ValidationException")
}

func TestSecretThroughParameterStore(t *testing.T) {
	srv, _, ps := start(t)
	const prefix = "/aws/reference/secretsmanager/"
	v1 := srv.SetSecret("prod/db", "one")
	srv.SetSecret("prod/db", "two")
	for id, want := range map[string]string{
		prefix + "prod/db":             "two",
		prefix + "prod/db:AWSPREVIOUS": "one",
		prefix + "prod/db:" + v1:       "one",
	} {
		p, err := getParameter(t, ps, id, true)
		require.NoError(t, err, id)
		require.Equal(t, want, aws.ToString(p.Value))
		require.Equal(t, types.ParameterTypeSecureString, p.Type)
		require.Zero(t, p.Version)
		require.Equal(t, prefix+"prod/db", aws.ToString(p.Name))
		require.Contains(t, aws.ToString(p.ARN), ":secretsmanager:")
		require.Contains(t, aws.ToString(p.SourceResult), `"VersionId"`)
	}
	require.Equal(t, 3, srv.Decrypts())
	_, err := getParameter(t, ps, prefix+"prod/db", false)
	requireCode(t, err, "ValidationException", "WithDecryption flag must be True for retrieving a Secret Manager secret.")
	_, err = getParameter(t, ps, prefix+"nope", true)
	requireCode(t, err, "ParameterNotFound", "An error occurred (ParameterNotFound) when referencing Secrets Manager: Secrets Manager can't find the specified secret.")
	out, err := ps.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{prefix + "prod/db", prefix + "nope"}, WithDecryption: aws.Bool(true)})
	require.NoError(t, err)
	require.Len(t, out.Parameters, 1)
	require.Equal(t, []string{prefix + "nope"}, out.InvalidParameters)
	_, err = secretsmanager.NewFromConfig(srv.Config()).DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("prod/db")})
	require.NoError(t, err)
	_, err = getParameter(t, ps, prefix+"prod/db", true)
	requireCode(t, err, "InvalidRequestException")
}

func TestPublicParameters(t *testing.T) {
	srv, _, ps := start(t, secretstest.WithRegion("eu-central-1"))
	p, err := getParameter(t, ps, "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", false)
	require.NoError(t, err)
	require.Equal(t, "arn:aws:ssm:eu-central-1::parameter/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", aws.ToString(p.ARN))
	require.Equal(t, "aws:ec2:image", aws.ToString(p.DataType))
	p, err = getParameter(t, ps, "/aws/service/global-infrastructure/regions/us-east-1/longName", false)
	require.NoError(t, err)
	require.Equal(t, "US East (N. Virginia)", aws.ToString(p.Value))
	p, err = getParameter(t, ps, aws.ToString(p.ARN), false)
	require.NoError(t, err)
	require.EqualValues(t, 1, p.Version)
	require.EqualValues(t, 1, srv.SetPublicParameter("/aws/service/x/y", "1"))
	require.EqualValues(t, 2, srv.SetPublicParameter("/aws/service/x/y", "2"))
	names, _ := paths(t, ps, &ssm.GetParametersByPathInput{Path: aws.String("/aws/service/x")})
	require.Equal(t, []string{"/aws/service/x/y=2"}, names)
	described, err := ps.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{})
	require.NoError(t, err)
	require.Empty(t, described.Parameters)
}

func TestExpirationPolicy(t *testing.T) {
	srv, _, ps := start(t)
	at := srv.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	_, err := ps.PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String("/e"), Type: "String", Value: aws.String("v"), Tier: types.ParameterTierIntelligentTiering,
		Policies: aws.String(`[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"` + at + `"}}]`),
	})
	require.NoError(t, err)
	described, err := ps.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{})
	require.NoError(t, err)
	require.Equal(t, types.ParameterTierAdvanced, described.Parameters[0].Tier)
	require.Equal(t, "Expiration", aws.ToString(described.Parameters[0].Policies[0].PolicyType))
	srv.Advance(time.Hour + time.Second)
	_, err = getParameter(t, ps, "/e", false)
	requireCode(t, err, "ParameterNotFound")
}
