// Package ssm reads, writes and manages parameters of AWS Systems Manager
// Parameter Store: it is the provider of "ssm://" refs and of parameters' ARNs.
//
// # Calls
//
// [Store.Fetch] asks for one ref by GetParameter and for several by
// GetParameters, ten names a call, decrypted. [Store.Probe] does the same
// without decryption, and so does [Store.Refetch], by which the cached client
// refreshes: of SecureStrings it then reads those that changed, decrypted. A
// thousand of which none changed take 100 calls and no decryption. [Store.List]
// pages through GetParametersByPath, ten parameters a call. With [WithExpiry],
// each version that is read costs a GetParameterHistory. DescribeParameters,
// whose quota is very low, is called by [Store.Describe] alone.
//
// One name that the caller may not read, or one value that KMS does not
// decrypt, makes GetParameters fail as a whole: then each of its names is read
// by GetParameter, so that each has its own outcome.
//
// Public parameters ("/aws/service/…") are read like any other, and so are
// secrets of Secrets Manager by "/aws/reference/secretsmanager/NAME", whose
// version is then the secret's.
//
// # Writing
//
// [Store.Create] makes a parameter and [Store.PutVersion] adds a version to it;
// [Store.Put] and [Store.Delete] are what all stores have ([provider.Writer]).
// [Store.Label] gives a version names, [Store.History] and [Store.Versions] list
// the versions, [Store.Describe] and [Store.Tag] see to the rest.
//
// What AWS's documentation rules out is refused before a call: names, labels,
// tags, sizes, policies. Such an error wraps [ErrInvalid], or for a name
// [provider.ErrInvalidRef]; so does what AWS alone can know and refuses, with
// the cure. What was written is read at once by those who ask AWS, and by a
// cache in front of it when that refreshes.
//
// A parameter that another account shares (guide:
// parameter-store-shared-parameters) is read by its ARN, its history too, and
// not written.
//
// # Permissions
//
//	ssm:GetParameter and ssm:GetParameters  on each parameter, for Fetch, Probe and Refetch
//	ssm:GetParametersByPath                 on the path, for List
//	ssm:GetParameterHistory                 for History, Versions and WithExpiry
//	ssm:PutParameter                        for Create, PutVersion and Put
//	ssm:GetParameter                        for Put with a condition, or of a value without a type
//	ssm:AddTagsToResource                   for Tag, and for Create with tags
//	ssm:RemoveTagsFromResource              for Untag
//	ssm:ListTagsForResource                 for Tags
//	ssm:LabelParameterVersion               for Label
//	ssm:UnlabelParameterVersion             for Unlabel
//	ssm:DeleteParameter                     for Delete
//	ssm:DeleteParameters                    for DeleteMany
//	ssm:DescribeParameters                  on "*", for Describe
//	ssm:GetServiceSetting                   for HighThroughput and DefaultTier
//	ssm:UpdateServiceSetting                for SetHighThroughput and SetDefaultTier
//	kms:Decrypt                             on each customer managed key, to read values
//	kms:Encrypt                             on it, to write standard SecureStrings
//	kms:GenerateDataKey                     on it, to write advanced ones
//	secretsmanager:GetSecretValue           on each secret read through Parameter Store
//
// To rotate by [Store.BeginRotation] takes GetParameter, GetParameterHistory,
// PutParameter and LabelParameterVersion on the parameter, and
// GetParameterHistory, PutParameter and DeleteParameter on the one that has its
// pending value, below "parameter/.rotation/" unless [WithRotationPrefix] says
// otherwise; and of its KMS key what reading and writing values takes. Who reads
// a parameter that is rotated, and goes on to its [Store.Alternates] when a
// server refuses the value, needs GetParameter on the pending one too.
//
// GetParametersByPath is authorised on the path alone: it also returns
// parameters below it that a policy denies (API GetParametersByPath).
//
// # Quotas
//
// By default GetParameter, GetParameters and GetParametersByPath share 40
// calls a second in an account and Region; a setting with a price raises that
// ([Store.SetHighThroughput]). PutParameter and all else that changes or
// describes parameters have a few a second. The SDK retries a throttled call
// itself, three tries in all; this package adds no retry of its own.
package ssm

import (
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// Store reads from Parameter Store and writes to it. It is a
// [provider.Provider], [provider.Refetcher], [provider.Prober],
// [provider.Lister] and [provider.Writer], and safe for concurrent use.
type Store struct {
	clients awsread.Clients[ssm.Client]
	limit   awsread.Limit
	logger  *slog.Logger
	kmsKey  string // of a SecureString
	tier    Tier   // for Put

	rotations rotations

	expiries  *expiries           // nil: they are not asked for
	noHistory awsread.Pauses[key] // what AWS refused a moment ago
}

var (
	_ provider.Provider  = (*Store)(nil)
	_ provider.Refetcher = (*Store)(nil)
	_ provider.Prober    = (*Store)(nil)
	_ provider.Lister    = (*Store)(nil)
	_ provider.Writer    = (*Store)(nil)
)

// Option configures a [Store].
type Option func(*Store)

// WithConcurrency bounds the API calls that the store has in flight at any
// time, over all its callers: so many that read values, and as many others. The
// default is 4, and less than 1 means 1.
// Four calls of 50 ms each are 80 a second, and read up to 800 parameters:
// that is above an account's default of 40 calls a second if it goes on for
// seconds, so leave it low where many processes start at once.
func WithConcurrency(calls int) Option {
	return func(s *Store) { s.limit = awsread.NewLimit(calls) }
}

// WithExpiry has the store learn when parameters expire by their policies, for
// the Changes of results and the Expires of probes. The operations that read
// parameters do not tell that; GetParameterHistory does, one call a parameter
// (two where it has more than fifty versions), after the first reading of each
// of its versions. It needs ssm:GetParameterHistory, which also lets its holder
// read all versions; the values come as they are stored, SecureStrings
// encrypted, and are dropped.
//
// Without the permission the expiry is unknown: the first refusal is logged,
// and each one is remembered for fifteen minutes. Only advanced parameters have
// policies (guide: parameter-store-policies).
func WithExpiry() Option {
	return func(s *Store) { s.expiries = &expiries{} }
}

// WithLogger sets where the store says that it may not ask when parameters
// expire; the default is what [slog.Default] returns then. It logs nothing else.
func WithLogger(logger *slog.Logger) Option {
	return func(s *Store) { s.logger = logger }
}

// New returns a store that works with cfg's credentials, in cfg's Region
// unless a ref names another. It makes no network call.
func New(cfg aws.Config, opts ...Option) *Store {
	s := &Store{limit: awsread.NewLimit(awsread.DefaultConcurrency)}
	s.clients.Own = cfg.Region
	s.clients.New = func(region string) *ssm.Client {
		return ssm.NewFromConfig(cfg, func(o *ssm.Options) {
			o.Region = region
			o.APIOptions = append(o.APIOptions, awsread.PlainBody, awsread.Report(cost))
		})
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Scheme returns "ssm".
func (s *Store) Scheme() string { return "ssm" }

func (s *Store) log() *slog.Logger {
	if s.logger == nil {
		return slog.Default()
	}
	return s.logger
}
