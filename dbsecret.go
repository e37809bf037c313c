package secrets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"github.com/c0629bfc/secrets/provider"
)

// DBSecret is a database secret as AWS documents it (Secrets Manager user guide,
// "JSON structure of AWS Secrets Manager secrets"): of RDS, Aurora, Redshift and
// DocumentDB. JSON[DBSecret] decodes it.
//
// The secret must have a username and a password; one that RDS or Redshift
// manages itself has nothing else. Names of members are case-sensitive, as the
// guide says; members beyond those below are kept, see [DBSecret.Field].
//
// Printing a DBSecret in any way prints a redaction. A printer that ignores
// methods shows its fields, and nothing of the password.
type DBSecret struct {
	Engine   string // "postgres", "mysql", "mariadb", "sqlserver", "oracle", "db2", "mongo", "redshift"
	Host     string // DNS name or address, without the port
	Port     int    // a number or a string in the JSON; where absent the engine's own, 0 if that is unknown
	Username string
	DBName   string

	// SSL is whether connections must be encrypted; in the JSON true, false or
	// one of these as a string. Nil, where the secret does not say, means by
	// the guide for DocumentDB not to, and to AWS's rotation functions to try.
	SSL *bool

	InstanceID string // dbInstanceIdentifier
	ClusterID  string // dbClusterIdentifier
	MasterARN  string // masterarn: the secret of the user that may set this one's password

	password Value
	members  Value // the JSON object as it was decoded
}

// Password returns the password.
func (s DBSecret) Password() string { return s.password.Text() }

// Addr returns the host and port as [net.Dial] takes them.
func (s DBSecret) Addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Field returns any member of the JSON that was decoded: the text of a string,
// else the JSON as it is written. It is empty where there is no such member.
func (s DBSecret) Field(name string) string {
	raw := s.object()[name]
	if text, err := memberText(raw); err == nil {
		return text
	}
	return string(raw)
}

// With returns the secret with another username and password, and all else as
// it was: what a rotation connects with and then stores, see [DBSecret.JSON].
func (s DBSecret) With(username, password string) DBSecret {
	s.Username, s.password = username, hide(password)
	return s
}

// JSON returns the secret as it is stored: what was decoded, with every member
// that no field stands for, and with the fields that were changed since. A
// default port is not written. The error is of a secret that could not be
// decoded again: no username or password, a port that is none, not UTF-8.
func (s DBSecret) JSON() (string, error) {
	members := s.object()
	was, _ := decodeMembers(members) // zero, for one that was not decoded
	for _, m := range []struct {
		name     string
		old, new any
	}{
		{"engine", was.Engine, s.Engine}, {"host", was.Host, s.Host}, {"port", was.Port, s.Port},
		{"username", was.Username, s.Username}, {"password", was.Password(), s.Password()},
		{"dbname", was.DBName, s.DBName}, {"ssl", sslOf(was.SSL), sslOf(s.SSL)},
		{"dbInstanceIdentifier", was.InstanceID, s.InstanceID}, {"dbClusterIdentifier", was.ClusterID, s.ClusterID},
		{"masterarn", was.MasterARN, s.MasterARN},
	} {
		switch {
		case m.old == m.new:
		case m.new == "" || m.new == 0 || m.new == nil:
			delete(members, m.name)
		default:
			members[m.name] = marshalMember(m.new)
		}
	}
	var again DBSecret
	text := marshalMember(members)
	if err := again.UnmarshalJSON(text); err != nil {
		return "", fmt.Errorf("secrets: the database secret cannot be stored: %w", err)
	}
	if again.Username != s.Username || again.Password() != s.Password() {
		return "", fmt.Errorf("secrets: the database secret cannot be stored: username or password is not UTF-8")
	}
	return string(text), nil
}

// UnmarshalJSON implements [json.Unmarshaler]. Its errors hold nothing of the
// secret.
func (s *DBSecret) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return decodeHint("a database secret is a JSON object with username and password")
	}
	decoded, err := decodeMembers(members)
	if err != nil {
		return err
	}
	decoded.members = hide(string(data))
	*s = decoded
	return nil
}

// String returns a redaction.
func (s DBSecret) String() string { return Value{}.String() }

// GoString returns a redaction.
func (s DBSecret) GoString() string { return Value{}.GoString() }

