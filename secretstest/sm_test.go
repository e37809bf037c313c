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

func describe(t testing.TB, sm *secretsmanager.Client, id string) *secretsmanager.DescribeSecretOutput {
	t.Helper()
	out, err := sm.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &id})
	require.NoError(t, err)
	return out
}

func put(t testing.TB, sm *secretsmanager.Client, id, text string, stages ...string) string {
	t.Helper()
	out, err := sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: &text, VersionStages: stages})
	require.NoError(t, err)
	return aws.ToString(out.VersionId)
}

func token(n int) *string { return aws.String(fmt.Sprintf("%032d", n)) }

func TestSecretIsFoundByNameAndARN(t *testing.T) {
	srv, sm, _ := start(t)
	srv.SetSecret("db", "short")
	full := aws.ToString(describe(t, sm, "db").ARN)
	lookalike := "db-" + full[len(full)-6:] + "x" // no six characters at its end
	srv.SetSecret(lookalike, "long")
	srv.SetSecret("db-AbCdEf", "suffixed")
	suffixed := aws.ToString(describe(t, sm, "db-AbCdEf").ARN)
	partial := strings.TrimSuffix(full, full[len(full)-7:])
	for id, want := range map[string]string{
		"db": "short", full: "short", partial: "short",
		lookalike: "long", partial + lookalike[2:]: "long",
		"db-AbCdEf": "suffixed", suffixed: "suffixed",
	} {
		out, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
		require.NoError(t, err, id)
		require.Equal(t, want, aws.ToString(out.SecretString), id)
	}
	// AWS takes a partial ARN with such an end for a complete one.
	_, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(partial + "-AbCdEf")})
	requireCode(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	for _, id := range []string{"nope", "arn:aws:ssm:us-east-1:123456789012:parameter/db", partial + "-000000"} {
		_, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
		requireCode(t, err, "ResourceNotFoundException")
	}
}

func TestCreateSecretRules(t *testing.T) {
	_, sm, _ := start(t)
	big := strings.Repeat("x", 65_536)
	tags := make([]types.Tag, 51)
	for i := range tags {
		tags[i] = types.Tag{Key: aws.String(fmt.Sprint(i)), Value: aws.String("")}
	}
	for name, tt := range map[string]struct {
		in   secretsmanager.CreateSecretInput
		code string
	}{
		"no value":       {secretsmanager.CreateSecretInput{Name: aws.String("n1")}, ""},
		"largest text":   {secretsmanager.CreateSecretInput{Name: aws.String("n2"), SecretString: &big}, ""},
		"largest binary": {secretsmanager.CreateSecretInput{Name: aws.String("n3"), SecretBinary: []byte(big)}, ""},
		"longest name":   {secretsmanager.CreateSecretInput{Name: aws.String(strings.Repeat("n", 512))}, ""},
		"all characters": {secretsmanager.CreateSecretInput{Name: aws.String("Aa0/_+=.@-!")}, ""},
		"fifty tags":     {secretsmanager.CreateSecretInput{Name: aws.String("n4"), Tags: tags[:50]}, ""},

		"text too large":   {secretsmanager.CreateSecretInput{Name: aws.String("x"), SecretString: aws.String(big + "x")}, "ValidationException"},
		"binary too large": {secretsmanager.CreateSecretInput{Name: aws.String("x"), SecretBinary: []byte(big + "x")}, "ValidationException"},
		"empty text":       {secretsmanager.CreateSecretInput{Name: aws.String("x"), SecretString: aws.String("")}, "InvalidRequestException"},
		"both":             {secretsmanager.CreateSecretInput{Name: aws.String("x"), SecretString: aws.String("a"), SecretBinary: []byte("a")}, "InvalidParameterException"},
		"name too long":    {secretsmanager.CreateSecretInput{Name: aws.String(strings.Repeat("n", 513))}, "ValidationException"},
		"empty name":       {secretsmanager.CreateSecretInput{Name: aws.String("")}, "ValidationException"},
		"bad name":         {secretsmanager.CreateSecretInput{Name: aws.String("a b")}, "ValidationException"},
		"short token":      {secretsmanager.CreateSecretInput{Name: aws.String("x"), ClientRequestToken: aws.String("short")}, "InvalidParameterException"},
		"long token":       {secretsmanager.CreateSecretInput{Name: aws.String("x"), ClientRequestToken: aws.String(strings.Repeat("t", 65))}, "InvalidParameterException"},
		"51 tags":          {secretsmanager.CreateSecretInput{Name: aws.String("x"), Tags: tags}, "InvalidParameterException"},
		"reserved tag":     {secretsmanager.CreateSecretInput{Name: aws.String("x"), Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}}, "ValidationException"},
		"long description": {secretsmanager.CreateSecretInput{Name: aws.String("x"), Description: aws.String(strings.Repeat("d", 2049))}, "ValidationException"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sm.CreateSecret(t.Context(), &tt.in)
			if tt.code == "" {
				require.NoError(t, err)
				return
			}
			requireCode(t, err, tt.code)
			require.NotContains(t, err.Error(), "xxx")
		})
	}
}

