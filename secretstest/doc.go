// Package secretstest is an embedded server that speaks the wire protocol of
// AWS Secrets Manager and of SSM Parameter Store (awsJson1.1), so that the
// real aws-sdk-go-v2 clients talk to it as they talk to AWS. It is to the two
// services what net/http/httptest is to HTTP:
//
//	srv := secretstest.NewServer(t)
//	srv.SetSecret("prod/db", `{"password":"pw"}`)
//	client := secretsmanager.NewFromConfig(srv.Config())
//
// Signatures are accepted unverified, everything is held in memory, and the
// server listens on the loopback interface only; with [InProcess] it opens no
// socket at all and can live inside a testing/synctest bubble.
//
// # Regions and accounts
//
// The region of a call is the one in the SigV4 credential scope of its
// Authorization header, and each region is a store of its own. The account is
// the access key ID when that is twelve digits, else the server's default
// account; [Server.ConfigFor] makes such a configuration. A full ARN of
// another account reads that account's secret or parameter, as if a resource
// policy allowed it; BatchGetSecretValue answers such an ARN with an error for
// the item. An ARN of another region than the one called is not found.
//
// # Rotation
//
// RotateSecret calls a Go function in place of a Lambda, asynchronously, and
// runs the schedule on the server's clock; see [Server.HandleRotation]. Replicas
// follow their primary at once; only the answer of the call that makes them
// says InProgress.
//
// # Events
//
// [WithEvents] has writes send the events that EventBridge would deliver to
// queues of a small Amazon SQS, which a real SDK client consumes; see
// [Server.CreateQueue].
//
// # What is not enforced
//
// Resource policies are stored and checked for their form and for broad access,
// and permit or deny nothing: inject [AccessDenied]. KMS keys are any text that
// could name one. The throughput setting of Parameter Store changes no quota:
// inject [Throttled].
//
// # Eventual consistency
//
// AWS is eventually consistent; this server is not: what was written is read
// at once. Use [Server.Inject] for delays, throttling and outages.
//
// # Where AWS does not say
//
// Some behaviour is documented nowhere. There the server takes the choice that
// makes a client's test the stricter: an identifier given twice to
// BatchGetSecretValue or GetParameters is answered once; pages may be made
// short ([WithPageSize]) and empty ([WithEmptyPages]). The quota of 20 staging
// labels attached to all versions of a secret counts those that are not AWS's own.
//
// No message, error or panic of this package contains a secret value.
package secretstest
