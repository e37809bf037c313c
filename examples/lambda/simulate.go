package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/c0629bfc/secrets/secretstest"
)

const (
	simulatedVariable = "LAMBDA_EXAMPLE_SIMULATED"
	simulatedTTL      = 2 * time.Second
	frozen            = 3 * time.Second
)

// simulate is Lambda's part.
func simulate(ctx context.Context) error {
	server, err := secretstest.Start()
	if err != nil {
		return err
	}
	defer server.Close()
	server.SetParameter("/demo/greeting", "Hello, %s!")
	server.SetSecret("demo/db", `{"engine":"postgres","host":"db.internal","username":"app","password":"first"}`)

	env, err := startEnvironment(ctx, server.URL())
	if err != nil {
		return err
	}
	defer env.close()

	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INVOCATION\tAPI CALLS\tUSER\tSECRET VERSION\tGREETING")
	invoke := func(what string, thaw func() error) (Response, error) {
		before := server.Calls()
		r, err := env.invoke("world", thaw)
		if err == nil {
			fmt.Fprintf(w, "%s\t%d\t%s\t%.8s\t%s\n", what, server.Calls()-before, r.User, r.Version, r.Greeting)
		}
		return r, err
	}
	running := func() error { return nil }
	for _, what := range []string{"cold", "warm"} {
		if _, err := invoke(what, running); err != nil {
			return err
		}
	}

	if err := env.signal("STOP"); err != nil {
		return err
	}
	rotated := server.SetSecret("demo/db", `{"engine":"postgres","host":"db.internal","username":"app","password":"second"}`)
	before := server.Calls()
	time.Sleep(frozen)
	asleep := server.Calls() - before
	thawed, err := invoke(fmt.Sprintf("after %v frozen, rotated", frozen), func() error { return env.signal("CONT") })
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch {
	case asleep != 0:
		return fmt.Errorf("%d API calls by a frozen process: it was not frozen", asleep)
	case thawed.Version != rotated:
		return fmt.Errorf("the invocation after the freeze saw version %.8s and not %.8s", thawed.Version, rotated)
	}
	fmt.Printf("\nThe TTL is %v. The first invocation after the freeze saw the rotated secret.\n", simulatedTTL)
	return nil
}

// environment is an execution environment: this program in a process of its own,
// as the function.
type environment struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startEnvironment(ctx context.Context, endpoint string) (*environment, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), simulatedVariable+"=1", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001",
		"AWS_ENDPOINT_URL="+endpoint, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &environment{cmd, in, bufio.NewScanner(out)}, cmd.Start()
}

// invoke has the event waiting when the environment thaws.
func (e *environment) invoke(name string, thaw func() error) (r Response, err error) {
	if err := json.NewEncoder(e.in).Encode(map[string]string{"Name": name}); err != nil {
		return r, err
	}
	if err := thaw(); err != nil {
		return r, err
	}
	if !e.out.Scan() {
		return r, errors.Join(errors.New("the function ended"), e.out.Err())
	}
	return r, json.Unmarshal(e.out.Bytes(), &r)
}

// signal stops the process, or lets it go on.
func (e *environment) signal(name string) error {
	return exec.Command("kill", "-"+name, strconv.Itoa(e.cmd.Process.Pid)).Run()
}

func (e *environment) close() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}

// serve is the function's part: it invokes the handler with each line that it
// reads, and writes what comes of it, as lambda.Start does by HTTP.
func serve(h lambda.Handler) error {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		out, err := h.Invoke(context.Background(), in.Bytes())
		if err != nil {
			return err
		}
		if _, err := fmt.Printf("%s\n", out); err != nil {
			return err
		}
	}
	return in.Err()
}
