// Package snapshot keeps what a client read in an encrypted file, so that a
// process can start while AWS is down:
//
//	kept, err := snapshot.Open(ctx, "/var/lib/app/secrets.snapshot", "123456789012/eu-west-1/app", snapshot.Secret(key))
//	…
//	defer kept.Close() // after the client
//	client, err := secrets.New(
//		secrets.WithProvider(sm.New(cfg)),
//		secrets.WithFallback(kept),
//	)
//
// Where a value is not cached and its store cannot be reached, or does not answer
// before the deadline of the start, the client serves the one that was kept, as a
// stale one ([secrets.WithFallback], [secrets.Client.Get]).
//
// # What is in the file
//
// Whole values with their refs, versions and labels, those that are pinned or
// read by a stage or label included; a version that is pending (AWSPENDING and
// not AWSCURRENT) never is. A value that the store refuses, or that is deleted
// or written over through the client, is forgotten, also as it was read by a
// stage or label; a version that is pinned stays. Each is good for a maximum age
// ([WithMaxAge]), counted in wall time from when the store last brought or
// confirmed it. A version that is pinned cannot change and is not asked for twice:
// it counts from when a process that had read it last wrote the file, so that a
// start finds it, and what nobody reads any more goes.
//
// The file is written two seconds after something changed, and on Close; that
// nothing changed is noted in it each time a twenty-fourth of the maximum age
// has passed. A write replaces the file in one step, on disk before it is in
// place: after a crash or a power loss there is the old snapshot or the new one.
// Reads never wait for it.
//
// One process writes a file: of two, the last one to write wins, and what the
// other one kept is gone. Replicas on one disk need a path each.
//
// # Refusal
//
// A snapshot that cannot be used never fails a start. Open returns an error for
// arguments that can never be right, and for nothing else; the reason for which
// a file was refused is in [Status] and in the log. What is wrong with the
// file's state ([ErrDamaged], [ErrTooOld], [ErrKeyService]) is over when it is
// written anew. What may be a mistake of the program's or somebody else's file
// ([ErrWrongKey], [ErrForeign], [ErrFormat], [ErrUnsafe]) is logged as an error,
// and then the file is left alone and nothing is kept until it is mended or
// removed.
//
// # Against whom
//
// Who has the file without the key learns its size, when it was written and
// whether a binding that he guesses is its own; he cannot read or alter it
// unnoticed. He can put back an older one, which is
// used while its values are young enough: the maximum age is what bounds that.
// Who has the key has everything, so keep it elsewhere than the file: a key
// that lies beside it only stops a reader of the disk's backup. A copy of a
// value stays readable in old blocks of the disk, encrypted, for as long as the
// key exists; and memory is the Go runtime's, which moves and reuses it: neither
// keys nor values are zeroed.
package snapshot
