package secretstest_test

import (
	"context"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

// scenarios makes the calls of each recorded scenario. Where a name is part of
// the recording it is used; else any will do.
var scenarios = map[string]func(*replay){
	"create_and_update_secret[Valid/_+=.@-Name-a1b2c3-]": createAndUpdate("Valid/_+=.@-Name-a1b2c3-"),
	"create_and_update_secret[s-c64bdc03]":               createAndUpdate("s-c64bdc03"),
	"put_secret_value_with_version_stages": func(r *replay) {
		step := r.create("create_secret_rs_0", "secret_string_v0")
		step.get("get_secret_value_res_0")
		step.put("put_secret_value_res_1", "secret_string_v1", "SAMPLESTAGE1", "SAMPLESTAGE0")
		step.get("get_secret_value_res_1")
		step.put("put_secret_value_res_2", "secret_string_v2", "SAMPLESTAGE1", "SAMPLESTAGE0")
		step.get("get_secret_value_res_2")
		step.put("put_secret_value_res_3", "secret_string_v3", "AWSPENDING")
		step.get("get_secret_value_res_3")
		step.put("put_secret_value_res_4", "secret_string_v4")
		step.get("get_secret_value_res_4")
		step.delete("delete_secret_res_1")
	},
	"update_secret_description": func(r *replay) {
		step := r.create("create_secret_rs_0", "v0")
		step.describe("describe_secret_res_0")
		step.update("update_secret_res_0", "", "MyDescription")
		step.describe("describe_secret_res_1")
		step.update("update_secret_res_1", "v1", "MyNewDescription")
		step.describe("describe_secret_res_2")
		step.update("update_secret_res_2", "v2", "")
		step.describe("describe_secret_res_3")
		step.update("update_secret_res_3", "", "")
		step.describe("describe_secret_res_4")
		step.delete("delete_secret_res_0")
	},
	"update_secret_version_stages_return_type": func(r *replay) {
		step := r.create("create_secret_rs_0", "v0")
		step.put("put_secret_value_res_0", "v1", "AWSPENDING")
		step.promote("update_secret_version_stage_res_0", "<version_uuid:1>", "<version_uuid:2>")
		step.delete("delete_secret_res_0")
	},
	"update_secret_version_stages_current_previous": func(r *replay) {
		step := r.create("create_secret_rs_0", "v0")
		step.list("list_secret_version_ids_res_0")
		step.update("update_secret_res_0", "v1", "")
		step.list("list_secret_version_ids_res_1")
		step.delete("delete_secret_res_0")
	},
	"update_secret_version_stages_current_pending": func(r *replay) {
		step := r.create("create_secret_rs_0", "v0")
		step.put("put_secret_value_res_0", "v1", "AWSPENDING")
		step.list("list_secret_version_ids_res_0")
		step.promote("update_secret_version_stage_res_0", "<version_uuid:1>", "<version_uuid:2>")
		step.list("list_secret_version_ids_res_1")
		step.put("put_secret_value_res_1", "v2")
		step.list("list_secret_version_ids_res_2")
		step.delete("delete_secret_res_0")
	},
	"non_versioning_version_stages_replacement": func(r *replay) {
		step := r.create("create_secret_rs_0", "v0")
		step.put("put_secret_value_res_0", "v1", "one", "two", "three")
		step.list("list_secret_version_ids_res_0")
		step.put("put_secret_value_res_1", "v2", "one", "two", "three", "four")
		step.list("list_secret_version_ids_res_1")
		step.delete("delete_secret_res_0")
	},
	"secret_not_found": func(r *replay) {
		step := r.named("nowhere")
		step.get("get_secret_value_not_found_ex")
		step.list("list_secret_version_ids_not_found_ex")
	},
	"create_secret_version_from_empty_secret": func(r *replay) {
		step := r.create("create-empty-secret", "")
		step.describe("describe-secret")
		step.put("put-secret-value", "v")
	},
	"resource_policy": func(r *replay) {
		step := r.named(r.seed("v"))
		out, err := r.sm.PutResourcePolicy(r.Context(), &secretsmanager.PutResourcePolicyInput{SecretId: step.id, ResourcePolicy: aws.String(policyOf(`"Effect":"Allow","Principal":"*"`))})
		r.step("put_resource_policy", out, err)
		read, err := r.sm.GetResourcePolicy(r.Context(), &secretsmanager.GetResourcePolicyInput{SecretId: step.id})
		r.step("get_resource_policy", read, err)
	},
	"secret_restore": func(r *replay) {
		step := r.named(r.seed("v"))
		step.delete("delete_secret_res")
		out, err := r.sm.RestoreSecret(r.Context(), &secretsmanager.RestoreSecretInput{SecretId: step.id})
		r.step("restore_secret_res", out, err)
	},
	"secret_tags": func(r *replay) {
		step := r.create("create_secret", "")
		step.describe("describe_secret")
		step.tag("tag_resource_1", "tag1", "value1")
		step.describe("describe_secret_1")
		step.tag("tag_resource_2", "tag2", "value2")
		step.describe("describe_secret_2")
		step.untag("untag_resource_1", "tag1")
		step.describe("describe_secret_3")
		step.untag("untag_resource_2", "tag2")
		step.describe("describe_secret_4")
		step.tag("", "tag3", "value3", "tag4", "value4")
		step.describe("describe_secret_5")
		step.untag("", "tag3", "tag4")
		step.describe("describe_secret_6")
	},
	"get_secret_value_errors": func(r *replay) {
		name := r.seed("v")
		out, err := r.sm.GetSecretValue(r.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name, VersionStage: aws.String("AWSPREVIOUS")})
		r.step("error_get_secret_value_non_existing", out, err)
		id := r.srv.SetSecret(name, "w")
		out, err = r.sm.GetSecretValue(r.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name, VersionId: &id, VersionStage: aws.String("AWSPREVIOUS")})
		r.step("mismatch_version_id_and_stage", out, err)
	},
	"secret_version_not_found": func(r *replay) {
		r.did(r.sm.CreateSecret(r.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("empty")}))
		for step, in := range map[string]secretsmanager.GetSecretValueInput{
			"get_secret_value_no_version_ex":        {},
			"get_secret_value_version_not_found_ex": {VersionId: token(7)},
			"get_secret_value_stage_not_found_ex":   {VersionStage: aws.String("AWSPENDING")},
		} {
			in.SecretId = aws.String("empty")
			out, err := r.sm.GetSecretValue(r.Context(), &in)
			r.step(step, out, err)
		}
		require.Equal(r, *token(7), r.bound["<version-id>"])
	},
	"get_secret_value": func(r *replay) {
		r.srv.SetSecretBinary("binary", []byte("footest"))
		step := r.named("binary")
		step.get("secret_value_response")
		step.get("secret_value_http_response")
	},
	// The recording does not tell which call each step made. Every call that
	// takes a name gives the same answer.
	"invalid_secret_name[Inv Name]": func(r *replay) {
		bad, ctx := aws.String("Inv Name"), r.Context()
		for step, call := range map[string]func() (any, error){
			"ex_log_1": func() (any, error) {
				return r.sm.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: bad, SecretString: aws.String("v")})
			},
			"ex_log_2": func() (any, error) {
				return r.sm.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: bad})
			},
			"ex_log_3": func() (any, error) {
				return r.sm.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: bad})
			},
			"ex_log_4": func() (any, error) {
				return r.sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: bad})
			},
			"ex_log_5": func() (any, error) {
				return r.sm.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: bad})
			},
			"ex_log_6": func() (any, error) {
				return r.sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: bad, SecretString: aws.String("v")})
			},
			"ex_log_7": func() (any, error) {
				return r.sm.TagResource(ctx, &secretsmanager.TagResourceInput{SecretId: bad, Tags: []types.Tag{}})
			},
			"ex_log_8": func() (any, error) {
				return r.sm.UntagResource(ctx, &secretsmanager.UntagResourceInput{SecretId: bad, TagKeys: []string{"k"}})
			},
			"ex_log_9": func() (any, error) {
				return r.sm.UpdateSecret(ctx, &secretsmanager.UpdateSecretInput{SecretId: bad, Description: aws.String("d")})
			},
			"ex_log_10": func() (any, error) {
				return r.sm.ValidateResourcePolicy(ctx, &secretsmanager.ValidateResourcePolicyInput{SecretId: bad, ResourcePolicy: aws.String(policyOf(narrowPolicy))})
			},
		} {
			out, err := call()
			r.step(step, out, err)
		}
	},
	// The SDK always sends a token, so this one call is made without it.
	"no_client_request_token[CreateSecret]": func(r *replay) {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, r.srv.URL(), strings.NewReader(`{"Name":"a","SecretString":"v"}`))
		require.NoError(r, err)
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", "secretsmanager.CreateSecret")
		resp, err := r.tap.Do(req)
		require.NoError(r, err)
		require.NoError(r, resp.Body.Close())
		r.step("no-client-request-exc", resp, nil)
	},
	// The recorded function took AWSPENDING away at its end.
	"rotate_secret_with_lambda_success[True]": func(r *replay) {
		out, err := r.sm.CreateSecret(r.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("rotated"), SecretString: aws.String("v"), Description: aws.String("testing rotation of secrets")})
		require.NoError(r, err)
		r.bound["<version_uuid:1>"] = aws.ToString(out.VersionId)
		r.srv.HandleRotation(rotator, r.rotate)
		rotated, err := r.sm.RotateSecret(r.Context(), &secretsmanager.RotateSecretInput{
			SecretId: out.Name, RotationLambdaARN: aws.String(rotator), RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(1)}, RotateImmediately: aws.Bool(true),
		})
		r.step("rotate_secret_immediately", rotated, err)
		require.NoError(r, r.srv.WaitRotations(r.Context()))
		step := r.named("rotated")
		step.describe("describe_secret_rotated")
		step.list("list_secret_versions_rotated_1")
		require.NotEqual(r, r.bound["<version_uuid:1>"], r.bound["<version_uuid:2>"])
	},
	"first_rotate_secret_with_missing_lambda_arn": func(r *replay) {
		step := r.create("create_secret", "v")
		out, err := r.sm.RotateSecret(r.Context(), &secretsmanager.RotateSecretInput{SecretId: step.id, RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(1)}})
		r.step("rotate_secret_no_arn_exc", out, err)
		step.describe("describe_secret")
	},
	"tag_untag_resource_on_deleted_secret": func(r *replay) {
		step := r.create("create_secret", "v")
		step.delete("delete_secret")
		step.tag("tag_deleted_secret_error", "k", "v")
		step.untag("untag_deleted_secret_error", "k")
	},
	"exp_raised_on_creation_of_secret_scheduled_for_deletion": func(r *replay) {
		step := r.named(r.seed("v"))
		step.delete("delete_res")
		out, err := r.sm.CreateSecret(r.Context(), &secretsmanager.CreateSecretInput{Name: step.id, SecretString: aws.String("w")})
		r.step("invalid_req_ex", out, err)
	},
	"change_secret_value_after_creation[footest-updated1]": func(r *replay) {
		r.srv.SetSecretBinary("binary", []byte("initial"))
		step := r.named("binary")
		step.get("put_secret_value_secret_response")
		r.did(r.sm.PutSecretValue(r.Context(), &secretsmanager.PutSecretValueInput{SecretId: step.id, SecretBinary: []byte("footest")}))
		step.get("put_secret_binary_response_updated")
		r.did(r.sm.UpdateSecret(r.Context(), &secretsmanager.UpdateSecretInput{SecretId: step.id, SecretBinary: []byte("updated1")}))
		step.get("update_secret_binary_response_updated")
	},
	"parameters_with_path": func(r *replay) {
		name, arn := "/test/param", "arn:aws:ssm:us-east-1:111111111111:parameter/test/param"
		put, err := r.ssm.PutParameter(r.Context(), &ssm.PutParameterInput{Name: &name, Type: "String", Value: aws.String("123")})
		r.step("put-parameter-response", put, err)
		for id, steps := range map[string][2]string{
			name: {"get-parameter-response", "get-parameters-response"},
			arn:  {"get-parameter-by-arn-response", "get-parameters-by-arn-response"},
		} {
			one, err := r.ssm.GetParameter(r.Context(), &ssm.GetParameterInput{Name: &id})
			r.step(steps[0], one, err)
			many, err := r.ssm.GetParameters(r.Context(), &ssm.GetParametersInput{Names: []string{id}})
			r.step(steps[1], many, err)
		}
	},
}