func TestClientRequestTokenIsIdempotent(t *testing.T) {
	_, sm, _ := start(t)
	create := func(text string) error {
		_, err := sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("a"), SecretString: &text, ClientRequestToken: token(1)})
		return err
	}
	require.NoError(t, create("v"))
	require.NoError(t, create("v"), "same token, same value")
	requireCode(t, create("w"), "ResourceExistsException")
	require.ErrorContains(t, create("w"), "You can't use ClientRequestToken "+*token(1)+" because that value is already in use")
	_, err := sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("a"), SecretString: aws.String("v")})
	requireCode(t, err, "ResourceExistsException", "The operation failed because the secret a already exists.")

	putToken := func(text string, n int) (*secretsmanager.PutSecretValueOutput, error) {
		return sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("a"), SecretString: &text, ClientRequestToken: token(n)})
	}
	_, err = putToken("w", 2)
	require.NoError(t, err)
	out, err := putToken("v", 1)
	require.NoError(t, err)
	require.Equal(t, []string{"AWSPREVIOUS"}, out.VersionStages, "nothing was done")
	_, err = putToken("other", 1)
	requireCode(t, err, "ResourceExistsException")
	require.NotContains(t, err.Error(), "other")
	for _, in := range []secretsmanager.UpdateSecretInput{{SecretBinary: []byte("w")}, {SecretString: aws.String("w")}} {
		in.SecretId, in.ClientRequestToken, in.Description = aws.String("a"), token(2), aws.String("d")
		_, err = sm.UpdateSecret(t.Context(), &in)
		requireCode(t, err, "ResourceExistsException")
		require.Nil(t, describe(t, sm, "a").Description)
	}
	require.Len(t, describe(t, sm, "a").VersionIdsToStages, 2)
}

func TestWritesWithoutTokenOrValue(t *testing.T) {
	srv, sm, _ := start(t)
	srv.SetSecret("a", "v")
	for target, body := range map[string]string{
		"CreateSecret":   `{"Name":"b","SecretString":"v"}`,
		"PutSecretValue": `{"SecretId":"a","SecretString":"v"}`,
		"UpdateSecret":   `{"SecretId":"a","SecretString":"v"}`,
	} {
		status, answer := post(t, srv, "secretsmanager."+target, body)
		require.Equal(t, 400, status)
		require.Equal(t, "InvalidRequestException", answer["__type"])
		require.Equal(t, "You must provide a ClientRequestToken value. We recommend a UUID-type value.", answer["Message"])
	}
	_, err := sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("a")})
	requireCode(t, err, "InvalidRequestException")
	_, err = sm.UpdateSecret(t.Context(), &secretsmanager.UpdateSecretInput{SecretId: aws.String("a"), SecretString: aws.String("")})
	requireCode(t, err, "InvalidRequestException")
	_, err = sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("nope"), SecretString: aws.String("v")})
	requireCode(t, err, "ResourceNotFoundException")
}

