// Package rotation rotates a value in Secrets Manager or in Parameter Store: it
// makes a new one, has a database or an API accept it, and then gives it to all
// readers.
//
//	err := rotation.Rotate(ctx, sm.New(cfg), "sm://prod/db", target)
//	err := rotation.Rotate(ctx, ssm.New(cfg), "ssm:///prod/db", target)
//
// A [Target] is the system whose credential changes. The packages below this one
// have those for databases; one for anything else is three methods.
//
// # The steps
//
// A rotation takes the four steps of Secrets Manager. createSecret asks the
// target for the next value and stores it where nobody reads it by chance,
// setSecret has the target accept it, testSecret shows that it does, and
// finishSecret makes it the current value and the old one the previous. Each step
// does nothing where it has been taken, so a run that failed or died is simply
// followed by another: that finds the pending value and goes on with it. At every
// instant the target accepts the current, the pending or the previous value;
// [github.com/c0629bfc/secrets.Client.Reject] finds which.
//
// Of two processes that rotate one value at once, one wins, or both make the same
// version; the other's error wraps provider.ErrConflict. In Parameter Store,
// which has nothing for this, the pending value is a parameter of its own with a
// lease of fifteen minutes: another process takes over from one that died when
// that is over. The file docs/rotation.md has the protocols and what a crash at each
// point leads to.
//
// # Who calls
//
// [Rotate] runs all steps, when and where the program likes.
//
// [NewScheduler] calls it in a process, by rate(...) and cron(...) expressions
// as AWS has them. Any number of processes may run the same schedule.
//
// [Lambda] is the rotation function of a secret, which Secrets Manager calls by
// its own schedule, or when RotateSecret is called, once for each step.
//
// [Scheduled] is a Lambda function that a schedule of EventBridge calls, for
// parameters.
//
// # When it fails
//
// The error and the log name the ref and the step, and no value. Nothing has to
// be cleaned up: mend the cause, and run it again. Only a pending value that the
// target will never accept, since it breaks a rule of its passwords, would be
// tried for ever: [Abandon] drops it, if the target accepts the current value
// still.
package rotation
