package mongotarget_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/rotation/mongotarget"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type world struct {
	*testing.T
	admin  *mongo.Client
	url    *url.URL
	server *secretstest.Server
	store  *sm.Store
	client *secrets.Client
	user   string
}

// newWorld has a server that SECRETS_TEST_MONGODB names, a mongodb:// URL of one host
// and of a user that may create users, and a user of admin there whose password is
// "first".
func newWorld(t *testing.T, user string) *world {
	uri := os.Getenv("SECRETS_TEST_MONGODB")
	if uri == "" {
		t.Skip("SECRETS_TEST_MONGODB names no server")
	}
	u, err := url.Parse(uri)
	require.NoError(t, err)
	w := &world{T: t, url: u, server: secretstest.NewServer(t), user: "t" + rand.Text()[:8] + user}
	w.admin, err = mongo.Connect(options.Client().ApplyURI(uri).SetMonitor(nil))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.admin.Disconnect(context.Background())) })
	w.store = sm.New(w.server.Config())
	w.client, err = secrets.New(secrets.WithProvider(w.store))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.client.Close()) })
	require.NoError(t, w.run("createUser", w.user, bson.E{Key: "pwd", Value: "first"}, bson.E{Key: "roles", Value: bson.A{}}))
	t.Cleanup(func() {
		require.NoError(t, w.run("dropUser", w.user))
		_ = w.run("dropUser", w.user+"_clone")
	})
	password, _ := u.User.Password()
	w.server.SetSecret("master", w.secret(u.User.Username(), password))
	w.server.SetSecret("app", w.secret(w.user, "first"))
	return w
}

func (w *world) run(command, user string, more ...bson.E) error {
	return w.admin.Database("admin").RunCommand(context.Background(), append(bson.D{{Key: command, Value: user}}, more...)).Err()
}

func (w *world) secret(user, password string) string {
	host, port, _ := net.SplitHostPort(w.url.Host)
	text, err := json.Marshal(map[string]any{"engine": "mongo", "host": host, "port": port, "username": user, "password": password, "masterarn": "sm://master"})
	require.NoError(w, err)
	return string(text)
}

// plain saves the time that it takes to see that there is no TLS.
func plain(s secrets.DBSecret) (*options.ClientOptions, error) {
	s.SSL = new(bool)
	return mongotarget.Options(s)
}

func (w *world) single(opts ...mongotarget.Option) rotation.Target {
	return mongotarget.SingleUser(plain, opts...)
}

func (w *world) alternating(opts ...mongotarget.Option) rotation.Target {
	return mongotarget.AlternatingUsers(plain, mongotarget.Master(w.client), opts...)
}

func (w *world) rotate(target rotation.Target) {
	w.Helper()
	require.NoError(w, rotation.Rotate(w.Context(), w.store, "sm://app", target, rotation.WithLogger(slog.New(slog.DiscardHandler))))
}

func (w *world) read(ref string) secrets.DBSecret {
	require.NoError(w, w.client.Refresh(w.Context(), ref))
	v, err := w.client.Get(w.Context(), ref)
	require.NoError(w, err)
	s, err := secrets.JSON[secrets.DBSecret](v)
	require.NoError(w, err)
	return s
}

// refused tells that a login fails for its credentials.
func (w *world) refused(user, password string) {
	w.Helper()
	err := w.single().Test(w.Context(), value(w.secret(user, password)))
	var e mongo.CommandError
	require.ErrorAs(w, err, &e)
	require.EqualValues(w, 18, e.Code)
}

func (w *world) works(user, password string) {
	w.Helper()
	require.NoError(w, w.single().Test(w.Context(), value(w.secret(user, password))))
}

func value(text string) provider.Value {
	return provider.NewValue(provider.Ref{Scheme: "sm", Name: "app"}, provider.Version{}, provider.SecretString, text)
}

func always(password string) mongotarget.Option {
	return mongotarget.WithPassword(func(context.Context) (string, error) { return password, nil })
}

func TestTenRotationsOfASingleUser(t *testing.T) {
	w := newWorld(t, "")
	for i := range 10 {
		old := w.read("sm://app")
		target := w.single()
		if i%2 == 1 {
			target = w.single(mongotarget.WithSuperuser(mongotarget.Master(w.client)))
		}
		w.rotate(target)
		now := w.read("sm://app")
		require.Equal(t, w.user, now.Username)
		w.works(w.user, now.Password())
		w.refused(w.user, old.Password())
		require.Equal(t, old.Password(), w.read("sm://app?stage=AWSPREVIOUS").Password())
	}
}

func TestTenRotationsOfAlternatingUsers(t *testing.T) {
	w := newWorld(t, "")
	history := []secrets.DBSecret{w.read("sm://app")}
	for i := range 10 {
		w.rotate(w.alternating())
		now := w.read("sm://app")
		require.Equal(t, []string{w.user + "_clone", w.user}[i%2], now.Username)
		w.works(now.Username, now.Password())
		w.works(history[i].Username, history[i].Password())
		if i > 0 {
			w.refused(history[i-1].Username, history[i-1].Password())
		}
		require.Equal(t, history[i].Password(), w.read("sm://app?stage=AWSPREVIOUS").Password())
		history = append(history, now)
	}
}

