package secretstest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

func create(t *testing.T, sm *secretsmanager.Client, name, description string, tags ...string) {
	t.Helper()
	in := &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("v"), Description: &description}
	for i := 0; i < len(tags); i += 2 {
		in.Tags = append(in.Tags, types.Tag{Key: &tags[i], Value: &tags[i+1]})
	}
	_, err := sm.CreateSecret(t.Context(), in)
	require.NoError(t, err)
}

func TestListSecretsFilters(t *testing.T) {
	srv, sm, _ := start(t)
	create(t, sm, "prod/db", "Main database", "team", "Core")
	create(t, sm, "prod/api", "", "team", "Edge", "tier", "gold")
	create(t, sm, "test/db", "database of tests")
	srv.SetSecret("gone", "v")
	_, err := sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("gone")})
	require.NoError(t, err)
	f := func(key string, values ...string) types.Filter {
		return types.Filter{Key: types.FilterNameStringType(key), Values: values}
	}
	for name, tt := range map[string]struct {
		filters []types.Filter
		want    []string
	}{
		"none":                         {nil, []string{"prod/api", "prod/db", "test/db"}},
		"name":                         {[]types.Filter{f("name", "prod/")}, []string{"prod/api", "prod/db"}},
		"name is a prefix":             {[]types.Filter{f("name", "db")}, nil},
		"name minds case":              {[]types.Filter{f("name", "PROD/")}, nil},
		"values are alternatives":      {[]types.Filter{f("name", "prod/db", "test/")}, []string{"prod/db", "test/db"}},
		"filters are all required":     {[]types.Filter{f("name", "prod/"), f("description", "main")}, []string{"prod/db"}},
		"negation":                     {[]types.Filter{f("name", "!prod/")}, []string{"test/db"}},
		"negation beside a value":      {[]types.Filter{f("name", "prod/", "!prod/db")}, []string{"prod/api"}},
		"description, case apart":      {[]types.Filter{f("description", "DATABASE")}, []string{"test/db"}},
		"tag-key":                      {[]types.Filter{f("tag-key", "te")}, []string{"prod/api", "prod/db"}},
		"tag-value minds case":         {[]types.Filter{f("tag-value", "core")}, nil},
		"tag-value":                    {[]types.Filter{f("tag-value", "Core")}, []string{"prod/db"}},
		"all":                          {[]types.Filter{f("all", "DATABASE")}, []string{"prod/db", "test/db"}},
		"all, each word":               {[]types.Filter{f("all", "prod gold")}, []string{"prod/api"}},
		"primary-region":               {[]types.Filter{f("primary-region", "us-")}, nil},
		"owning-service":               {[]types.Filter{f("owning-service", "rds")}, nil},
		"not owned by another service": {[]types.Filter{f("owning-service", "!rds"), f("name", "test")}, []string{"test/db"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := sm.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{Filters: tt.filters, SortBy: types.SortByTypeName, SortOrder: types.SortOrderTypeAsc})
			require.NoError(t, err)
			var names []string
			for _, s := range out.SecretList {
				names = append(names, aws.ToString(s.Name))
				require.NotEmpty(t, s.SecretVersionsToStages)
			}
			require.Equal(t, tt.want, names)
		})
	}
	planned, err := sm.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{IncludePlannedDeletion: aws.Bool(true), Filters: []types.Filter{f("name", "gone")}})
	require.NoError(t, err)
	require.Len(t, planned.SecretList, 1)
	require.NotNil(t, planned.SecretList[0].DeletedDate)
	for _, in := range []*secretsmanager.ListSecretsInput{
		{Filters: []types.Filter{f("nope", "x")}},
		{Filters: []types.Filter{f("name")}},
		{MaxResults: aws.Int32(0)},
		{MaxResults: aws.Int32(101)},
		{SortOrder: "up"},
		{SortBy: "size"},
	} {
		_, err := sm.ListSecrets(t.Context(), in)
		requireCode(t, err, "ValidationException")
	}
}

