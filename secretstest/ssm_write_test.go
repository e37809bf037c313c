package secretstest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"
)

func TestPutParameterNames(t *testing.T) {
	_, _, ps := start(t)
	levels := func(n int) string { return strings.Repeat("/l", n) }
	arnLength := len("arn:aws:ssm:us-east-1:123456789012:parameter/")
	for name, tt := range map[string]struct{ name, code string }{
		"plain":                {"plain", ""},
		"all characters":       {"/aZ0_.-/x", ""},
		"spaces at ends":       {"  /spaced ", ""},
		"fifteen levels":       {levels(15), ""},
		"longest":              {"/" + strings.Repeat("x", 1011-arnLength), ""},
		"too long":             {"/" + strings.Repeat("x", 1011-arnLength+1), "ValidationException"},
		"sixteen levels":       {levels(16), "HierarchyLevelLimitExceededException"},
		"inner space":          {"/a b", "ValidationException"},
		"bad character":        {"/a+b", "ValidationException"},
		"selector":             {"/a:1", "ValidationException"},
		"aws":                  {"awsome", "ValidationException"},
		"ssm, other case":      {"SSM-x", "ValidationException"},
		"aws hierarchy":        {"/aws/x", "AccessDeniedException"},
		"AWS hierarchy":        {"/AWS/x", "AccessDeniedException"},
		"ssm hierarchy":        {"/ssm/x", "ValidationException"},
		"no leading slash":     {"a/b", "ValidationException"},
		"trailing slash":       {"/a/", "ValidationException"},
		"empty level":          {"/a//b", "ValidationException"},
		"only spaces":          {"  ", "ValidationException"},
		"aws in a lower level": {"/x/aws", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ps.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &tt.name, Type: "String", Value: aws.String("v")})
			if tt.code != "" {
				requireCode(t, err, tt.code)
				return
			}
			require.NoError(t, err)
			_, err = getParameter(t, ps, tt.name, false)
			require.NoError(t, err)
		})
	}
}

