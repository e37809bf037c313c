package iampolicy_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/iampolicy"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// program is a client with a recorder, and the server that it asks.
type program struct {
	*secrets.Client
	srv      *secretstest.Server
	recorder iampolicy.Recorder
	sm       *sm.Store
	ssm      *ssm.Store
}

func newProgram(t *testing.T, smOptions []sm.Option, ssmOptions []ssm.Option, opts ...secrets.Option) *program {
	t.Helper()
	p := &program{srv: secretstest.NewServer(t, secretstest.InProcess())}
	p.sm = sm.New(p.srv.Config(), append(smOptions, sm.WithLogger(quiet))...)
	p.ssm = ssm.New(p.srv.Config(), append(ssmOptions, ssm.WithLogger(quiet))...)
	var err error
	p.Client, err = secrets.New(append(opts, secrets.WithProvider(p.sm), secrets.WithProvider(p.ssm),
		secrets.WithLogger(quiet), secrets.WithObserver(p.recorder.Observer()), secrets.WithVar("env", "prod"))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	for _, name := range []string{"prod/a", "prod/b", "prod/c"} {
		p.srv.SetSecret(name, `{"x":"1"}`)
		p.srv.SetSecureParameter("/"+name, "1")
	}
	p.srv.SetParameter("plain", "1")
	return p
}

// used returns what the program needed since the last time.
func (p *program) used() []need {
	defer p.srv.ResetCalls()
	return needs(p.srv.Requests())
}

var reads = []string{"sm://prod/a#x", "sm://prod/b", "ssm:///prod/a", "ssm:///prod/b", "ssm://plain"}

func TestReadsInBatchesAndOneByOneAreCoveredExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, nil, nil)
		ctx := t.Context()
		all := policies(t, iampolicy.Use{Read: reads})
		_, err := p.GetAll(ctx, reads...)
		require.NoError(t, err)
		batches := p.used()
		requireCovered(t, all.All(), batches)

		// Without BatchGetSecretValue, and where GetParameters fails as a whole.
		for _, op := range []string{"BatchGetSecretValue", "GetParameters"} {
			p.srv.Inject(secretstest.Fault{Operation: op, Err: secretstest.AccessDenied()})
		}
		require.NoError(t, p.Refresh(ctx))
		p.Invalidate()
		_, err = p.GetAll(ctx, reads...)
		require.NoError(t, err)
		requireExact(t, all.All(), append(batches, p.used()...))

		// What is read by itself: versions and stages.
		p.srv.ClearFaults()
		one := []string{"sm://prod/c?stage=AWSCURRENT", "ssm:///prod/c?version=1"}
		_, err = p.GetAll(ctx, one...)
		require.NoError(t, err)
		requireExact(t, policies(t, iampolicy.Use{Read: one}).All(), p.used())
	})
}

func TestTheOptionsOfTheStoresAreCoveredExactly(t *testing.T) {
	for name, test := range map[string]struct {
		sm     []sm.Option
		ssm    []ssm.Option
		use    iampolicy.Use
		action string
	}{
		"WithListing":  {sm: []sm.Option{sm.WithListing("prod/")}, use: iampolicy.Use{Listing: true}, action: "secretsmanager:ListSecrets"},
		"WithDescribe": {sm: []sm.Option{sm.WithDescribe()}, use: iampolicy.Use{Describe: true}, action: "secretsmanager:DescribeSecret"},
		"WithExpiry":   {ssm: []ssm.Option{ssm.WithExpiry()}, use: iampolicy.Use{Expiry: true}, action: "ssm:GetParameterHistory"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProgram(t, test.sm, test.ssm)
				ctx := t.Context()
				run := func() {
					_, err := p.GetAll(ctx, reads...)
					require.NoError(t, err)
					time.Sleep(secrets.DefaultTTL) // what was read is refreshed
					_, err = p.GetAll(ctx, reads...)
					require.NoError(t, err)
				}
				run()
				used := p.used()
				use := test.use
				use.Read = reads
				all := policies(t, use)
				requireCovered(t, all.All(), used)
				require.True(t, slices.ContainsFunc(used, func(n need) bool { return n.action == test.action }))
				require.NotContains(t, strings.Join(pairs(all.Required), "\n"), test.action, "it is optional")
				recorded := home(iampolicy.Use{})
				require.NoError(t, p.recorder.Add(&recorded))
				got, err := recorded.Policies()
				require.NoError(t, err)
				require.Equal(t, all.All().String(), got.All().String(), "a recorder finds the option out")

				// Without what is optional all is read as well.
				p.srv.Inject(secretstest.Fault{Operation: strings.SplitN(test.action, ":", 2)[1], Err: secretstest.AccessDenied()})
				p.Invalidate()
				run()
			})
		})
	}
}