func TestStagesOfNewVersions(t *testing.T) {
	_, sm, _ := start(t)
	_, err := sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("a")})
	require.NoError(t, err)
	first := put(t, sm, "a", "1", "AWSPENDING")
	require.Equal(t, map[string][]string{first: {"AWSCURRENT", "AWSPENDING"}}, describe(t, sm, "a").VersionIdsToStages, "the first version gets AWSCURRENT")
	second := put(t, sm, "a", "2")
	third := put(t, sm, "a", "3")
	require.Equal(t, map[string][]string{second: {"AWSPREVIOUS"}, third: {"AWSCURRENT"}}, describe(t, sm, "a").VersionIdsToStages)

	list := func(deprecated bool) []types.SecretVersionsListEntry {
		out, err := sm.ListSecretVersionIds(t.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("a"), IncludeDeprecated: &deprecated})
		require.NoError(t, err)
		return out.Versions
	}
	require.Len(t, list(false), 2)
	require.Len(t, list(true), 3)
	out, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a"), VersionId: &first})
	require.NoError(t, err)
	require.Equal(t, "1", aws.ToString(out.SecretString), "a deprecated version can be read by its ID")
	require.Empty(t, out.VersionStages)

	stages := make([]string, 21)
	for i := range stages {
		stages[i] = fmt.Sprint("s", i)
	}
	_, err = sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("a"), SecretString: aws.String("x"), VersionStages: stages})
	requireCode(t, err, "ValidationException")
	put(t, sm, "a", "x", stages[:20]...)
}

func TestUpdateSecretVersionStage(t *testing.T) {
	srv := secretstest.NewServer(t)
	sm := secretsmanager.NewFromConfig(once(srv.Config()))
	v1 := srv.SetSecret("a", "1")
	v2 := put(t, sm, "a", "2", "AWSPENDING")
	move := func(stage, from, to string) error {
		in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: aws.String("a"), VersionStage: &stage}
		if from != "" {
			in.RemoveFromVersionId = &from
		}
		if to != "" {
			in.MoveToVersionId = &to
		}
		_, err := sm.UpdateSecretVersionStage(t.Context(), in)
		return err
	}
	missing := *token(404)
	for name, tt := range map[string]struct{ stage, from, to, code string }{
		"holder not named":       {"AWSCURRENT", "", v2, "InvalidParameterException"},
		"other version named":    {"AWSCURRENT", v2, v2, "InvalidParameterException"},
		"label on no version":    {"blue", v1, v2, "InvalidParameterException"},
		"unknown target":         {"blue", "", missing, "ResourceNotFoundException"},
		"unknown source":         {"blue", missing, "", "ResourceNotFoundException"},
		"current only removed":   {"AWSCURRENT", v1, "", "InvalidParameterException"},
		"removed from another":   {"AWSPENDING", v1, "", "InvalidParameterException"},
		"neither from nor to":    {"AWSPENDING", "", "", "InvalidParameterException"},
		"stage name is too long": {strings.Repeat("s", 257), "", v1, "ValidationException"},
	} {
		t.Run(name, func(t *testing.T) { requireCode(t, move(tt.stage, tt.from, tt.to), tt.code) })
	}
	requireCode(t, move("AWSCURRENT", "", v2), "InvalidParameterException", "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version "+v1+", so you must explicitly reference that version in RemoveFromVersionId.")

	require.NoError(t, move("AWSCURRENT", v1, v2))
	require.Equal(t, map[string][]string{v1: {"AWSPREVIOUS"}, v2: {"AWSCURRENT", "AWSPENDING"}}, describe(t, sm, "a").VersionIdsToStages)
	require.NoError(t, move("AWSCURRENT", "", v2), "already there")
	require.NoError(t, move("AWSPENDING", v2, ""))
	require.NoError(t, move("AWSCURRENT", v2, v1), "a rollback swaps the two")
	require.Equal(t, map[string][]string{v1: {"AWSCURRENT"}, v2: {"AWSPREVIOUS"}}, describe(t, sm, "a").VersionIdsToStages)
	for i := range 19 {
		require.NoError(t, move(fmt.Sprint("s", i), "", v1))
	}
	requireCode(t, move("one-more", "", v1), "LimitExceededException")
	require.NoError(t, move("one-more", "", v2))
	requireCode(t, move("too-many", "", v2), "LimitExceededException", "You have reached the maximum of 20 staging labels attached to the versions of this secret.")
	require.NoError(t, move("s0", v1, v2), "labels still move")
}