func TestPutParameterRules(t *testing.T) {
	srv, _, ps := start(t)
	srv.SetParameter("/old", "v")
	text := func(n int) *string { return aws.String(strings.Repeat("x", n)) }
	old, fresh, yes := aws.String("/old"), aws.String("/new"), aws.Bool(true)
	for name, tt := range map[string]struct {
		in            ssm.PutParameterInput
		code, message string
	}{
		"no type":              {ssm.PutParameterInput{Name: fresh, Value: text(1)}, "ValidationException", "A parameter type is required when you create a parameter."},
		"unknown type":         {ssm.PutParameterInput{Name: fresh, Value: text(1), Type: "Number"}, "ValidationException", ""},
		"empty value":          {ssm.PutParameterInput{Name: fresh, Value: text(0), Type: "String"}, "ValidationException", ""},
		"exists":               {ssm.PutParameterInput{Name: old, Value: text(1), Type: "String"}, "ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."},
		"other type":           {ssm.PutParameterInput{Name: old, Value: text(1), Type: "SecureString", Overwrite: yes}, "HierarchyTypeMismatchException", ""},
		"nesting":              {ssm.PutParameterInput{Name: fresh, Value: aws.String("xx{{ssm:x}}"), Type: "String"}, "ValidationException", ""},
		"4 KB":                 {ssm.PutParameterInput{Name: fresh, Value: text(4097), Type: "String"}, "ValidationException", ""},
		"8 KB":                 {ssm.PutParameterInput{Name: fresh, Value: text(8193), Type: "String", Tier: "Advanced"}, "ValidationException", ""},
		"unknown tier":         {ssm.PutParameterInput{Name: fresh, Value: text(1), Type: "String", Tier: "Gold"}, "ValidationException", ""},
		"pattern":              {ssm.PutParameterInput{Name: fresh, Value: text(5), Type: "String", AllowedPattern: aws.String("x{1,4}")}, "ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: x{1,4}"},
		"invalid pattern":      {ssm.PutParameterInput{Name: fresh, Value: text(1), Type: "String", AllowedPattern: aws.String("(")}, "InvalidAllowedPatternException", ""},
		"tags on overwrite":    {ssm.PutParameterInput{Name: old, Value: text(1), Overwrite: yes, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}, "ValidationException", ""},
		"data type":            {ssm.PutParameterInput{Name: fresh, Value: text(1), Type: "String", DataType: aws.String("int")}, "ValidationException", ""},
		"image, secure":        {ssm.PutParameterInput{Name: fresh, Value: text(1), Type: "SecureString", DataType: aws.String("aws:ec2:image")}, "ValidationException", ""},
		"key of a String":      {ssm.PutParameterInput{Name: fresh, Value: text(1), Type: "String", KeyId: aws.String("alias/k")}, "ValidationException", ""},
		"policy of standard":   {ssm.PutParameterInput{Name: fresh, Value: text(1), Type: "String", Policies: aws.String(`[{"Type":"Expiration"}]`)}, "ValidationException", ""},
		"policies, no JSON":    {ssm.PutParameterInput{Name: fresh, Value: text(1), Type: "String", Tier: "Advanced", Policies: aws.String("{")}, "InvalidPolicyAttributeException", ""},
		"unknown policy":       {ssm.PutParameterInput{Name: fresh, Value: text(1), Type: "String", Tier: "Advanced", Policies: aws.String(`[{"Type":"X"}]`)}, "InvalidPolicyTypeException", ""},
		"too many policies":    {ssm.PutParameterInput{Name: fresh, Value: text(1), Type: "String", Tier: "Advanced", Policies: aws.String("[" + strings.Repeat("1,", 10) + "1]")}, "PoliciesLimitExceededException", ""},
		"description too long": {ssm.PutParameterInput{Name: fresh, Value: text(1), Type: "String", Description: text(1025)}, "ValidationException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ps.PutParameter(t.Context(), &tt.in)
			requireCode(t, err, tt.code)
			if tt.message != "" {
				requireCode(t, err, tt.code, tt.message)
			}
			require.NotContains(t, err.Error(), "xx")
			_, err = getParameter(t, ps, "/new", false)
			requireCode(t, err, "ParameterNotFound")
		})
	}
}

func TestPutParameterKeepsWhatAnOverwriteLeavesOut(t *testing.T) {
	_, _, ps := start(t)
	in := ssm.PutParameterInput{Name: aws.String("/a"), Type: "SecureString", Value: aws.String("1"), KeyId: aws.String("alias/k"), Description: aws.String("d"), AllowedPattern: aws.String(`\d`), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
	out, err := ps.PutParameter(t.Context(), &in)
	require.NoError(t, err)
	require.EqualValues(t, 1, out.Version)
	require.Equal(t, types.ParameterTierStandard, out.Tier)
	overwrite := ssm.PutParameterInput{Name: aws.String("/a"), Value: aws.String("x"), Overwrite: aws.Bool(true)}
	_, err = ps.PutParameter(t.Context(), &overwrite)
	requireCode(t, err, "ParameterPatternMismatchException")
	overwrite.Value = aws.String("2")
	out, err = ps.PutParameter(t.Context(), &overwrite)
	require.NoError(t, err)
	require.EqualValues(t, 2, out.Version)
	d, err := ps.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{})
	require.NoError(t, err)
	p := d.Parameters[0]
	require.Equal(t, "d", aws.ToString(p.Description))
	require.Equal(t, "alias/k", aws.ToString(p.KeyId))
	require.Equal(t, `\d`, aws.ToString(p.AllowedPattern))
	tags, err := ps.ListTagsForResource(t.Context(), &ssm.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: aws.String("/a")})
	require.NoError(t, err)
	require.Len(t, tags.TagList, 1)
}