func TestOddNamesAndPasswords(t *testing.T) {
	// But no comma and equals sign, which FerretDB does not decode (RFC 5802, saslname).
	for _, name := range []string{"", `'`, `"`, `\`, `%s`, "@:/", "$x.y", "ü", "用户", "🔑"} {
		w := newWorld(t, name)
		passwords := []string{"x"}
		if name == "" {
			passwords = []string{`'`, `"`, `\`, `%40`, `=,=2C`, "pässwörd", "𠀀", ":/?#[]@"}
		}
		for _, password := range passwords {
			w.rotate(w.single(always(password)))
			w.works(w.user, password)
		}
		w.rotate(w.alternating())
		w.rotate(w.alternating())
	}
}

func TestUsersOfAnotherDatabaseThanTheSuperusers(t *testing.T) {
	w := newWorld(t, "")
	shop := w.admin.Database(strings.ToLower(w.user))
	user := w.user + "s"
	require.NoError(t, shop.RunCommand(t.Context(), bson.D{{Key: "createUser", Value: user}, {Key: "pwd", Value: "first"}, {Key: "roles", Value: bson.A{}}}).Err())
	t.Cleanup(func() {
		for _, u := range []string{user, user + "_clone"} {
			require.NoError(t, shop.RunCommand(context.Background(), bson.D{{Key: "dropUser", Value: u}}).Err())
		}
	})
	w.server.SetSecret("app", strings.Replace(w.secret(user, "first"), `{`, `{"dbname":"`+shop.Name()+`",`, 1))
	w.rotate(w.alternating())
	w.rotate(w.alternating())
	w.rotate(w.single())
	require.Equal(t, user, w.read("sm://app").Username)
}

// SASLprep knows the characters of Unicode 3.2 (RFC 4013), and no later ones.
func TestPasswordThatCannotBeUsedIsNotSet(t *testing.T) {
	w := newWorld(t, "")
	pending := value(w.secret(w.user, "🔑"))
	require.ErrorContains(t, w.single().Set(t.Context(), value(w.secret(w.user, "first")), pending, provider.Value{}), "prohibited character")
	w.works(w.user, "first")
}

func TestSetIsRepeatableAndGoesByThePreviousPassword(t *testing.T) {
	w := newWorld(t, "")
	first, second, third, fourth := value(w.secret(w.user, "first")), value(w.secret(w.user, "second")), value(w.secret(w.user, "third")), value(w.secret(w.user, "fourth"))
	for range 3 {
		require.NoError(t, w.single().Set(t.Context(), first, second, provider.Value{}))
		w.works(w.user, "second")
	}
	require.ErrorContains(t, w.single().Set(t.Context(), third, fourth, first), "refuses the pending, the current and the previous password")
	require.NoError(t, w.single().Set(t.Context(), third, fourth, second))
	w.works(w.user, "fourth")
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, "")
	current := value(w.secret(w.user, "first"))
	password, _ := w.url.User.Password()
	for _, pending := range []string{
		w.secret(w.url.User.Username(), password),
		strings.Replace(w.secret(w.user, "second"), "127.0.0.1", "localhost", 1),
		strings.Replace(w.secret(w.user, "second"), `"mongo"`, `"docdb"`, 1),
	} {
		require.ErrorContains(t, w.single().Set(t.Context(), current, value(pending), provider.Value{}), "the pending version has the")
	}
	err := w.alternating().Set(t.Context(), value(w.secret(w.user, "guessed")), value(w.secret(w.user+"_clone", "second")), provider.Value{})
	require.ErrorContains(t, err, "refuses the current password")
	require.NotContains(t, err.Error(), "guessed")
	w.works(w.user, "first")
}

func TestPort(t *testing.T) {
	for members, want := range map[string]string{`"engine":"mongo"`: "27017", `"engine":"mongodb"`: "27017", `"engine":"mongodb","port":1`: "1"} {
		s, err := secrets.JSON[secrets.DBSecret](value(`{"host":"h","username":"u","password":"p",` + members + `}`))
		require.NoError(t, err)
		o, err := mongotarget.Options(s)
		require.NoError(t, err)
		require.Equal(t, []string{"h:" + want}, o.Hosts)
	}
}

func TestTLSComesFirstAndIsDemandedWhereTheSecretSaysSo(t *testing.T) {
	w := newWorld(t, "")
	for ssl, want := range map[string][]bool{`true`: {true}, `false`: {false}, `null`: {true, false}} {
		var asked []bool
		target := mongotarget.SingleUser(func(s secrets.DBSecret) (*options.ClientOptions, error) {
			asked = append(asked, *s.SSL)
			o, err := mongotarget.Options(s)
			if *s.SSL { // which the server never answers to
				o.SetServerSelectionTimeout(300 * time.Millisecond)
			}
			return o, err
		})
		err := target.Test(t.Context(), value(strings.Replace(w.secret(w.user, "first"), `{`, `{"ssl":`+ssl+`,`, 1)))
		require.Equal(t, want, asked)
		require.Equal(t, ssl == "true", err != nil, "the server has no TLS")
	}
}