func TestListSecretsOrder(t *testing.T) {
	srv, sm, _ := start(t)
	for _, name := range []string{"b", "c", "a"} {
		srv.SetSecret(name, "v")
		srv.Advance(time.Hour)
	}
	srv.SetSecret("b", "changed last")
	list := func(by types.SortByType, order types.SortOrderType) (names string) {
		out, err := sm.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{SortBy: by, SortOrder: order})
		require.NoError(t, err)
		for _, s := range out.SecretList {
			names += aws.ToString(s.Name)
		}
		return names
	}
	require.Equal(t, "acb", list("", ""))
	require.Equal(t, "bca", list("", "asc"))
	require.Equal(t, "abc", list("name", "asc"))
	require.Equal(t, "bac", list("last-changed-date", "desc"))
	require.NoError(t, get(t, sm, "c"))
	require.Equal(t, "cba", list("last-accessed-date", "desc"))
}

func TestSecretPages(t *testing.T) {
	for _, opt := range []secretstest.Option{secretstest.WithPageSize(2), secretstest.WithEmptyPages()} {
		srv, sm, _ := start(t, opt)
		var ids []string
		for i := range 5 {
			ids = append(ids, fmt.Sprint("s", i))
			srv.SetSecret(ids[i], "v")
		}
		for range 4 {
			srv.SetSecret("s0", "v")
		}
		n, pages := 0, 0
		for p := secretsmanager.NewListSecretsPaginator(sm, &secretsmanager.ListSecretsInput{}); p.HasMorePages(); pages++ {
			out, err := p.NextPage(t.Context())
			require.NoError(t, err)
			n += len(out.SecretList)
		}
		require.Equal(t, 5, n)
		require.Greater(t, pages, 1)
		n = 0
		for p := secretsmanager.NewBatchGetSecretValuePaginator(sm, &secretsmanager.BatchGetSecretValueInput{SecretIdList: append(ids, "nope")}); p.HasMorePages(); {
			out, err := p.NextPage(t.Context())
			require.NoError(t, err)
			n += len(out.SecretValues) + len(out.Errors)
		}
		require.Equal(t, 6, n)
		n = 0
		for p := secretsmanager.NewListSecretVersionIdsPaginator(sm, &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("s0"), IncludeDeprecated: aws.Bool(true)}); p.HasMorePages(); {
			out, err := p.NextPage(t.Context())
			require.NoError(t, err)
			n += len(out.Versions)
		}
		require.Equal(t, 5, n)
	}
}

func TestSecretTokensAreChecked(t *testing.T) {
	srv, sm, _ := start(t, secretstest.WithPageSize(1))
	srv.SetSecret("a", "v")
	srv.SetSecret("b", "v")
	out, err := sm.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	require.NoError(t, err)
	for _, bad := range []string{"x", "!!", aws.ToString(out.NextToken)} {
		_, err := sm.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"a"}, NextToken: &bad})
		requireCode(t, err, "InvalidNextTokenException")
	}
}

func TestBatchGetSecretValue(t *testing.T) {
	srv, sm, _ := start(t)
	for i := range 25 {
		srv.SetSecret(fmt.Sprintf("s%02d", i), fmt.Sprint(i))
	}
	_, err := sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("empty")})
	require.NoError(t, err)
	srv.SetSecret("gone", "v")
	_, err = sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("gone")})
	require.NoError(t, err)
	arn := aws.ToString(describe(t, sm, "s01").ARN)
	out, err := sm.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"s00", arn, "nope", "s00", "empty", "gone", "a b"}})
	require.NoError(t, err)
	require.Len(t, out.SecretValues, 2, "an ID given twice is answered once")
	require.Equal(t, "0", aws.ToString(out.SecretValues[0].SecretString))
	require.Equal(t, []string{"AWSCURRENT"}, out.SecretValues[0].VersionStages)
	require.Equal(t, arn, aws.ToString(out.SecretValues[1].ARN))
	codes := map[string]string{}
	for _, e := range out.Errors {
		codes[aws.ToString(e.SecretId)] = aws.ToString(e.ErrorCode)
	}
	require.Equal(t, map[string]string{"nope": "ResourceNotFoundException", "empty": "ResourceNotFoundException", "gone": "InvalidRequestException", "a b": "ValidationException"}, codes)

	name := []types.Filter{{Key: "name", Values: []string{"s"}}}
	all, err := sm.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{Filters: name})
	require.NoError(t, err)
	require.Len(t, all.SecretValues, 20)
	rest, err := sm.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{Filters: name, NextToken: all.NextToken, MaxResults: aws.Int32(20)})
	require.NoError(t, err)
	require.Len(t, rest.SecretValues, 5)
	require.Nil(t, rest.NextToken)

	ids := make([]string, 21)
	for i := range ids {
		ids[i] = fmt.Sprintf("s%02d", i)
	}
	for _, tt := range []struct {
		in   *secretsmanager.BatchGetSecretValueInput
		code string
	}{
		{&secretsmanager.BatchGetSecretValueInput{}, "InvalidParameterException"},
		{&secretsmanager.BatchGetSecretValueInput{SecretIdList: ids[:1], Filters: name}, "InvalidParameterException"},
		{&secretsmanager.BatchGetSecretValueInput{SecretIdList: ids[:1], MaxResults: aws.Int32(1)}, "InvalidParameterException"},
		{&secretsmanager.BatchGetSecretValueInput{SecretIdList: ids}, "ValidationException"},
		{&secretsmanager.BatchGetSecretValueInput{Filters: name, MaxResults: aws.Int32(21)}, "ValidationException"},
	} {
		_, err := sm.BatchGetSecretValue(t.Context(), tt.in)
		requireCode(t, err, tt.code)
	}
}

