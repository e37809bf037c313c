package sqlsecret

import (
	"errors"
	"fmt"
	"time"
)

// What credentials do where no option says otherwise.
const (
	DefaultCoolDown    = time.Second
	DefaultMaxCoolDown = 30 * time.Second
)

// Option configures [New] and [Bind].
type Option func(*options)

type options struct {
	authFailed  func(error) bool
	first, most time.Duration
	keep        bool
}

// WithAuthFailed sets what tells that a database refused the credentials from
// any other failure to connect; the default is [AuthFailed]. For a driver that
// this does not know:
//
//	sqlsecret.WithAuthFailed(func(err error) bool {
//		return sqlsecret.AuthFailed(err) || errors.Is(err, mydriver.ErrLogin)
//	})
func WithAuthFailed(f func(error) bool) Option {
	return func(o *options) { o.authFailed = f }
}

// WithCoolDown sets how long a version that the database refused is not tried
// again: first after the first refusal, then twice as long after each, up to
// most. The defaults are [DefaultCoolDown], one second, and
// [DefaultMaxCoolDown], 30 seconds. A new version ends the cool-down at once.
func WithCoolDown(first, most time.Duration) Option {
	return func(o *options) { o.first, o.most = first, most }
}

// WithKeepConnections lets connections live that were opened with a version
// that has been replaced since; the default is to close each as it returns to
// its pool, or when the pool would hand it out. Connections kept end with the
// pool's own limits, such as [database/sql.DB.SetConnMaxLifetime], and are the
// driver's own, which nothing wraps.
func WithKeepConnections() Option {
	return func(o *options) { o.keep = true }
}

func newOptions(opts []Option) (options, error) {
	o := options{authFailed: AuthFailed, first: DefaultCoolDown, most: DefaultMaxCoolDown}
	for _, opt := range opts {
		opt(&o)
	}
	var errs []error
	if o.authFailed == nil {
		errs = append(errs, errors.New("sqlsecret: WithAuthFailed(nil)"))
	}
	if o.first <= 0 || o.most < o.first {
		errs = append(errs, fmt.Errorf("sqlsecret: WithCoolDown(%v, %v): want more than 0, and the second at least the first", o.first, o.most))
	}
	return o, errors.Join(errs...)
}

// coolDown returns how long to wait after so many refusals in a row.
func (o options) coolDown(refusals int) time.Duration {
	d := o.first
	for ; refusals > 1 && d < o.most; refusals-- {
		d *= 2
	}
	return min(d, o.most)
}