func TestListsAndWhatFollowsThemAreCoveredExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, nil, nil)
		ctx := t.Context()
		use := iampolicy.Use{List: []string{"sm://prod/", "ssm:///prod/"}}
		all := policies(t, use)
		list := func() {
			for _, prefix := range use.List {
				n := 0
				for v, err := range p.List(ctx, prefix) {
					require.NoError(t, err)
					_, err = p.Get(ctx, v.Ref().String())
					require.NoError(t, err)
					n++
				}
				require.Equal(t, 3, n)
			}
		}
		list()
		time.Sleep(secrets.DefaultTTL) // what was listed and read is refreshed
		synctest.Wait()
		p.srv.Inject(secretstest.Fault{Operation: "BatchGetSecretValue", Err: secretstest.AccessDenied()})
		list()
		p.srv.Inject(secretstest.Fault{Operation: "GetParameters", Err: secretstest.AccessDenied()})
		require.NoError(t, p.Refresh(ctx))
		used := p.used()
		requireExact(t, all.All(), used)
		for _, other := range []need{{"secretsmanager:GetSecretValue", smARN + "prod-AbCdEf"}, {"ssm:GetParameter", ssmARN + "prod2"}, {"ssm:GetParametersByPath", ssmARN + "prod/a"}, {"ssm:GetParametersByPath", ssmARN}} {
			require.False(t, all.All().Allows(other.action, other.resource, nil), other)
		}
	})
}

func TestWritesAreCoveredExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, nil, nil)
		ctx := t.Context()
		written := []string{"sm://prod/a", "ssm:///prod/a"}
		required := policies(t, iampolicy.Use{Put: written, Delete: written})
		for _, ref := range written {
			_, err := p.Put(ctx, ref, "2")
			require.NoError(t, err)
		}
		for _, ref := range written {
			require.NoError(t, p.Delete(ctx, ref))
		}
		used := p.used()
		requireExact(t, required.Required, used)

		created := []string{"sm://prod/new", "ssm:///prod/new"}
		all := policies(t, iampolicy.Use{Put: created})
		for _, ref := range created {
			version, err := p.Put(ctx, ref, "1")
			require.NoError(t, err)
			_, err = p.Put(ctx, ref, "2", secrets.IfVersion(version))
			require.NoError(t, err)
		}
		requireExact(t, all.All(), p.used())

	})
}

func TestRotationsAreCoveredExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, nil, nil)
		for ref, store := range map[string]provider.Rotator{"sm://prod/a": p.sm, "ssm:///prod/a": p.ssm, "ssm://plain": p.ssm} {
			require.NoError(t, rotation.Rotate(t.Context(), store, ref, rotation.Token{}, rotation.WithLogger(quiet)), ref)
			requireExact(t, policies(t, iampolicy.Use{Rotate: []string{ref}}).All(), p.used())
		}
	})
}

func TestWhatRejectTriesIsCovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, nil, nil)
		ctx := t.Context()
		refs := []string{"ssm:///prod/a", "sm://prod/a"}
		for _, ref := range refs {
			v, err := p.Get(ctx, ref)
			require.NoError(t, err)
			_, err = p.Reject(ctx, v)
			require.ErrorIs(t, err, secrets.ErrRejected)
		}
		used := p.used()
		require.True(t, slices.Contains(used, need{"ssm:GetParameter", ssmARN + ".rotation/prod/a"}))
		requireCovered(t, policies(t, iampolicy.Use{Read: refs, Reject: true}).All(), used)
	})
}

type embedded struct {
	A string `secret:"sm://${env}/a#x"`
}

type nested struct {
	B    string  `secret:"ssm:///${env}/b,optional"`
	Next *nested // of itself
}

type configuration struct {
	embedded
	Nested   nested
	Pointer  *nested
	Handle   *secrets.Handle[string] `secret:"sm://${env}/b"`
	Default  string                  `secret:"ssm:///${env}/none,default=a,b"`
	Plain    string                  `secret:"ssm://plain"`
	Time     time.Time
	Untagged map[string]string
	_        struct { // what cannot be set is not looked into
		A string `secret:"sm://${env}/hidden"`
	}
}

func TestRefsAreThoseThatLoadReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, nil, nil)
		var c configuration
		require.NoError(t, p.Load(t.Context(), &c))
		defer c.Handle.Close()
		want := []string{"sm://prod/a#x", "sm://prod/b", "ssm:///prod/b", "ssm:///prod/none", "ssm://plain"}
		for _, config := range []any{c, &c, (*configuration)(nil)} {
			refs, err := iampolicy.Refs(config, map[string]string{"env": "prod"})
			require.NoError(t, err)
			require.Equal(t, want, refs)
		}
		for i, ref := range want {
			want[i], _, _ = strings.Cut(ref, "#")
		}
		require.Equal(t, want, p.recorder.Refs())
		requireCovered(t, policies(t, iampolicy.Use{Read: want}).All(), p.used())
	})
}

func TestWhatIsWrongWithTags(t *testing.T) {
	for want, config := range map[string]any{
		"want a struct":      new(string),
		"no field has a tag": struct{ A string }{},
		"${stage} has no value": struct {
			A string `secret:"sm://${stage}/a"`
		}{},
		"not closed": struct {
			A string `secret:"sm://${env/a"`
		}{},
		"Refs(<nil>)": nil,
	} {
		_, err := iampolicy.Refs(config, map[string]string{"env": "prod"})
		require.ErrorContains(t, err, want)
	}
}

func TestSharingWithAnotherAccount(t *testing.T) {
	const reader = "arn:aws:iam::210987654321:role/reader"
	owner := home(iampolicy.Use{
		Read: []string{"sm://prod/db#password", "sm://prod/mail", "ssm:///prod/key"},
		Keys: []iampolicy.Key{{ARN: keyARN}},
	})
	s, err := owner.Sharing(reader, "310987654321", reader)
	require.NoError(t, err)
	require.Equal(t, []string{ssmARN + "prod/key"}, s.Parameters)
	require.Len(t, s.Secrets, 2)
	require.Equal(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["310987654321","`+reader+`"]},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`,
		s.Secrets["sm://prod/db"].Compact())
	require.Len(t, s.Keys[keyARN], 2)
	require.Equal(t, `{
  "Effect": "Allow",
  "Principal": {
    "AWS": [
      "310987654321",
      "arn:aws:iam::210987654321:role/reader"
    ]
  },
  "Action": "kms:Decrypt",
  "Resource": "*",
  "Condition": {
    "StringEquals": {
      "kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"
    },
    "StringLike": {
      "kms:EncryptionContext:SecretARN": [
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-??????",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/mail-??????"
      ]
    }
  }
}`, s.Keys[keyARN][0].String())

	// The reader's own policy names the secret by its ARN.
	theirs, err := iampolicy.Use{Account: "210987654321", Region: region, Read: []string{"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf:password"},
		Keys: []iampolicy.Key{{ARN: keyARN}}}.Policies()
	require.NoError(t, err)
	require.True(t, theirs.Required.Allows("secretsmanager:GetSecretValue", smARN+"prod/db-AbCdEf", nil))
	require.True(t, theirs.Required.Allows("kms:Decrypt", keyARN, map[string]string{"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com", "kms:EncryptionContext:SecretARN": smARN + "prod/db-AbCdEf"}))

	// AWS takes the policy.
	srv := secretstest.NewServer(t)
	srv.SetSecret("prod/db", "x")
	require.NoError(t, sm.New(srv.Config()).PutPolicy(context.Background(), "sm://prod/db", s.Secrets["sm://prod/db"].String(), sm.PolicyOptions{}))

	for want, u := range map[string]iampolicy.Use{
		"customer managed key": home(iampolicy.Use{Read: []string{"sm://prod/db"}}),
		"not of the account":   home(iampolicy.Use{Read: []string{"arn:aws:secretsmanager:us-east-1:210987654321:secret:x-AbCdEf"}, Keys: owner.Keys}),
		"nothing to share":     home(iampolicy.Use{}),
		"encrypts nothing":     home(iampolicy.Use{Read: []string{"ssm:///p"}, Keys: []iampolicy.Key{{ARN: keyARN, Refs: []string{"sm://other"}}}}),
	} {
		_, err := u.Sharing(reader)
		require.ErrorContains(t, err, want)
	}
	for _, bad := range []string{"*", "arn:aws:iam::210987654321:role/*", "me", "arn:aws:s3:::bucket"} {
		_, err := owner.Sharing(bad)
		require.ErrorContains(t, err, "whom to share with", bad)
	}
	_, err = owner.Sharing()
	require.ErrorContains(t, err, "name the principals")
}
