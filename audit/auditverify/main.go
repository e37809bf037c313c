// Auditverify checks files that audit.NewChain wrote, given from the oldest to
// the newest, or its standard input.
//
//	go run github.com/c0629bfc/secrets/audit/auditverify [-key-file FILE] [-after N:HASH] [-last N:HASH] FILE...
//
// It prints how many lines are in order and the checkpoint of the last one, for
// -after of the next run, and exits with status 1 if the chain is broken: the
// message says which line is the first. Without -last it cannot tell whether
// lines are missing at the end.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/c0629bfc/secrets/audit"
)

func main() {
	flags := flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	if err := run(flags, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(flags *flag.FlagSet, args []string, stdin io.Reader, stdout io.Writer) error {
	keyFile := flags.String("key-file", "", "file with the chain's key, as it is")
	after := flags.String("after", "0", "checkpoint that the first line follows")
	last := flags.String("last", "0", "checkpoint that the chain must reach")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var want audit.Expected
	var err error
	if want.After, err = audit.ParseCheckpoint(*after); err != nil {
		return err
	}
	if want.Last, err = audit.ParseCheckpoint(*last); err != nil {
		return err
	}
	if *keyFile != "" {
		if want.Key, err = os.ReadFile(*keyFile); err != nil {
			return err
		}
	}
	input := stdin
	if flags.NArg() > 0 {
		var files []io.Reader
		for _, name := range flags.Args() {
			file, err := os.Open(name)
			if err != nil {
				return err
			}
			defer file.Close()
			files = append(files, file)
		}
		input = io.MultiReader(files...)
	}
	verified, err := audit.Verify(input, want)
	fmt.Fprintf(stdout, "%d lines in order, the last is %s\n", verified.Lines, verified.Last)
	return err
}