// Format implements [fmt.Formatter]: every verb prints a redaction.
func (s DBSecret) Format(f fmt.State, verb rune) { Value{}.Format(f, verb) }

// LogValue implements [slog.LogValuer] with a redaction.
func (s DBSecret) LogValue() slog.Value { return Value{}.LogValue() }

// MarshalJSON implements [json.Marshaler] with a redaction; [DBSecret.JSON] is
// the secret.
func (s DBSecret) MarshalJSON() ([]byte, error) { return Value{}.MarshalJSON() }

// MarshalText implements [encoding.TextMarshaler] with a redaction.
func (s DBSecret) MarshalText() ([]byte, error) { return Value{}.MarshalText() }

// hide keeps a text where no printer finds it.
func hide(text string) Value {
	return provider.NewValue(provider.Ref{}, provider.Version{}, provider.SecretString, text)
}

// object returns the members that were decoded; none, if s was not decoded.
func (s DBSecret) object() map[string]json.RawMessage {
	members := make(map[string]json.RawMessage)
	if text := s.members.Text(); text != "" {
		_ = json.Unmarshal([]byte(text), &members) // it was an object before
	}
	return members
}

func decodeMembers(members map[string]json.RawMessage) (s DBSecret, err error) {
	var password string
	for _, m := range []struct {
		name string
		to   *string
	}{
		{"engine", &s.Engine}, {"host", &s.Host}, {"username", &s.Username}, {"password", &password}, {"dbname", &s.DBName},
		{"dbInstanceIdentifier", &s.InstanceID}, {"dbClusterIdentifier", &s.ClusterID}, {"masterarn", &s.MasterARN},
	} {
		if *m.to, err = memberText(members[m.name]); err != nil {
			return DBSecret{}, decodeHint(fmt.Sprintf("%q of the database secret is not a string", m.name))
		}
	}
	if s.Username == "" {
		return DBSecret{}, decodeHint(`the database secret has no "username"`)
	}
	if password == "" {
		return DBSecret{}, decodeHint(`the database secret has no "password"`)
	}
	s.password = hide(password)
	if s.Port, err = memberPort(members["port"], s.Engine); err != nil {
		return DBSecret{}, err
	}
	if s.SSL, err = memberSSL(members["ssl"]); err != nil {
		return DBSecret{}, err
	}
	return s, nil
}

// memberText returns the text of a JSON string; of null and of a member that is
// not there it is empty.
func memberText(raw json.RawMessage) (text string, err error) {
	if len(raw) > 0 {
		err = json.Unmarshal(raw, &text)
	}
	return text, err
}

func memberPort(raw json.RawMessage, engine string) (int, error) {
	text, err := memberText(raw)
	if err != nil {
		text = string(raw)
	}
	if text = strings.TrimSpace(text); text == "" {
		return defaultPort(engine), nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, decodeHint(`"port" of the database secret is not a number from 1 to 65535`)
	}
	return port, nil
}

// defaultPort returns the port of an engine, by its name in the secret or in
// RDS (API CreateDBInstance, parameter Engine), such as aurora-postgresql. For
// db2 the guide gives MySQL's; it is left out here.
func defaultPort(engine string) int {
	engine = strings.TrimPrefix(strings.ToLower(engine), "aurora-")
	engine = strings.TrimPrefix(engine, "custom-")
	engine, _, _ = strings.Cut(engine, "-") // sqlserver-se, oracle-ee
	switch engine {
	case "postgres", "postgresql":
		return 5432
	case "mysql", "mariadb", "aurora":
		return 3306
	case "sqlserver":
		return 1433
	case "oracle":
		return 1521
	case "mongo", "mongodb", "docdb", "documentdb":
		return 27017
	case "redshift":
		return 5439
	}
	return 0
}

func memberSSL(raw json.RawMessage) (*bool, error) {
	text, err := memberText(raw)
	if err != nil {
		text = string(raw)
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "":
		return nil, nil
	case "true":
		return new(true), nil
	case "false":
		return new(false), nil
	}
	return nil, decodeHint(`"ssl" of the database secret is neither true nor false`)
}

// sslOf is what is in the pointer, or nil.
func sslOf(b *bool) any {
	if b == nil {
		return nil
	}
	return *b
}

func marshalMember(x any) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(x) // strings, numbers, bools and JSON always encode
	return bytes.TrimSpace(b.Bytes())
}
