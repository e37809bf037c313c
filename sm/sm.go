// Package sm reads, writes and manages secrets of AWS Secrets Manager: it is the
// provider of "sm://" refs and of Secrets Manager's ARNs.
//
// # Calls
//
// [Store.Fetch] asks for one ref by GetSecretValue and for several by
// BatchGetSecretValue, twenty secrets a call. That operation reads AWSCURRENT
// only, so a ref with another stage, with a version, or with the ARN of
// another account costs a GetSecretValue of its own, and so does a secret that
// is left alone in the last batch. [Store.Probe] calls DescribeSecret once for
// each secret. [Store.Refetch], by which the cached client refreshes, is Fetch
// unless it is to compare versions first: by ListSecrets, a hundred secrets a
// call, with [WithListing], or by DescribeSecret with [WithDescribe]. A thousand
// secrets of which none changed take 50 calls, 10 and 1,000. [Store.List] pages
// through BatchGetSecretValue with a filter on the name; for all secrets,
// through ListSecrets and BatchGetSecretValue.
//
// Secrets Manager is eventually consistent, and a listing may miss changes of
// the last five minutes (API ListSecrets).
//
// # Writing
//
// A secret is made by [Store.Create], gets new versions by [Store.PutVersion],
// and goes by [Store.DeleteAfter] or [Store.DeleteNow]; the methods of Store
// take the secret's ref as a string. [Store.Put] and [Store.Delete] are for code
// that does not care which store it writes to ([provider.Writer]): Put can make
// its write depend on the version that is current, so that of several writers
// one wins.
//
// A value to write is a [provider.Value], as made by [Text] and [Binary] or as
// read, so that nothing that is logged on the way shows it. The rules that AWS
// documents are checked before a call, and give [ErrInvalid]; what AWS refuses
// comes with what to do about it. A write whose answer was lost can be repeated
// with the token that it had.
//
// # Permissions
//
// To read:
//
//	secretsmanager:GetSecretValue       on each secret, for Fetch and List
//	secretsmanager:BatchGetSecretValue  on *, for reading in batches
//	secretsmanager:DescribeSecret       on each secret, for Probe and WithDescribe
//	secretsmanager:ListSecrets          on *, for List and WithListing
//	kms:Decrypt                         on each customer managed key
//
// To write and manage, on each secret unless it says otherwise:
//
//	secretsmanager:CreateSecret                  Create, and Put of what is not there; with tags also
//	                                             TagResource, with replicas ReplicateSecretToRegions
//	secretsmanager:PutSecretValue                PutVersion and Put
//	secretsmanager:GetSecretValue                Put of a value without a type
//	secretsmanager:UpdateSecretVersionStage      Promote, Rollback, MoveStage, RemoveStage, and Put on
//	                                             condition of a version
//	secretsmanager:DescribeSecret                Describe, and with UpdateSecretVersionStage
//	secretsmanager:ListSecretVersionIds          Versions
//	secretsmanager:ListSecrets                   on *, for Secrets
//	secretsmanager:UpdateSecret                  Update
//	secretsmanager:DeleteSecret                  Delete, DeleteAfter and DeleteNow
//	secretsmanager:RestoreSecret                 Restore
//	secretsmanager:TagResource                   Tag
//	secretsmanager:UntagResource                 Untag
//	secretsmanager:ReplicateSecretToRegions      Replicate
//	secretsmanager:RemoveRegionsFromReplication  RemoveReplicas
//	secretsmanager:StopReplicationToReplica      PromoteReplica
//	secretsmanager:PutResourcePolicy             PutPolicy and ValidatePolicy
//	secretsmanager:ValidateResourcePolicy        ValidatePolicy
//	secretsmanager:GetResourcePolicy             Policy
//	secretsmanager:DeleteResourcePolicy          DeletePolicy
//	secretsmanager:RotateSecret                  Rotate, with lambda:InvokeFunction on the function
//	secretsmanager:CancelRotateSecret            CancelRotation
//	secretsmanager:GetRandomPassword             on *, for RandomPassword
//	kms:GenerateDataKey, kms:Decrypt             on a customer managed key, to write values; to change
//	                                             it or to replicate also kms:Encrypt
//
// To rotate by [Store.BeginRotation] takes DescribeSecret, GetSecretValue,
// PutSecretValue and UpdateSecretVersionStage on the secret, and of its KMS key
// what writing values takes.
//
// Without BatchGetSecretValue all still works, at the price of one call a
// secret: the refusal is logged once, and the batch tried again after
// fifteen minutes. A secret of another account is read by its ARN and needs a
// resource policy there, and a customer managed key.
//
// # Quotas
//
// By default an account has, per second and Region, 10,000 GetSecretValue and
// DescribeSecret calls, 100 BatchGetSecretValue and 100 ListSecrets; of what
// writes and manages 50 of each, where PutSecretValue, UpdateSecret,
// UpdateSecretVersionStage and replication count together (guide: Secrets
// Manager quotas). The SDK retries a throttled call itself, three
// tries in all; this package adds no retry of its own.
package sm

