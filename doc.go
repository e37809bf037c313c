// Package secrets reads what a service keeps in AWS Secrets Manager and AWS
// Systems Manager Parameter Store, through one client with a cache in front.
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//	…
//	client, err := secrets.New(
//		secrets.WithProvider(sm.New(cfg)),
//		secrets.WithProvider(ssm.New(cfg)),
//	)
//	…
//	defer client.Close()
//
//	password, err := client.Text(ctx, "sm://prod/db#password")
//	url, err := client.Text(ctx, "ssm:///prod/app/url")
//
// A program makes one [Client] at start-up and reads through it wherever it
// needs a value, as often as it likes. Or it binds what it needs and loads it
// decoded, or fills a struct:
//
//	db, err := secrets.Bind(ctx, client, "sm://prod/db", secrets.JSON[secrets.DBSecret])
//	…
//	db.Load().Password() // the current one, by an atomic load
//
// # Refs
//
// A ref is a string that names a value: the scheme says which store, then come
// the name, how to choose a version, and a field of a JSON secret.
// [provider.ParseRef] lists all forms; ARNs are refs too, as they stand in an
// ECS task definition.
//
// # Reading
//
// [Client.Get] gives a [Value], [Client.Text] a string; [Client.GetAll] reads
// many at once and [Client.List] a whole hierarchy. [Bind] makes a [Handle] of
// one value, which follows its changes, and [Client.Load] fills a struct by its
// tags. [Text], [JSON], [Int] and their like decode. [Client.Put] and
// [Client.Delete] write; the life of a secret or parameter beyond that is in the
// packages of the stores.
//
// # The cache
//
// A value is served from the cache for a TTL, five minutes unless [WithTTL]
// says otherwise, counted from before the call that brought it. A hit takes
// some nanoseconds, no lock and no allocation. All fields of a secret are one
// entry and one call. When there are more than [WithMaxEntries], the least
// recently used goes.
//
// Any number of goroutines that miss a value wait for one call. Misses that
// come while a call to the same store is under way travel together in the next
// (BatchGetSecretValue carries 20 secrets, GetParameters 10 parameters); a lone
// miss leaves at once. A caller whose context ends leaves at once too, and the
// call goes on for the rest.
//
// Age is wall time: a process that was frozen, or a virtual machine that was
// suspended, serves nothing from before for longer than 50 ms after it thawed,
// and on AWS Lambda not at all.
//
// # Keeping fresh
//
// What is in use is read again shortly before its TTL ends, all that falls due
// together in the stores' batches, so that no read waits for it: a thousand
// secrets take fifty calls in five minutes. What nobody reads and no handle
// holds expires quietly. A value that did not change stays the same object and
// wakes nobody. One whose store announces a rotation is looked for at its date
// (the options of packages sm and ssm say at what price), and where a server
// refuses a value, [Client.Reject] gives the one to try next.
//
// # Trouble
//
// While a store cannot be reached, values are served past their TTL for an hour
// ([WithStaleIfError]), and for five minutes where it refuses them
// ([WithStaleIfDenied]); a value that does not exist is asked for once in ten
// seconds ([WithNegativeTTL]). What is cached is asked for again with exponential
// backoff and full jitter, and no store faster than a token bucket allows
// ([WithRateLimit]).
// [Client.Stats] says what is stale, since when and why; [WithObserver] tells
// everything as it happens.
//
// # Errors
//
// Every error names the ref and what to do, wraps one of the Err values of
// package provider and, where the store answered, the SDK's error. No error and
// no way of printing a [Value] shows a secret.
//
// # Packages
//
// Package sm is Secrets Manager and package ssm Parameter Store; a program links
// the SDK clients of those it imports and no other. Package provider is the
// contract for a store of one's own, provider/providertest its conformance suite.
// Package secretstest is a server that stands in for AWS in tests.
package secrets
