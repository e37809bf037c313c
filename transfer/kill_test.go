package transfer_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
	"github.com/c0629bfc/secrets/transfer"
)

// childEndpoint makes of the test's binary a process that copies from /dev/ to
// /prod/ at that endpoint, says a line after each item, and before the last one
// waits for its input to end.
const childEndpoint = "TRANSFER_TEST_ENDPOINT"

func TestMain(m *testing.M) {
	if url := os.Getenv(childEndpoint); url != "" {
		progress := func(p transfer.Progress) {
			fmt.Println("item")
			if p.Done == p.Total-1 {
				_, _ = io.Copy(io.Discard, os.Stdin)
			}
		}
		if err := copyAll(url, progress); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func copyAll(url string, progress func(transfer.Progress)) error {
	ctx := context.Background()
	store := ssm.New(aws.Config{
		Region: "us-east-1", BaseEndpoint: &url,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
	plan, err := transfer.PlanCopy(ctx, transfer.Place{Store: store, Ref: "ssm:///dev/"}, transfer.Place{Store: store, Ref: "ssm:///prod/"},
		transfer.WithRateLimit("ssm", math.Inf(1), 1))
	if err != nil {
		return err
	}
	return plan.Run(ctx, progress)
}

// TestAProcessThatIsKilledIsFollowedByAnother: the first has no time to say or
// save anything.
func TestAProcessThatIsKilledIsFollowedByAnother(t *testing.T) {
	server := secretstest.NewServer(t)
	for i := range many {
		server.SetSecureParameter(fmt.Sprintf("/dev/%04d", i), fmt.Sprint("hush ", i))
	}
	child := func(killAfter int) error { // so many items; never if that is zero
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childEndpoint+"="+server.URL())
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		if killAfter > 0 {
			for said := bufio.NewScanner(out); killAfter > 0 && said.Scan(); killAfter-- {
			}
			require.NoError(t, cmd.Process.Kill())
		}
		require.NoError(t, in.Close())
		_, _ = io.Copy(io.Discard, out)
		return cmd.Wait()
	}
	require.ErrorContains(t, child(many/2), "signal: killed")
	written := server.Calls("PutParameter")
	require.GreaterOrEqual(t, written, many/2)
	require.Less(t, written, many)

	require.NoError(t, child(0))
	require.Equal(t, many, server.Calls("PutParameter"), "nothing is written twice")
	store := ssm.New(server.Config())
	c, err := transfer.Compare(t.Context(), transfer.Place{Store: store, Ref: "ssm:///dev/"}, transfer.Place{Store: store, Ref: "ssm:///prod/"},
		transfer.WithRateLimit("ssm", math.Inf(1), 1))
	require.NoError(t, err)
	require.Len(t, c.Values, many)
	require.True(t, c.Equal())
	for _, d := range c.Values {
		require.Equal(t, "1", d.ThereVersion.ID)
	}
}