func TestTiers(t *testing.T) {
	_, _, ps := start(t)
	put := func(name string, size int, tier types.ParameterTier) (types.ParameterTier, error) {
		out, err := ps.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Type: "String", Value: aws.String(strings.Repeat("x", size)), Tier: tier, Overwrite: aws.Bool(true)})
		if err != nil {
			return "", err
		}
		return out.Tier, nil
	}
	for _, tt := range []struct {
		name string
		size int
		tier types.ParameterTier
		want types.ParameterTier
	}{
		{"/a", 4096, "", "Standard"},
		{"/a", 10, "Intelligent-Tiering", "Standard"},
		{"/a", 4097, "Intelligent-Tiering", "Advanced"},
		{"/a", 10, "Intelligent-Tiering", "Advanced"},
		{"/a", 10, "", "Advanced"},
		{"/b", 10, "Standard", "Standard"},
		{"/b", 8192, "Advanced", "Advanced"},
	} {
		tier, err := put(tt.name, tt.size, tt.tier)
		require.NoError(t, err)
		require.Equal(t, tt.want, tier)
	}
	_, err := put("/b", 1, "Standard")
	requireCode(t, err, "ValidationException")
}

// An invalid image ID is accepted, and nothing is stored.
func TestImageDataType(t *testing.T) {
	_, _, ps := start(t)
	for value, stored := range map[string]bool{"ami-0123456789abcdef0": true, "ami-01234567": true, "not-an-image": false} {
		name := "/" + value
		_, err := ps.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Type: "String", Value: &value, DataType: aws.String("aws:ec2:image")})
		require.NoError(t, err)
		p, err := getParameter(t, ps, name, false)
		if !stored {
			requireCode(t, err, "ParameterNotFound")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, "aws:ec2:image", aws.ToString(p.DataType))
	}
}

func TestParameterVersionQuota(t *testing.T) {
	srv, _, ps := start(t)
	for i := range 100 {
		srv.SetParameter("/a", fmt.Sprint(i))
	}
	label(t, ps, "/a", 1, "keep")
	in := &ssm.PutParameterInput{Name: aws.String("/a"), Value: aws.String("x"), Overwrite: aws.Bool(true)}
	_, err := ps.PutParameter(t.Context(), in)
	requireCode(t, err, "ParameterMaxVersionLimitExceeded")
	label(t, ps, "/a", 2, "keep")
	label(t, ps, "/a", 50, "keep")
	out, err := ps.PutParameter(t.Context(), in)
	require.NoError(t, err)
	require.EqualValues(t, 101, out.Version)
	_, err = getParameter(t, ps, "/a:1", false)
	requireCode(t, err, "ParameterVersionNotFound")
}

func TestLabels(t *testing.T) {
	srv, _, ps := start(t)
	for range 3 {
		srv.SetParameter("/a", "v")
	}
	add := func(version int64, labels ...string) (*ssm.LabelParameterVersionOutput, error) {
		in := &ssm.LabelParameterVersionInput{Name: aws.String("/a"), Labels: labels}
		if version > 0 {
			in.ParameterVersion = &version
		}
		return ps.LabelParameterVersion(t.Context(), in)
	}
	version := func(label string) int64 {
		p, err := getParameter(t, ps, "/a:"+label, false)
		require.NoError(t, err)
		return p.Version
	}
	out, err := add(0, "blue")
	require.NoError(t, err)
	require.EqualValues(t, 3, out.ParameterVersion, "the latest, by default")
	_, err = add(1, "blue", "green")
	require.NoError(t, err)
	require.EqualValues(t, 1, version("blue"), "a label moves")

	out, err = add(2, "1st", "aws-x", "SSMx", "AWSCURRENT", "a b", "a/b", "fine_.-9")
	require.NoError(t, err)
	require.Equal(t, []string{"1st", "aws-x", "SSMx", "AWSCURRENT", "a b", "a/b"}, out.InvalidLabels)
	require.EqualValues(t, 2, version("fine_.-9"))

	ten := strings.Fields("a b c d e f g h i j")
	_, err = add(3, ten...)
	require.NoError(t, err)
	_, err = add(3, "k")
	requireCode(t, err, "ParameterVersionLabelLimitExceeded")
	_, err = add(1, append(ten, "k")...)
	requireCode(t, err, "ValidationException")
	_, err = add(1, strings.Repeat("l", 101))
	requireCode(t, err, "ValidationException")
	_, err = add(1, strings.Repeat("l", 100))
	require.NoError(t, err)
	_, err = add(9, "x")
	requireCode(t, err, "ParameterVersionNotFound", "Systems Manager could not find version 9 of /a. Verify the version and try again.")
	for name, code := range map[string]string{"/nope": "ParameterNotFound", "/a b": "ValidationException"} {
		_, err = ps.LabelParameterVersion(t.Context(), &ssm.LabelParameterVersionInput{Name: &name, Labels: ten})
		requireCode(t, err, code)
		_, err = ps.UnlabelParameterVersion(t.Context(), &ssm.UnlabelParameterVersionInput{Name: &name, ParameterVersion: aws.Int64(1), Labels: ten})
		requireCode(t, err, code)
	}

	removed, err := ps.UnlabelParameterVersion(t.Context(), &ssm.UnlabelParameterVersionInput{Name: aws.String("/a"), ParameterVersion: aws.Int64(3), Labels: []string{"a", "blue"}})
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, removed.RemovedLabels)
	require.Equal(t, []string{"blue"}, removed.InvalidLabels)
	_, err = getParameter(t, ps, "/a:a", false)
	requireCode(t, err, "ParameterVersionNotFound")
	status, answer := post(t, srv, "AmazonSSM.UnlabelParameterVersion", `{"Name":"/a","Labels":["b"]}`)
	require.Equal(t, 400, status)
	require.Equal(t, "ValidationException", answer["__type"])
}

func TestDeleteParameters(t *testing.T) {
	srv, _, ps := start(t)
	for _, name := range []string{"/a", "/b", "/c"} {
		srv.SetParameter(name, "v")
	}
	_, err := ps.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String("/a")})
	require.NoError(t, err)
	_, err = ps.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String("/a")})
	requireCode(t, err, "ParameterNotFound")
	out, err := ps.DeleteParameters(t.Context(), &ssm.DeleteParametersInput{Names: []string{"/a", "/b", "/c"}})
	require.NoError(t, err)
	require.Equal(t, []string{"/b", "/c"}, out.DeletedParameters)
	require.Equal(t, []string{"/a"}, out.InvalidParameters)
	_, err = ps.DeleteParameters(t.Context(), &ssm.DeleteParametersInput{Names: make([]string, 11)})
	requireCode(t, err, "ValidationException")
	require.EqualValues(t, 1, srv.SetParameter("/a", "v"), "versions begin again")
}

func TestParameterTags(t *testing.T) {
	srv, _, ps := start(t)
	srv.SetParameter("/a", "v")
	id := aws.String("/a")
	tag := func(pairs ...string) (tags []types.Tag) {
		for i := 0; i < len(pairs); i += 2 {
			tags = append(tags, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
		return tags
	}
	list := func() []types.Tag {
		out, err := ps.ListTagsForResource(t.Context(), &ssm.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: id})
		require.NoError(t, err)
		return out.TagList
	}
	require.Empty(t, list())
	_, err := ps.AddTagsToResource(t.Context(), &ssm.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: id, Tags: tag("k", "1", "l", "2")})
	require.NoError(t, err)
	_, err = ps.RemoveTagsFromResource(t.Context(), &ssm.RemoveTagsFromResourceInput{ResourceType: "Parameter", ResourceId: id, TagKeys: []string{"k"}})
	require.NoError(t, err)
	require.Equal(t, tag("l", "2"), list())
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprint("t", i), "")
	}
	_, err = ps.AddTagsToResource(t.Context(), &ssm.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: id, Tags: tag(many...)})
	requireCode(t, err, "TooManyTagsError")
	_, err = ps.AddTagsToResource(t.Context(), &ssm.AddTagsToResourceInput{ResourceType: "Document", ResourceId: id, Tags: tag("k", "v")})
	requireCode(t, err, "InvalidResourceType")
	_, err = ps.ListTagsForResource(t.Context(), &ssm.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: aws.String("/nope")})
	requireCode(t, err, "InvalidResourceId")
}