func TestDeleteAndRestore(t *testing.T) {
	srv, sm, _ := start(t)
	id := aws.String("a")
	srv.SetSecret("a", "v")
	del := func(in secretsmanager.DeleteSecretInput) (*secretsmanager.DeleteSecretOutput, error) {
		if in.SecretId == nil {
			in.SecretId = id
		}
		return sm.DeleteSecret(t.Context(), &in)
	}
	for _, days := range []int64{0, 6, 31} {
		_, err := del(secretsmanager.DeleteSecretInput{RecoveryWindowInDays: &days})
		requireCode(t, err, "InvalidParameterException")
	}
	_, err := del(secretsmanager.DeleteSecretInput{RecoveryWindowInDays: aws.Int64(7), ForceDeleteWithoutRecovery: aws.Bool(true)})
	requireCode(t, err, "InvalidParameterException")

	out, err := del(secretsmanager.DeleteSecretInput{})
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(30*24*time.Hour), *out.DeletionDate, time.Minute)
	const marked = "You can't perform this operation on the secret because it was marked for deletion."
	requireCode(t, get(t, sm, "a"), "InvalidRequestException", marked)
	_, err = sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: id, SecretString: aws.String("x")})
	requireCode(t, err, "InvalidRequestException", marked)
	_, err = sm.UpdateSecret(t.Context(), &secretsmanager.UpdateSecretInput{SecretId: id, Description: aws.String("x")})
	requireCode(t, err, "InvalidRequestException", marked)
	_, err = sm.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{SecretId: id, VersionStage: aws.String("x")})
	requireCode(t, err, "InvalidRequestException", marked)
	_, err = del(secretsmanager.DeleteSecretInput{})
	requireCode(t, err, "InvalidRequestException")
	require.NotNil(t, describe(t, sm, "a").DeletedDate)

	for range 2 {
		_, err = sm.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: id})
		require.NoError(t, err)
	}
	require.NoError(t, get(t, sm, "a"))
	require.Nil(t, describe(t, sm, "a").DeletedDate)

	_, err = del(secretsmanager.DeleteSecretInput{RecoveryWindowInDays: aws.Int64(7)})
	require.NoError(t, err)
	srv.Advance(7*24*time.Hour + time.Second)
	requireCode(t, get(t, sm, "a"), "ResourceNotFoundException")
	_, err = sm.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: id})
	requireCode(t, err, "ResourceNotFoundException")

	srv.SetSecret("a", "again")
	before := describe(t, sm, "a").ARN
	_, err = del(secretsmanager.DeleteSecretInput{ForceDeleteWithoutRecovery: aws.Bool(true)})
	require.NoError(t, err)
	forced, err := del(secretsmanager.DeleteSecretInput{ForceDeleteWithoutRecovery: aws.Bool(true)})
	require.NoError(t, err, "a forced deletion of a missing secret succeeds")
	require.Equal(t, "a", aws.ToString(forced.Name))
	_, err = del(secretsmanager.DeleteSecretInput{SecretId: aws.String("nope")})
	requireCode(t, err, "ResourceNotFoundException")
	srv.SetSecret("a", "new")
	require.NotEqual(t, before, describe(t, sm, "a").ARN, "a secret created again has another ARN")

	_, err = del(secretsmanager.DeleteSecretInput{})
	require.NoError(t, err)
	srv.SetSecret("a", "seeded over a scheduled deletion")
	require.NoError(t, get(t, sm, "a"))
	srv.Advance(40 * 24 * time.Hour)
	require.NoError(t, get(t, sm, "a"))
}

