// Package otelsecrets tells OpenTelemetry what a client of package secrets does:
//
//	telemetry, err := otelsecrets.New()
//	…
//	client, err := secrets.New(…, secrets.WithObserver(telemetry.Observer()))
//	…
//	stop, err := telemetry.Watch(client)
//
// # Metrics
//
// Read from [secrets.Client.Stats] whenever metrics are collected, so that a
// hit costs nothing:
//
//	secrets.cache.hits          reads answered from the cache
//	secrets.cache.misses        reads that waited for a store
//	secrets.cache.coalesced     misses that joined a call for the same value
//	secrets.cache.stale_reads   reads answered by a value past its TTL
//	secrets.cache.evictions     entries that went to make room
//	secrets.cache.entries       secrets and parameters in the cache
//	secrets.cache.stale_entries those that could not be refreshed the last time
//	secrets.cache.age           seconds since a store confirmed the value that waits for it longest
//	secrets.cache.staleness     seconds since refreshing failed first, of what fails longest
//	secrets.in_flight           secrets and parameters being read
//	secrets.rejections          values that a server refused
//
// Counted as it happens, which is where a store is asked anyway:
//
//	secrets.refreshes           values asked for: secrets.scheme, secrets.outcome, error.type
//	secrets.api.calls           requests, retries included: rpc.system, rpc.service, rpc.method, error.type
//	secrets.api.throttled       those of them that were throttled
//
// The outcome is new, changed, unchanged (the value was read), confirmed (the
// store compared versions) or error. No attribute grows with the number of
// secrets: [WithRefs] gives age and staleness for each ref, for programs with
// few.
//
// # Spans
//
// Each request to a store is a span of the kind client, as the semantic conventions
// for AWS SDK calls name it ("Secrets Manager/GetSecretValue", rpc.system aws-api,
// aws.request_id; a request to a store of one's own has its operation's name and
// no service), and each value that was asked for one of the kind internal. A
// request serves many readers and most serve none, so these spans are no one's
// children. A value's span stands at the end of what was done and has no
// duration. What a reader's own span shows is for [WithReadEvents].
//
// No name, attribute, event or status of any of these has a value in it.
package otelsecrets