func createAndUpdate(name string) func(*replay) {
	return func(r *replay) {
		out, err := r.sm.CreateSecret(r.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("my_secret"), Description: aws.String("Testing secret creation.")})
		r.step("create_secret_rs_1", out, err)
		step := r.named(name)
		step.get("get_secret_value_rs_1")
		step.describe("describe_secret_rs_1")
		step.get("get_secret_value_rs_2")
		r.named(aws.ToString(out.ARN)).get("get_secret_value_rs_3")
		step.put("put_secret_value_rs_1", "new_secret")
		step.get("get_secret_value_rs_4")
		step.update("update_secret_res_1", "other", "")
		step.delete("delete_secret_res_1")
	}
}

// rotate is the recorded rotation function: it reads the current value and not
// the new one.
func (r *replay) rotate(ctx context.Context, event secretstest.RotationEvent) error {
	sm := secretsmanager.NewFromConfig(r.srv.Config())
	switch event.Step {
	case "createSecret":
		if _, err := sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &event.SecretId}); err != nil {
			return err
		}
		_, err := sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &event.SecretId, ClientRequestToken: &event.ClientRequestToken, SecretString: aws.String("w"), VersionStages: []string{"AWSPENDING"}})
		return err
	case "finishSecret":
		if err := finish(ctx, sm, event); err != nil {
			return err
		}
		_, err := sm.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: &event.SecretId, VersionStage: aws.String("AWSPENDING"), RemoveFromVersionId: &event.ClientRequestToken})
		return err
	}
	return nil
}

