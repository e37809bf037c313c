// Package events tells a client of package secrets at once what changed in its
// stores, so that it need not wait for the TTL: an Amazon SQS queue gets the
// events that EventBridge has of AWS Secrets Manager and of Parameter Store, and
// a [Listener] turns them into refreshes of what the client holds.
//
//	listener, err := events.Listen(sqs.NewFromConfig(cfg), queueURL, client)
//	…
//	defer listener.Close()
//
// Each process needs a queue of its own, for a message goes to one receiver
// only; a fleet's queues hang on one SNS topic. [Pattern] and [Policy] print
// what the rule and the resource policies say, and docs/events.md has it all as
// Terraform and CloudFormation.
//
// Events make a cache fresh sooner and never later: they are best effort (user
// guide, "Monitoring Parameter Store events"), so the client's TTL stays in
// force, and all that goes wrong here falls back to it. An event brings no
// value, only a name.
//
// On AWS Lambda nothing runs between invocations, and a listener is of no use;
// [Refs] is.
//
// The package is a module of its own because of the SDK's SQS client.
package events
