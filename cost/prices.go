package cost

// Prices is what AWS asks for in some Regions at some date.
type Prices struct {
	Date    string // when they were such
	Regions string
	Source  string

	Secret      Money // a month, for each secret and each replica of one
	SecretCalls Money // 10,000 API calls of Secrets Manager

	AdvancedParameter Money // a month, for each; standard parameters are free
	// ParameterCalls is the price of 10,000 interactions with parameters, each
	// parameter of a request being one. Those with standard parameters are free
	// unless the account has the higher throughput.
	ParameterCalls Money

	KMSKey      Money // a month, for a customer managed key
	KMSRequests Money // 10,000
}

// US has the prices of the commercial Regions of the United States.
//
// The price list of Secrets Manager speaks of API calls. It does not say that a
// BatchGetSecretValue is more than one, and it is counted as one here: your bill
// decides. KMS requests under the key aws/secretsmanager are free (Secrets
// Manager pricing); those for SecureStrings are not, whatever the key (guide:
// Parameter Store, SecureString).
var US = Prices{
	Date:    "2026",
	Regions: "US Regions",
	Source:  "aws.amazon.com/secrets-manager/pricing, /systems-manager/pricing and /kms/pricing",

	Secret:            40 * Cent,
	SecretCalls:       5 * Cent,
	AdvancedParameter: 5 * Cent,
	ParameterCalls:    5 * Cent,
	KMSKey:            Dollar,
	KMSRequests:       3 * Cent,
}

// unit is how many calls, interactions or requests the prices are for.
const unit = 10_000

// Quotas of an account in a Region, in calls a second by default (guides:
// Secrets Manager quotas; Parameter Store throughput).
const (
	quotaGetSecret     = 10_000
	quotaBatch         = 100 // BatchGetSecretValue
	quotaList          = 100 // ListSecrets
	quotaParameters    = 40  // GetParameter and GetParameters together
	quotaParametersMax = 10_000
)

// Limits of the stores (guides: Secrets Manager quotas; Standard and advanced
// parameter tiers).
const (
	maxSecret     = 65_536 // bytes
	maxStandard   = 4096
	maxAdvanced   = 8192
	manySecrets   = 500_000
	manyStandard  = 10_000
	manyAdvanced  = 100_000
	batchSecrets  = 20  // in a BatchGetSecretValue
	pageSecrets   = 100 // in a ListSecrets
	batchParams   = 10  // in a GetParameters
	rotationCalls = 14  // of the four steps, by the functions that AWS offers as templates
	rotationReads = 4   // of them, those that decrypt
)
