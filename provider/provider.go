// Package provider is the contract between a secret store and the cached
// client of package secrets: how a value is named ([Ref]), what it is
// ([Value], [Version]), how it is read ([Provider]) and how a read fails
// ([Error] and the Err values).
//
// The module's sm and ssm packages are the two providers for AWS. A program
// may bring its own for another store; package providertest holds the suite
// that every provider must pass.
package provider

import (
	"context"
	"iter"
	"time"
)

// Provider reads values from one kind of store.
//
// Implementations are safe for concurrent use. Package providertest checks
// everything that is said here.
type Provider interface {
	// Scheme is the scheme of the refs that the provider reads, such as "sm"
	// or "ssm". It never changes.
	Scheme() string

	// Fetch reads the refs and returns one [Result] for each, in their order.
	// It makes as few calls to the store as the store allows: the caller hands
	// over all it needs at once and leaves the batching to the provider.
	//
	// The refs name whole values: a caller has dealt with their fields
	// ([Ref.Base]), and a provider ignores [Ref.Field]. The same ref may occur
	// twice. A ref that cannot be read fails alone, with an [Error] that wraps
	// one of the package's Err values; it takes no other ref with it. When ctx
	// ends, Fetch returns soon, with what it has and with an error that wraps
	// ctx's for the rest.
	Fetch(ctx context.Context, refs ...Ref) []Result
}

// Result is the outcome of reading one [Ref]: a value, an error or, from
// [Refetcher.Refetch] alone, that nothing changed.
type Result struct {
	Value     Value
	Err       error
	Unchanged bool

	// Changes is when the store means to rotate or to delete the value; zero
	// where it has no such plan or does not tell.
	Changes time.Time
	// RequestID is the store's own ID of the request that brought the value, for
	// its audit log (AWS CloudTrail); empty where it has none.
	RequestID string
}

// Refetcher is an optional capability of a [Provider]: to read again what the
// caller already has for less than [Provider.Fetch] takes. A store that tells
// versions more cheaply than values compares those and reads only what changed.
type Refetcher interface {
	// Refetch is Fetch for refs of which the caller knows a version. Where that
	// is still what the ref names, the provider may say Unchanged instead of
	// reading the value; a zero Version always means to read. Two versions with
	// one ID and different dates are not the same: a value that was deleted and
	// made again may count its versions anew.
	//
	// A provider may compare by what lags a little behind the store, if its
	// documentation says so. What it sees to differ from what the caller knows
	// it reads, rather than to decide which is the newer.
	Refetch(ctx context.Context, known ...Known) []Result
}

// Known is a ref and the version of it that the caller has.
type Known struct {
	Ref     Ref
	Version Version
}

// Prober is an optional capability of a [Provider]: to tell which version of
// a value is current without reading the value itself.
type Prober interface {
	// Probe returns one [ProbeResult] for each ref, in order. What is said of
	// [Provider.Fetch] on partial failure and cancellation holds for it too.
	Probe(ctx context.Context, refs ...Ref) []ProbeResult
}

// ProbeResult is what a store tells of a value without the value. A time that
// the store does not know or does not tell is zero.
type ProbeResult struct {
	Version      Version   // with its labels
	LastChanged  time.Time // when the value or its metadata last changed
	NextRotation time.Time // when the store means to rotate the value
	Expires      time.Time // when the store will delete the value by a policy
	Err          error
}

// Lister is an optional capability of a [Provider]: to read all values below
// a prefix.
type Lister interface {
	// List yields the values whose names begin with prefix (see
	// [ParsePrefix]), page by page as the store delivers them. A value that
	// cannot be read is yielded as an error that names it, and the listing
	// goes on; an error of the listing itself is yielded last. The sequence
	// may be ranged over more than once, each time from the start.
	List(ctx context.Context, prefix Ref) iter.Seq2[Value, error]
}

// Alternates is an optional capability of a [Provider]: to name other versions
// of a value that a server may accept while it refuses the current one.
type Alternates interface {
	// Alternates returns the refs to try instead of ref, in order; none if ref
	// names a version by itself. It makes no call.
	Alternates(ref Ref) []Ref
}

// Writer is an optional capability of a [Provider]: to store values. It is what
// code needs that does not care which store it writes to; each store's own
// package has the rest.
type Writer interface {
	// Put stores the content of v as a new version of what v's ref names and
	// makes it the current one; what does not exist yet is created. The type is
	// v's, or where that is empty what the store has already, or else its usual
	// one (SecretString, SecureString). The ref names neither a version nor a
	// field. A Put that is repeated after its answer was lost writes nothing
	// twice if cond has a Token.
	Put(ctx context.Context, v Value, cond Condition) (Version, error)
	// Delete removes what ref names with all its versions, as gently as the
	// store can: Secrets Manager keeps a secret for its recovery window. What
	// does not exist gives [ErrNotFound].
	Delete(ctx context.Context, ref Ref) error
}

// Condition is what must hold for a [Writer] to write. Where it does not, the
// error wraps [ErrConflict].
type Condition struct {
	// Absent: there is no such value yet.
	Absent bool
	// Version is the ID of the version that is current; empty is any.
	Version string
	// Token identifies the write among its repetitions: 32 to 64 characters,
	// unique for each write; empty lets the provider make one for each call.
	Token string
}