// A named replay makes the steps on one secret.
type namedReplay struct {
	*replay
	id *string
}

func (r *replay) named(id string) namedReplay { return namedReplay{r, &id} }

// seed makes a secret that the recording does not tell of.
func (r *replay) seed(text string) string {
	r.srv.SetSecret("seeded", text)
	return "seeded"
}

func (r *replay) create(step, text string) namedReplay {
	in := &secretsmanager.CreateSecretInput{Name: aws.String("created")}
	if text != "" {
		in.SecretString = &text
	}
	out, err := r.sm.CreateSecret(r.Context(), in)
	r.step(step, out, err)
	return r.named("created")
}

func (n namedReplay) get(step string) {
	out, err := n.sm.GetSecretValue(n.Context(), &secretsmanager.GetSecretValueInput{SecretId: n.id})
	n.step(step, out, err)
}

func (n namedReplay) describe(step string) {
	out, err := n.sm.DescribeSecret(n.Context(), &secretsmanager.DescribeSecretInput{SecretId: n.id})
	n.step(step, out, err)
}

func (n namedReplay) list(step string) {
	out, err := n.sm.ListSecretVersionIds(n.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: n.id})
	n.step(step, out, err)
}

func (n namedReplay) put(step, text string, stages ...string) {
	out, err := n.sm.PutSecretValue(n.Context(), &secretsmanager.PutSecretValueInput{SecretId: n.id, SecretString: &text, VersionStages: stages})
	n.step(step, out, err)
}

