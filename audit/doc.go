// Package audit keeps a trail of every access that an application makes to its
// secrets through a client, those that the cache answers included. AWS CloudTrail sees API calls
// only: one call, and then a million reads by whoever.
//
//	file, err := os.OpenFile("/var/log/app/secrets.jsonl", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
//	…
//	queue := audit.NewQueue(audit.NewJSON(file), 10_000, audit.Block)
//	defer queue.Close()
//	client, err := secrets.New(
//		secrets.WithProvider(sm.New(cfg)),
//		secrets.WithObserver(audit.New(queue)),
//	)
//	…
//	ctx = audit.WithPrincipal(ctx, user.ID)
//	ctx = audit.WithPurpose(ctx, "nightly report")
//	password, err := client.Text(ctx, "sm://prod/db#password")
//
// # What is recorded
//
// An [Event] for each read through Get, Text, GetAll, Load, Bind and List, for
// each version that a handle takes up, for each Reject, and for each Put and
// Delete whatever came of it. It says when, what, which version, from where, what
// became of it, for whom and what for; and the ID of the AWS request that brought
// the version, by which CloudTrail knows it. Loading a handle is no event: it is
// one atomic load. What is bound is recorded as bound, and with each version that
// follows, under the principal of Bind's context.
//
// A read that reaches neither cache nor store is not recorded: a malformed ref,
// a context that ended, a closed client.
// No event holds a value, and no error's text: an outcome is a word.
//
// # Order and time
//
// Events are recorded in the order in which they reach the sink, which for reads
// at the same time is any. Time is the wall clock of the process, taken before
// that: of two neighbouring events the second may have the earlier time, and a
// clock that is set back shows. Of one goroutine the order is that of its reads.
//
// # Sinks
//
// [NewSlog] logs events, [NewJSON] writes them as lines of JSON, and [NewChain]
// as lines of JSON each of which carries a hash of all before it, so that
// [Verify] finds what was altered, removed or moved. [NewQueue] puts a bounded
// queue before any of them, so that a read does not wait for a disk. A sink of
// one's own is a [Sink].
//
// # Price
//
// Without options a hit costs what its event costs. [Sample] and [EveryNth]
// record some of the hits, [FirstRead] the first read of each version by each
// principal. Everything that is no plain hit is recorded in any case. The
// numbers are in docs/audit.md.
package audit