func TestGetRandomPassword(t *testing.T) {
	_, sm, _ := start(t)
	lower, upper, digits, marks := "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	yes := aws.Bool(true)
	for name, tt := range map[string]struct {
		in      secretsmanager.GetRandomPasswordInput
		length  int
		allowed string
		each    []string
	}{
		"default":               {secretsmanager.GetRandomPasswordInput{}, 32, lower + upper + digits + marks, []string{lower, upper, digits, marks}},
		"shortest":              {secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(4)}, 4, lower + upper + digits + marks, []string{lower, upper, digits, marks}},
		"longest":               {secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(4096), IncludeSpace: yes}, 4096, lower + upper + digits + marks + " ", []string{" "}},
		"only letters":          {secretsmanager.GetRandomPasswordInput{ExcludeNumbers: yes, ExcludePunctuation: yes}, 32, lower + upper, []string{lower, upper}},
		"only numbers":          {secretsmanager.GetRandomPasswordInput{ExcludeLowercase: yes, ExcludeUppercase: yes, ExcludePunctuation: yes, ExcludeCharacters: aws.String("013456789")}, 32, "2", []string{"2"}},
		"one, no type required": {secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(1), RequireEachIncludedType: aws.Bool(false)}, 1, lower + upper + digits + marks, nil},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := sm.GetRandomPassword(t.Context(), &tt.in)
			require.NoError(t, err)
			password := aws.ToString(out.RandomPassword)
			require.Len(t, password, tt.length)
			require.Empty(t, strings.Trim(password, tt.allowed))
			for _, characters := range tt.each {
				require.True(t, strings.ContainsAny(password, characters))
			}
		})
	}
	for _, tt := range []struct {
		in   *secretsmanager.GetRandomPasswordInput
		code string
	}{
		{&secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(0)}, "ValidationException"},
		{&secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(4097)}, "ValidationException"},
		{&secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(3)}, "InvalidParameterException"},
		{&secretsmanager.GetRandomPasswordInput{ExcludeLowercase: yes, ExcludeNumbers: yes, ExcludePunctuation: yes, ExcludeUppercase: yes}, "InvalidParameterException"},
	} {
		_, err := sm.GetRandomPassword(t.Context(), tt.in)
		requireCode(t, err, tt.code)
	}
}

func TestSecretTags(t *testing.T) {
	srv, sm, _ := start(t)
	srv.SetSecret("a", "v")
	id := aws.String("a")
	tag := func(pairs ...string) (tags []types.Tag) {
		for i := 0; i < len(pairs); i += 2 {
			tags = append(tags, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
		return tags
	}
	_, err := sm.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: id, Tags: tag("k", "1", "l", "2")})
	require.NoError(t, err)
	_, err = sm.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: id, Tags: tag("k", "3")})
	require.NoError(t, err)
	require.Equal(t, tag("k", "3", "l", "2"), describe(t, sm, "a").Tags)
	_, err = sm.UntagResource(t.Context(), &secretsmanager.UntagResourceInput{SecretId: id, TagKeys: []string{"k", "nope"}})
	require.NoError(t, err)
	require.Equal(t, tag("l", "2"), describe(t, sm, "a").Tags)
	changed := describe(t, sm, "a").LastChangedDate
	srv.Advance(time.Hour)
	_, err = sm.UntagResource(t.Context(), &secretsmanager.UntagResourceInput{SecretId: id, TagKeys: []string{"nope"}})
	require.NoError(t, err)
	require.Equal(t, changed, describe(t, sm, "a").LastChangedDate, "nothing was changed")
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprint("t", i), "")
	}
	_, err = sm.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: id, Tags: tag(many...)})
	requireCode(t, err, "InvalidParameterException")
	_, err = sm.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: id, Tags: tag(strings.Repeat("k", 129), "")})
	requireCode(t, err, "ValidationException")
	_, err = sm.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: id, Tags: tag("k", strings.Repeat("v", 257))})
	requireCode(t, err, "ValidationException")
	_, err = sm.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: aws.String("nope"), Tags: tag("k", "v")})
	requireCode(t, err, "ResourceNotFoundException")
}
