package events_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/events"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a client of both stores that is closed with the test.
func open(t testing.TB, cfg aws.Config, opts ...secrets.Option) *secrets.Client {
	t.Helper()
	c, err := secrets.New(append(opts, secrets.WithProvider(sm.New(cfg)), secrets.WithProvider(ssm.New(cfg)),
		secrets.WithLogger(slog.New(slog.DiscardHandler)))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// listen returns a listener that is closed with the test.
func listen(t testing.TB, server *secretstest.Server, queue string, client *secrets.Client, opts ...events.Option) *events.Listener {
	t.Helper()
	opts = append([]events.Option{events.WithLogger(slog.New(slog.DiscardHandler))}, opts...)
	l, err := events.Listen(sqs.NewFromConfig(server.Config()), server.CreateQueue(queue), client, opts...)
	require.NoError(t, err)
	t.Cleanup(l.Close)
	return l
}

// send sends messages to a queue.
func send(t testing.TB, server *secretstest.Server, queue string, bodies ...string) {
	t.Helper()
	url := server.CreateQueue(queue)
	for _, body := range bodies {
		_, err := sqs.NewFromConfig(server.Config()).SendMessage(context.WithoutCancel(t.Context()), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(body)})
		require.NoError(t, err)
	}
}

func text(t testing.TB, c *secrets.Client, ref string) string {
	t.Helper()
	s, err := c.Text(t.Context(), ref)
	require.NoError(t, err)
	return s
}

// stores counts the calls that went to the stores.
func stores(server *secretstest.Server) int {
	return server.Calls("GetSecretValue", "BatchGetSecretValue", "GetParameter", "GetParameters", "DescribeSecret", "ListSecrets")
}

// journal is a log that a test reads.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }
