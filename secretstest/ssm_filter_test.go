package secretstest_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"
)

// A filter that AWS refuses is refused with its code, by DescribeParameters and,
// of the keys that it has, by GetParametersByPath. The SDK's InvalidFilterKey has no
// message.
func TestParameterFiltersAreChecked(t *testing.T) {
	_, _, ps := start(t)
	filter := func(key, option string, values ...string) types.ParameterStringFilter {
		f := types.ParameterStringFilter{Key: &key, Values: values}
		if option != "" {
			f.Option = &option
		}
		return f
	}
	const (
		name   = "The parameter doesn't meet the parameter name requirements."
		common = "Filters for common parameters can't be prefixed with"
	)
	for what, tt := range map[string]struct {
		filters       []types.ParameterStringFilter
		code, message string
	}{
		"unknown key":        {[]types.ParameterStringFilter{filter("Colour", "", "red")}, "ValidationException", "tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType"},
		"tag without a key":  {[]types.ParameterStringFilter{filter("tag:", "", "red")}, "ValidationException", "regular expression"},
		"long key":           {[]types.ParameterStringFilter{filter("tag:"+strings.Repeat("t", 129), "", "red")}, "ValidationException", "less than or equal to 132"},
		"key of paths":       {[]types.ParameterStringFilter{filter("Label", "", "x")}, "InvalidFilterKey", ""},
		"key twice":          {[]types.ParameterStringFilter{filter("Name", "", "a"), filter("Name", "BeginsWith", "b")}, "InvalidFilterKey", ""},
		"long option":        {[]types.ParameterStringFilter{filter("Name", "over10chars", "a")}, "ValidationException", "less than or equal to 10"},
		"unknown option":     {[]types.ParameterStringFilter{filter("Name", "option", "a")}, "InvalidFilterOption", "The following filter option is not valid: option."},
		"Contains of a Type": {[]types.ParameterStringFilter{filter("Type", "Contains", "String")}, "InvalidFilterOption", "The following filter option is not valid: Contains."},
		"Equals of a Path":   {[]types.ParameterStringFilter{filter("Path", "Equals", "/a")}, "InvalidFilterOption", "Valid options include: [Recursive, OneLevel]."},
		"no values":          {[]types.ParameterStringFilter{filter("Name", "")}, "InvalidFilterValue", "The following filter values are missing"},
		"unknown Type":       {[]types.ParameterStringFilter{filter("Type", "", "string")}, "InvalidFilterOption", "Valid values include: [String, StringList, SecureString]."},
		"unknown Tier":       {[]types.ParameterStringFilter{filter("Tier", "", "gold")}, "InvalidFilterOption", "Valid values include: [Standard, Advanced, Intelligent-Tiering]."},
		"relative Path":      {[]types.ParameterStringFilter{filter("Path", "", "a")}, "ValidationException", name},
		"empty level":        {[]types.ParameterStringFilter{filter("Path", "", "//")}, "ValidationException", name},
		"bad character":      {[]types.ParameterStringFilter{filter("Path", "", "/a", "/###")}, "ValidationException", name},
		"Path of AWS":        {[]types.ParameterStringFilter{filter("Path", "", "/AWS/service")}, "ValidationException", common},
		"Path of SSM":        {[]types.ParameterStringFilter{filter("Path", "", "/ssm")}, "ValidationException", common},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := ps.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{ParameterFilters: tt.filters})
			requireCode(t, err, tt.code)
			require.ErrorContains(t, err, tt.message)
		})
	}
	for what, filters := range map[string][]types.ParameterStringFilter{
		"two tags":       {filter("tag:a", "", "1"), filter("tag:b", "BeginsWith", "2")},
		"tag, any value": {filter("tag:a", "")},
		"root":           {filter("Path", "Recursive", "/")},
		"part of a Type": {filter("Type", "BeginsWith", "String")},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := ps.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{ParameterFilters: filters})
			require.NoError(t, err)
		})
	}
	_, err := ps.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/"), ParameterFilters: []types.ParameterStringFilter{filter("Label", "", "a"), filter("Label", "", "b")}})
	requireCode(t, err, "InvalidFilterKey")
	_, err = ps.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/a//b")})
	requireCode(t, err, "ValidationException")
}
