package events_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/events"
	"github.com/c0629bfc/secrets/secretstest"
)

// A hundred clients, each with its queue, and a burst of a dozen writes: each
// client has what it holds after one event, for one batch.
func TestAChangeReachesAHundredClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fleet = 100
		var queues []string
		for i := range fleet {
			queues = append(queues, fmt.Sprint("q", i))
		}
		server := secretstest.NewServer(t, secretstest.InProcess(), secretstest.WithEvents(queues...))
		var refs []string
		for i := range 4 {
			server.SetSecret(fmt.Sprint("db/", i), "old")
			refs = append(refs, fmt.Sprint("sm://db/", i))
		}
		clients := make([]*secrets.Client, fleet)
		for i := range clients {
			clients[i] = open(t, server.Config(), secrets.WithTTL(time.Hour))
			_, err := clients[i].GetAll(t.Context(), refs...)
			require.NoError(t, err)
			listen(t, server, queues[i], clients[i])
		}
		time.Sleep(2 * time.Second) // the events of the beginning
		synctest.Wait()
		server.ResetCalls()

		server.SetSecret("db/0", "new") // one
		time.Sleep(time.Second / 2)
		synctest.Wait()
		require.Equal(t, fleet, server.Calls("GetSecretValue"))
		require.Equal(t, fleet, stores(server))
		for _, c := range clients {
			require.Equal(t, "new", text(t, c, "sm://db/0"))
		}
		time.Sleep(2 * time.Second)
		server.ResetCalls()

		for n := range 3 { // a burst
			for i := range 4 {
				server.SetSecret(fmt.Sprint("db/", i), fmt.Sprint("newer ", n))
			}
		}
		time.Sleep(time.Second / 2)
		synctest.Wait()
		require.Equal(t, fleet, server.Calls("BatchGetSecretValue"))
		require.Equal(t, fleet, stores(server), "one batch a client")
		for _, c := range clients {
			for _, ref := range refs {
				require.Equal(t, "newer 2", text(t, c, ref))
			}
		}
		require.Equal(t, fleet, stores(server), "and reads are hits")
		time.Sleep(2 * time.Second)
		for _, q := range queues {
			require.Zero(t, server.Messages(q), "all are deleted")
		}
	})
}

func TestOnlyWhatIsHeldIsRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess(), secretstest.WithEvents("q"))
		server.SetSecret("db", `{"password":"old"}`)
		server.SetParameter("/app/url", "old")
		c := open(t, server.Config())
		l := listen(t, server, "q", c)
		time.Sleep(3 * time.Second)
		require.Zero(t, stores(server), "nothing is held")
		require.Equal(t, events.Stats{Messages: 2, Events: 2, Refreshes: 1}, l.Stats())

		require.Equal(t, "old", text(t, c, "sm://db#password"))
		require.Equal(t, "old", text(t, c, "ssm:///app/url"))
		require.Equal(t, `{"password":"old"}`, text(t, c, "ssm:///aws/reference/secretsmanager/db"))
		server.ResetCalls()
		server.SetSecret("db", `{"password":"new"}`)
		server.SetParameter("/app/url", "new")
		server.SetParameter("/app/other", "new")
		time.Sleep(time.Second / 2)
		require.Equal(t, "new", text(t, c, "sm://db#password"))
		require.Equal(t, "new", text(t, c, "ssm:///app/url"))
		require.Equal(t, `{"password":"new"}`, text(t, c, "ssm:///aws/reference/secretsmanager/db"))
		require.Equal(t, 1, server.Calls("GetSecretValue"))
		require.Equal(t, 1, server.Calls("GetParameters"))
		require.Equal(t, 2, stores(server))
	})
}

// A rotation by a function is several bursts, and the new version is there at
// once after AWSCURRENT moved.
func TestARotationIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess(), secretstest.WithEvents("q"))
		const lambda = "arn:aws:lambda:us-east-1:123456789012:function:rotate"
		sm := secretsmanager.NewFromConfig(server.Config())
		server.SetSecret("db", "old")
		server.HandleRotation(lambda, func(ctx context.Context, e secretstest.RotationEvent) error {
			switch e.Step {
			case "createSecret":
				_, err := sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &e.SecretId, ClientRequestToken: &e.ClientRequestToken, SecretString: aws.String("new"), VersionStages: []string{"AWSPENDING"}})
				return err
			case "finishSecret":
				described, err := sm.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &e.SecretId})
				if err != nil {
					return err
				}
				for id, stages := range described.VersionIdsToStages {
					for _, stage := range stages {
						if stage == "AWSCURRENT" {
							_, err = sm.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: &e.SecretId, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &e.ClientRequestToken, RemoveFromVersionId: aws.String(id)})
						}
					}
				}
				return err
			}
			time.Sleep(time.Second)
			return nil
		})
		c := open(t, server.Config())
		listen(t, server, "q", c)
		h, err := secrets.Bind(t.Context(), c, "sm://db", secrets.Text)
		require.NoError(t, err)
		_, err = sm.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("db"), RotationLambdaARN: aws.String(lambda)})
		require.NoError(t, err)
		require.NoError(t, server.WaitRotations(t.Context()))
		time.Sleep(2 * time.Second)
		require.Equal(t, "new", h.Load())
	})
}

func TestDuplicatesAndWhatIsNotOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		server := secretstest.NewServer(t, secretstest.InProcess())
		server.SetParameter("/app/url", "x")
		c := open(t, server.Config())
		text(t, c, "ssm:///app/url")
		server.ResetCalls()
		l := listen(t, server, "q", c, events.WithLogger(log.logger()))
		other := "arn:aws:secretsmanager:us-east-1:210987654321:secret:app-AbCdEf"
		send(t, server, "q",
			change("Update", "/app/url"), change("Update", "/app/url"), wrapped(change("Update", "/app/url"), "Notification"),
			sample("aws.ec2", "EC2 Instance State-change Notification", `{}`),
			strings.Replace(call(`"eventName":"PutSecretValue","responseElements":{"arn":"`+other+`"}`), "6a7e4feb", "6a7e4fec", 1),
			"correct horse battery staple", wrapped("correct horse", "SubscriptionConfirmation"),
		)
		time.Sleep(10 * time.Second)
		require.Equal(t, events.Stats{Messages: 7, Events: 2, Duplicates: 2, Ignored: 1, Unreadable: 2, Refreshes: 1}, l.Stats())
		require.Equal(t, 1, stores(server))
		require.Equal(t, 2, server.Messages("q"), "what is no event is left to the redrive policy")
		require.Equal(t, 2, strings.Count(log.String(), "cannot be read"))
		time.Sleep(2 * time.Minute)
		require.Greater(t, l.Stats().Unreadable, uint64(4), "they come again")
		require.Equal(t, 2, strings.Count(log.String(), "cannot be read"), "and are logged once")
		require.NotContains(t, log.String(), "correct horse")

		// An old event after a newer version does no harm.
		server.SetParameter("/app/url", "y")
		send(t, server, "q", strings.Replace(change("Update", "/app/url"), "6a7e4feb", "00000000", 1))
		time.Sleep(2 * time.Second)
		send(t, server, "q", strings.Replace(change("Create", "/app/url"), "6a7e4feb", "00000001", 1))
		time.Sleep(2 * time.Second)
		require.Equal(t, "y", text(t, c, "ssm:///app/url"))
	})
}

func TestPoisonGoesToTheDeadLetterQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess())
		server.CreateQueue("dead")
		_, err := sqs.NewFromConfig(server.Config()).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q"), Attributes: map[string]string{
			"VisibilityTimeout": "0", "RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":30}`,
		}})
		require.NoError(t, err)
		l := listen(t, server, "q", open(t, server.Config()))
		send(t, server, "q", "poison")
		time.Sleep(10 * time.Second)
		require.LessOrEqual(t, l.Stats().Unreadable, uint64(11), "though it is visible all the time")
		time.Sleep(time.Minute)
		require.Equal(t, 1, server.Messages("dead"))
		require.Zero(t, server.Messages("q"))
		require.EqualValues(t, 30, l.Stats().Unreadable)
	})
}

func TestALostQueueFallsBackToTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		server := secretstest.NewServer(t, secretstest.InProcess(), secretstest.WithEvents("q"))
		server.SetSecret("db", "old")
		c := open(t, server.Config())
		text(t, c, "sm://db")
		l := listen(t, server, "q", c, events.WithLogger(log.logger()))
		time.Sleep(time.Minute)
		require.NoError(t, l.Stats().Err)
		idle := server.Calls("ReceiveMessage")
		require.LessOrEqual(t, idle, 5, "it polls long")

		remove := server.Inject(secretstest.Fault{Operation: "ReceiveMessage", Err: secretstest.AccessDenied()})
		server.SetSecret("db", "new")
		time.Sleep(10 * time.Minute)
		require.ErrorContains(t, l.Stats().Err, "AccessDenied")
		require.WithinDuration(t, time.Now().Add(-10*time.Minute), l.Stats().Since, time.Minute)
		require.LessOrEqual(t, server.Calls("ReceiveMessage")-idle, 60, "it backs off")
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
		text(t, c, "sm://db")
		time.Sleep(time.Second)
		require.Equal(t, "new", text(t, c, "sm://db"), "the TTL is in force")

		remove()
		time.Sleep(2 * time.Minute) // the longest backoff, and a long poll
		require.NoError(t, l.Stats().Err)
		require.Zero(t, l.Stats().Since)
		require.Equal(t, 1, strings.Count(log.String(), "received from again"))
		require.Zero(t, server.Messages("q"), "what came meanwhile was kept")
	})
}

// A delete that fails costs a duplicate and no refresh.
func TestDeletesThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess(), secretstest.WithEvents("q"))
		c := open(t, server.Config())
		server.SetSecret("db", "old")
		text(t, c, "sm://db")
		l := listen(t, server, "q", c)
		time.Sleep(time.Second)
		server.ResetCalls()
		remove := server.Inject(secretstest.Fault{Operation: "DeleteMessageBatch", Err: secretstest.AccessDenied()})
		server.SetSecret("db", "new")
		time.Sleep(70 * time.Second)
		require.Equal(t, 1, server.Messages("q"))
		require.EqualValues(t, 3, l.Stats().Undeleted)
		remove()
		time.Sleep(time.Minute)
		require.Zero(t, server.Messages("q"))
		require.EqualValues(t, 3, l.Stats().Duplicates)
		require.Equal(t, 1, stores(server))
	})
}

// Of a batch each message is deleted or not for itself.
func TestDeletesThatFailInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess())
		url := server.CreateQueue("q")
		var bodies []string
		for i := range 5 {
			bodies = append(bodies, strings.Replace(change("Update", "/app/url"), "6a7e4feb", fmt.Sprintf("%08d", i), 1))
		}
		send(t, server, "q", bodies...)
		cfg := server.Config()
		spoiling := &spoiler{to: cfg.HTTPClient}
		cfg.HTTPClient = spoiling
		l, err := events.Listen(sqs.NewFromConfig(cfg), url, open(t, server.Config()), events.WithLogger(slog.New(slog.DiscardHandler)))
		require.NoError(t, err)
		defer l.Close()
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, server.Messages("q"))
		require.Equal(t, events.Stats{Messages: 5, Events: 5, Undeleted: 1, Refreshes: 1}, l.Stats())
		time.Sleep(time.Minute)
		require.Zero(t, server.Messages("q"))
		require.Equal(t, events.Stats{Messages: 6, Events: 5, Duplicates: 1, Undeleted: 1, Refreshes: 1}, l.Stats())
	})
}

// spoiler makes one receipt handle of the first batch of deletes one that SQS does
// not know.
type spoiler struct {
	to   aws.HTTPClient
	done atomic.Bool
}

func (s *spoiler) Do(r *http.Request) (*http.Response, error) {
	if r.Header.Get("X-Amz-Target") == "AmazonSQS.DeleteMessageBatch" && !s.done.Swap(true) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.Replace(body, []byte(`"ReceiptHandle":"`), []byte(`"ReceiptHandle":"!`), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return s.to.Do(r)
}

// Nor does it make the listener ask for the same message without a pause, where
// that is visible again at once.
func TestDeletesThatFailMakeNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess())
		_, err := sqs.NewFromConfig(server.Config()).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q"), Attributes: map[string]string{"VisibilityTimeout": "0"}})
		require.NoError(t, err)
		server.Inject(secretstest.Fault{Operation: "DeleteMessageBatch", Err: secretstest.AccessDenied()})
		server.Inject(secretstest.Fault{Operation: "ReceiveMessage", Delay: 10 * time.Millisecond})
		l := listen(t, server, "q", open(t, server.Config()))
		send(t, server, "q", change("Update", "/app/url"))
		time.Sleep(10 * time.Second)
		require.LessOrEqual(t, server.Calls("ReceiveMessage"), 12)
		require.EqualValues(t, 1, l.Stats().Events)
	})
}

// A logger may look at what it logs about.
func TestALoggerMayAskForStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess())
		log := new(curious)
		remove := server.Inject(secretstest.Fault{Operation: "ReceiveMessage", Err: secretstest.AccessDenied()})
		l := listen(t, server, "q", open(t, server.Config()), events.WithLogger(slog.New(log)))
		log.listener.Store(l)
		send(t, server, "q", "no event")
		time.Sleep(time.Second / 2)
		remove()
		time.Sleep(2 * time.Minute)
		require.NoError(t, l.Stats().Err)
		require.GreaterOrEqual(t, log.lines.Load(), int32(3), "lost, found, and what cannot be read")
	})
}

// curious is a handler that asks the listener for its Stats.
type curious struct {
	listener atomic.Pointer[events.Listener]
	lines    atomic.Int32
}

func (*curious) Enabled(context.Context, slog.Level) bool { return true }
func (c *curious) WithAttrs([]slog.Attr) slog.Handler     { return c }
func (c *curious) WithGroup(string) slog.Handler          { return c }

func (c *curious) Handle(context.Context, slog.Record) error {
	if l := c.listener.Load(); l != nil {
		l.Stats()
	}
	c.lines.Add(1)
	return nil
}

// Events that never end cost one batch a second at most.
func TestAStormIsCalmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess(), secretstest.WithEvents("q"))
		c := open(t, server.Config())
		server.SetSecret("db", "old")
		text(t, c, "sm://db")
		listen(t, server, "q", c)
		time.Sleep(2 * time.Second)
		server.ResetCalls()
		for range 100 {
			server.SetParameter("/p", "x")
			time.Sleep(50 * time.Millisecond)
			if server.Messages("q") > 100 {
				t.Fatal("the queue is not drained")
			}
		}
		require.Zero(t, stores(server))
		server.ResetCalls()
		for i := range 90 { // a secret has a hundred versions
			server.SetSecret("db", fmt.Sprint(i))
			time.Sleep(100 * time.Millisecond)
		}
		require.LessOrEqual(t, stores(server), 10)
		time.Sleep(2 * time.Second)
		require.Equal(t, "89", text(t, c, "sm://db"))
	})
}

func TestASpreadFleetDoesNotAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fleet = 20
		var queues []string
		for i := range fleet {
			queues = append(queues, fmt.Sprint("q", i))
		}
		server := secretstest.NewServer(t, secretstest.InProcess(), secretstest.WithEvents(queues...))
		server.SetParameter("/p", "old")
		var clients []*secrets.Client
		for _, q := range queues {
			c := open(t, server.Config(), secrets.WithTTL(time.Hour))
			text(t, c, "ssm:///p")
			listen(t, server, q, c, events.WithSpread(5*time.Second))
			clients = append(clients, c)
		}
		time.Sleep(7 * time.Second) // the event of the beginning
		server.ResetCalls()
		server.SetParameter("/p", "new")
		seconds := make(map[time.Time]int)
		began := time.Now()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		for _, r := range server.Requests() {
			if r.Operation == "GetParameter" {
				require.Less(t, r.Time.Sub(began), 5*time.Second+200*time.Millisecond)
				seconds[r.Time.Truncate(time.Second)]++
			}
		}
		require.Equal(t, fleet, stores(server))
		require.GreaterOrEqual(t, len(seconds), 4)
		for _, c := range clients {
			require.Equal(t, "new", text(t, c, "ssm:///p"))
		}
	})
}

func TestCloseEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess(), secretstest.WithEvents("q"))
		server.SetSecret("db", "x")
		c := open(t, server.Config())
		text(t, c, "sm://db")
		l := listen(t, server, "q", c, events.WithSpread(time.Hour))
		time.Sleep(5 * time.Second) // it polls, and has something to tell
		began := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(l.Close)
		}
		wg.Wait()
		require.Zero(t, time.Since(began))
		calls := server.Calls()
		time.Sleep(2 * time.Hour)
		require.LessOrEqual(t, server.Calls("ReceiveMessage"), calls)
		require.Zero(t, l.Stats().Refreshes)
	})
}

func TestListenRefuses(t *testing.T) {
	server := secretstest.NewServer(t)
	queue, c := sqs.NewFromConfig(server.Config()), open(t, server.Config())
	for says, listen := range map[string]func() (*events.Listener, error){
		"queue URL": func() (*events.Listener, error) { return events.Listen(queue, "q", c) },
		"client":    func() (*events.Listener, error) { return events.Listen(queue, server.CreateQueue("q"), nil) },
		"WithSpread": func() (*events.Listener, error) {
			return events.Listen(queue, server.CreateQueue("q"), c, events.WithSpread(-1))
		},
		"twelve": func() (*events.Listener, error) {
			return events.Listen(queue, server.CreateQueue("q"), c, events.WithHome(events.Home{Account: "1"}))
		},
	} {
		_, err := listen()
		require.ErrorContains(t, err, says)
	}
}