import (
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// Store reads from and writes to Secrets Manager. It is a [provider.Provider],
// [provider.Refetcher], [provider.Prober], [provider.Lister] and
// [provider.Writer], and safe for concurrent use.
type Store struct {
	clients awsread.Clients[secretsmanager.Client]
	limit   awsread.Limit
	logger  *slog.Logger

	// account is the one that plain names belong to. Nothing tells it before
	// the first answer.
	account atomic.Pointer[string]

	// How refreshes compare versions; at most one of these is set.
	listing    *listing
	describing bool

	// What AWS refused a moment ago.
	noBatch    awsread.Pauses[struct{}]
	noDescribe awsread.Pauses[key]    // by secret
	noListing  awsread.Pauses[string] // by Region
}

var (
	_ provider.Provider  = (*Store)(nil)
	_ provider.Refetcher = (*Store)(nil)
	_ provider.Prober    = (*Store)(nil)
	_ provider.Lister    = (*Store)(nil)
)

// Option configures a [Store].
type Option func(*Store)

// WithConcurrency bounds the API calls that the store has in flight at any
// time, over all its callers: so many that read values, and as many others. The
// default is 4, and less than 1 means 1.
// Four calls of 50 ms each are 80 a second, below the 100 a second that an
// account has of BatchGetSecretValue.
func WithConcurrency(calls int) Option {
	return func(s *Store) { s.limit = awsread.NewLimit(calls) }
}

// WithDescribe has versions compared by DescribeSecret when values are
// refreshed: one call a secret, and no value travels unless it changed. The
// description also tells when the secret is to be rotated, which is the
// result's Changes; for that, every secret that is read is described too, in
// parallel with reading it.
//
// It is for few secrets, where no value is to travel without need or the
// schedule of a rotation is to be followed: a thousand are a thousand calls
// where reading them is fifty. Without DescribeSecret on a secret, that one is
// read: the first refusal is logged, and each one is remembered for fifteen
// minutes.
func WithDescribe() Option {
	return func(s *Store) { s.describing, s.listing = true, nil }
}

// WithListing has versions compared by ListSecrets when values are refreshed: a
// hundred secrets a call, and no value travels unless it changed. It takes the
// place of [WithDescribe], and tells the result's Changes as well, except of
// what was read for the first time. Prefixes, of names, say what to list; with
// none, it is all secrets of the account in the Region.
//
// A listing may miss the changes of the last five minutes (API ListSecrets), so
// a change is seen up to five minutes later than without. Never listed are
// secrets of other accounts and names below none of the prefixes, and what is
// not found in a listing, or was to be rotated by now, is read.
//
// Where the listing takes more calls than to read what was asked for, as for
// few secrets of a large account, it is broken off and those are read; the
// first time is logged. Another attempt is made when more is asked for, or
// after fifteen minutes. The same holds for a ListSecrets that is refused or
// throttled.
func WithListing(prefixes ...string) Option {
	return func(s *Store) { s.describing, s.listing = false, newListing(prefixes) }
}

// WithLogger sets where the store says that it may not read in batches, or not
// compare versions as it was told to, or that [Store.Put] had to leave a staging
// label; the default is what [slog.Default] returns then. It logs nothing else.
func WithLogger(logger *slog.Logger) Option {
	return func(s *Store) { s.logger = logger }
}

// New returns a store that works with cfg's credentials, in cfg's Region
// unless a ref names another. It makes no network call.
func New(cfg aws.Config, opts ...Option) *Store {
	s := &Store{limit: awsread.NewLimit(awsread.DefaultConcurrency)}
	s.clients.Own = cfg.Region
	s.clients.New = func(region string) *secretsmanager.Client {
		return secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) {
			o.Region = region
			o.APIOptions = append(o.APIOptions, awsread.PlainBody, awsread.Report(cost))
		})
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Scheme returns "sm".
func (s *Store) Scheme() string { return "sm" }

func (s *Store) log() *slog.Logger {
	if s.logger == nil {
		return slog.Default()
	}
	return s.logger
}

// key is what is asked of Secrets Manager. Refs that differ in how they say
// the same have one key.
type key struct{ region, id, stage, pinned string }

func (s *Store) keyOf(ref provider.Ref) key {
	ref = ref.Base()
	return key{region: s.clients.Region(ref.Region), id: ref.Name, stage: ref.Stage, pinned: ref.Version}
}

// foreign reports whether the secret is known to be in another account, and
// own whether it is known to be in ours.
func (s *Store) foreign(id string) bool {
	account, ours := accountOf(id), s.account.Load()
	return account != "" && ours != nil && *ours != account
}

func (s *Store) own(id string) bool {
	account, ours := accountOf(id), s.account.Load()
	return account == "" || ours != nil && *ours == account
}

// learn takes our account from the ARN of a secret that was read by its plain
// name: a name without an ARN is looked up in the caller's account only.
func (s *Store) learn(arn string) {
	if account := accountOf(arn); account != "" && s.account.Load() == nil {
		s.account.CompareAndSwap(nil, &account)
	}
}

// accountOf returns the account of an ARN, and "" of a name.
func accountOf(id string) string {
	if !strings.HasPrefix(id, "arn:") {
		return ""
	}
	parts := strings.SplitN(id, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// suffixLen is how long a hyphen and the six characters are that Secrets
// Manager ends an ARN with (API CreateSecret, ARN).
const suffixLen = len("-AbCdEf")

// hasSuffix reports whether an ARN may be a complete one. The name of a secret
// may end in the same way, so it may also not be.
func hasSuffix(arn string) bool {
	if len(arn) < suffixLen || arn[len(arn)-suffixLen] != '-' {
		return false
	}
	return !strings.ContainsFunc(arn[len(arn)-suffixLen+1:], func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	})
}

// withoutSuffix returns a complete ARN without its suffix.
func withoutSuffix(arn string) string {
	if !hasSuffix(arn) {
		return arn
	}
	return arn[:len(arn)-suffixLen]
}