func TestGetSecretValueSelectsVersions(t *testing.T) {
	srv, sm, _ := start(t)
	v1 := srv.SetSecret("a", "1")
	v2 := srv.SetSecretBinary("a", []byte("2"))
	for name, tt := range map[string]struct {
		id, stage string
		want      string
		code      string
		message   string
	}{
		"current":        {"", "", "2", "", ""},
		"by stage":       {"", "AWSPREVIOUS", "1", "", ""},
		"by ID":          {v1, "", "1", "", ""},
		"by both":        {v2, "AWSCURRENT", "2", "", ""},
		"contradiction":  {v1, "AWSCURRENT", "", "InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId."},
		"unknown stage":  {"", "nope", "", "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: nope"},
		"unknown ID":     {*token(9), "", "", "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: " + *token(9)},
		"ID of bad form": {"short", "", "", "ValidationException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")}
			if tt.id != "" {
				in.VersionId = &tt.id
			}
			if tt.stage != "" {
				in.VersionStage = &tt.stage
			}
			out, err := sm.GetSecretValue(t.Context(), in)
			if tt.code != "" {
				requireCode(t, err, tt.code)
				if tt.message != "" {
					requireCode(t, err, tt.code, tt.message)
				}
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, aws.ToString(out.SecretString)+string(out.SecretBinary))
		})
	}
}

func TestVersionQuota(t *testing.T) {
	srv := secretstest.NewServer(t)
	sm := secretsmanager.NewFromConfig(once(srv.Config()))
	oldest := srv.SetSecret("a", "0")
	for i := range 99 {
		srv.SetSecret("a", fmt.Sprint("v", i))
	}
	_, err := sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("a"), SecretString: aws.String("x")})
	requireCode(t, err, "LimitExceededException")
	srv.Advance(24 * time.Hour)
	put(t, sm, "a", "x")
	_, err = sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a"), VersionId: &oldest})
	requireCode(t, err, "ResourceNotFoundException")
	out, err := sm.ListSecretVersionIds(t.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("a"), IncludeDeprecated: aws.Bool(true)})
	require.NoError(t, err)
	require.Len(t, out.Versions, 100)
}

func TestDates(t *testing.T) {
	srv, sm, _ := start(t)
	srv.SetSecret("a", "1")
	created := describe(t, sm, "a")
	require.Nil(t, created.LastAccessedDate)
	require.Equal(t, created.CreatedDate, created.LastChangedDate)
	srv.Advance(36 * time.Hour)
	require.NoError(t, get(t, sm, "a"))
	_, err := sm.UpdateSecret(t.Context(), &secretsmanager.UpdateSecretInput{SecretId: aws.String("a"), Description: aws.String("d"), KmsKeyId: aws.String("alias/k")})
	require.NoError(t, err)
	after := describe(t, sm, "a")
	require.Equal(t, created.CreatedDate, after.CreatedDate)
	require.Equal(t, after.LastAccessedDate.Truncate(24*time.Hour), *after.LastAccessedDate, "LastAccessedDate is a date")
	require.True(t, after.LastChangedDate.After(*created.LastChangedDate))
	require.Equal(t, "alias/k", aws.ToString(after.KmsKeyId))
	require.Equal(t, "d", aws.ToString(after.Description))
}

func TestSeedingPanicsWithoutTheValue(t *testing.T) {
	srv := secretstest.NewServer(t)
	const hush = "hush{{"
	for name, f := range map[string]func(){
		"secret name":    func() { srv.SetSecret("a b", hush) },
		"secret size":    func() { srv.SetSecret("a", strings.Repeat(hush, 20_000)) },
		"secret empty":   func() { srv.SetSecretBinary("a", nil) },
		"parameter name": func() { srv.SetParameter("/aws/x", hush) },
		"parameter":      func() { srv.SetSecureParameter("/a", hush) },
		"public":         func() { srv.SetPublicParameter("/a", hush) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				message, ok := recover().(string)
				require.True(t, ok)
				require.Contains(t, message, "secretstest: ")
				require.NotContains(t, message, "hush")
			}()
			f()
		})
	}
}
