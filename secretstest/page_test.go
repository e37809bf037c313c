package secretstest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

// A program may delete what it lists, page by page, or write while it lists.
func TestListingsGoOnWhileWhatTheyListIsDeleted(t *testing.T) {
	type pages func(t *testing.T, sm *secretsmanager.Client, ps *ssm.Client, each func(secrets, parameters []string))
	secretsBy := func(by smtypes.SortByType, order smtypes.SortOrderType) pages {
		return func(t *testing.T, sm *secretsmanager.Client, _ *ssm.Client, each func(secrets, parameters []string)) {
			for p := secretsmanager.NewListSecretsPaginator(sm, &secretsmanager.ListSecretsInput{SortBy: by, SortOrder: order}); p.HasMorePages(); {
				out, err := p.NextPage(t.Context())
				require.NoError(t, err)
				var names []string
				for _, s := range out.SecretList {
					names = append(names, *s.Name)
				}
				each(names, nil)
			}
		}
	}
	for what, list := range map[string]pages{
		"secrets":                    secretsBy("", ""),
		"secrets, the oldest first":  secretsBy("", "asc"),
		"secrets by name":            secretsBy("name", "asc"),
		"secrets by name, backwards": secretsBy("name", "desc"),
		"secrets by change":          secretsBy("last-changed-date", "asc"),
		"secrets by access, never":   secretsBy("last-accessed-date", "desc"),
		"batch by filter": func(t *testing.T, sm *secretsmanager.Client, _ *ssm.Client, each func(secrets, parameters []string)) {
			in := &secretsmanager.BatchGetSecretValueInput{Filters: []smtypes.Filter{{Key: "name", Values: []string{"n"}}}}
			for p := secretsmanager.NewBatchGetSecretValuePaginator(sm, in); p.HasMorePages(); {
				out, err := p.NextPage(t.Context())
				require.NoError(t, err)
				var names []string
				for _, s := range out.SecretValues {
					names = append(names, *s.Name)
				}
				each(names, nil)
			}
		},
		"parameters": func(t *testing.T, _ *secretsmanager.Client, ps *ssm.Client, each func(secrets, parameters []string)) {
			for p := ssm.NewDescribeParametersPaginator(ps, &ssm.DescribeParametersInput{}); p.HasMorePages(); {
				out, err := p.NextPage(t.Context())
				require.NoError(t, err)
				var names []string
				for _, p := range out.Parameters {
					names = append(names, *p.Name)
				}
				each(nil, names)
			}
		},
		"parameters by path": func(t *testing.T, _ *secretsmanager.Client, ps *ssm.Client, each func(secrets, parameters []string)) {
			for p := ssm.NewGetParametersByPathPaginator(ps, &ssm.GetParametersByPathInput{Path: aws.String("/")}); p.HasMorePages(); {
				out, err := p.NextPage(t.Context())
				require.NoError(t, err)
				var names []string
				for _, p := range out.Parameters {
					names = append(names, *p.Name)
				}
				each(nil, names)
			}
		},
	} {
		for _, opt := range []secretstest.Option{secretstest.WithPageSize(3), secretstest.WithEmptyPages()} {
			t.Run(what, func(t *testing.T) {
				srv, sm, ps := start(t, opt)
				for i := range 25 {
					name := fmt.Sprintf("n%02d", i*7%25)
					srv.SetSecret(name, "v")
					srv.SetParameter("/"+name, "v")
					srv.Advance(time.Duration(i%2) * time.Second) // some at once
				}
				deleted := map[string]bool{}
				list(t, sm, ps, func(secrets, parameters []string) {
					for _, name := range secrets {
						require.False(t, deleted[name], "listed twice")
						deleted[name] = true
						_, err := sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true)})
						require.NoError(t, err)
					}
					for _, name := range parameters {
						require.False(t, deleted[name], "listed twice")
						deleted[name] = true
						_, err := ps.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: &name})
						require.NoError(t, err)
					}
				})
				require.Len(t, deleted, 25)
			})
		}
	}
}