func (n namedReplay) update(step, text, description string) {
	in := &secretsmanager.UpdateSecretInput{SecretId: n.id}
	if text != "" {
		in.SecretString = &text
	}
	if description != "" {
		in.Description = &description
	}
	out, err := n.sm.UpdateSecret(n.Context(), in)
	n.step(step, out, err)
}

// promote moves AWSCURRENT between two versions, given by their placeholders.
func (n namedReplay) promote(step, from, to string) {
	out, err := n.sm.UpdateSecretVersionStage(n.Context(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: n.id, VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: aws.String(n.resolve(from)), MoveToVersionId: aws.String(n.resolve(to)),
	})
	n.step(step, out, err)
}

// tag and untag without a step are calls that the recording leaves out.
func (n namedReplay) tag(step string, pairs ...string) {
	in := &secretsmanager.TagResourceInput{SecretId: n.id}
	for i := 0; i < len(pairs); i += 2 {
		in.Tags = append(in.Tags, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	out, err := n.sm.TagResource(n.Context(), in)
	if step == "" {
		n.did(out, err)
		return
	}
	n.step(step, out, err)
}

func (n namedReplay) untag(step string, keys ...string) {
	out, err := n.sm.UntagResource(n.Context(), &secretsmanager.UntagResourceInput{SecretId: n.id, TagKeys: keys})
	if step == "" {
		n.did(out, err)
		return
	}
	n.step(step, out, err)
}

func (n namedReplay) delete(step string) {
	out, err := n.sm.DeleteSecret(n.Context(), &secretsmanager.DeleteSecretInput{SecretId: n.id})
	n.step(step, out, err)
}
