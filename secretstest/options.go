package secretstest

import "regexp"

// An Option changes how a [Server] starts.
type Option func(*Server)

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
)

// WithRegion sets the region of [Server.Config] and of the seeding functions,
// and of calls that carry no SigV4 scope. The default is "us-east-1".
func WithRegion(region string) Option {
	return func(s *Server) { s.region = region }
}

// WithAccount sets the default account, twelve digits. The default is
// "123456789012".
func WithAccount(account string) Option {
	return func(s *Server) { s.account = account }
}

// InProcess makes the server listen in memory instead of on a socket: the HTTP
// client of [Server.Config] dials it over [net.Pipe]. Server and SDK can then
// both live inside a testing/synctest bubble, where an injected delay passes
// in virtual time. [Server.URL] is then a placeholder that only that client
// reaches.
func InProcess() Option {
	return func(s *Server) { s.inProcess = true }
}

// WithSeed seeds the source that decides which requests a [Fault] with a Rate
// hits. The default is 1: runs repeat as long as requests arrive in the same
// order.
func WithSeed(seed uint64) Option {
	return func(s *Server) { s.seed = seed }
}

// WithPageSize caps every page of every paged operation at n items, below the
// cap of AWS and below the caller's MaxResults; BatchGetSecretValue by
// SecretIdList is paged too. AWS promises no more: a page may be short and yet
// have a NextToken. Zero, the default, leaves AWS's caps; a negative n makes Start
// fail.
func WithPageSize(n int) Option {
	return func(s *Server) { s.pageSize = n }
}

// WithEmptyPages makes the first page of each listing empty with a NextToken,
// as AWS documents that BatchGetSecretValue and GetParametersByPath may answer.
func WithEmptyPages() Option {
	return func(s *Server) { s.emptyPages = true }
}

// WithParameterLimits sets how many standard and advanced parameters an
// account may have in a region. The defaults are AWS's, 10,000 and 100,000.
// Negative limits make Start fail.
func WithParameterLimits(standard, advanced int) Option {
	return func(s *Server) { s.maxParameters = map[string]int{tierStandard: standard, tierAdvanced: advanced} }
}
