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
// needs a value, as often as it likes: it keeps no copies of its own.
//
// # Refs
//
// A ref is a string that names a value: the scheme says which store, then come
// the name, how to choose a version, and a field of a JSON secret.
// [provider.ParseRef] lists all forms; ARNs are refs too, as they stand in an
// ECS task definition. Reading through [Client.Get] gives a [Value], through
// [Client.Text] a string; [Client.GetAll] reads many at once and [Client.List]
// a whole hierarchy.
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
// [Client.Refresh] and [Client.Invalidate] are for who knows that something
// changed.
//
// # Errors
//
// Every error names the ref and what to do, wraps one of the Err values of
// package provider and, where the store answered, the SDK's error. No error and
// no way of printing a [Value] shows a secret.
//
// # Packages
//
// Package sm reads Secrets Manager and package ssm Parameter Store; a program
// links the SDK clients of those it imports and no other. Package provider is
// the contract for a store of one's own, provider/providertest its conformance
// suite. Package secretstest is a server that stands in for AWS in tests.
package secrets
