package secretstest

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// SetSecret creates the secret in the server's default region and account, or
// adds a version that becomes AWSCURRENT, and returns the version's ID. It
// bypasses the wire: it is not counted, and faults do not reach it. A secret
// scheduled for deletion is replaced by a new one.
//
// It panics when the name is invalid or that of a replica, the value is empty or
// larger than 65,536 bytes, or 100 versions were made within a day. The panic does
// not show the value.
func (s *Server) SetSecret(name, text string) (versionID string) {
	return s.setSecret(name, secretValue{text: &text}, "")
}

// SetSecretBinary is [Server.SetSecret] for binary data, which it copies.
func (s *Server) SetSecretBinary(name string, data []byte) (versionID string) {
	return s.setSecret(name, secretValue{binary: append([]byte{}, data...)}, "")
}

// SetManagedSecret is [Server.SetSecret] for a secret that another service of
// AWS owns, such as "rds": its OwningService is set. Callers of the API cannot
// change its value or delete it; they can rotate it, by the
// function that [Server.HandleRotation] has under the service's name.
func (s *Server) SetManagedSecret(service, name, text string) (versionID string) {
	return s.setSecret(name, secretValue{text: &text}, service)
}

// setSecret leaves the owner as it is where none is given.
func (s *Server) setSecret(name string, value secretValue, owner string) string {
	mustSeed(name, checkSecretName(name))
	mustSeed(name, value.check())
	if !value.given() {
		mustSeed(name, errNoValue)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.at(s.home())
	sec := st.secrets[name]
	if sec == nil || !sec.deleted.IsZero() {
		delete(st.deleting, name)
		sec = s.newSecret(s.home(), name)
	}
	if sec.primary != nil {
		mustSeed(name, errReplica)
	}
	v, err := sec.addVersion(s.now(), newUUID(), value, stageCurrent)
	mustSeed(name, err)
	sec.owner = cmp.Or(owner, sec.owner)
	c := &call{Server: s, operation: "PutSecretValue", place: s.home()}
	c.secretWritten(name, &secretVersionRef{ARN: sec.arn, Name: sec.name, VersionId: v.id})
	return v.id
}

// SetParameter creates a String parameter in the server's default region and
// account, or adds a version, and returns the version's number. It bypasses
// the wire: it is not counted, and faults do not reach it. Unlike PutParameter
// it may change the parameter's type, and a value above 4 KB takes the
// advanced tier.
//
// It panics when the name is invalid, the value is empty, larger than 8 KB or
// has "{{" in it, a label protects the oldest of 100 versions, or there are as many
// parameters as [WithParameterLimits] allows. The panic does not show the value.
func (s *Server) SetParameter(name, value string) (version int64) {
	return s.setParameter(name, value, typeString)
}

// SetSecureParameter is [Server.SetParameter] for a SecureString.
func (s *Server) SetSecureParameter(name, value string) (version int64) {
	return s.setParameter(name, value, typeSecureString)
}

func (s *Server) setParameter(name, value, kind string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.at(s.home())
	c := &call{Server: s, operation: "PutParameter", place: s.home(), store: st, time: s.now()}
	in := &putParameterInput{parameterName: parameterName{name}, Overwrite: true, Tier: tierIntelligent, Type: kind, Value: &value, retype: true}
	out, err := putParameter(c, in)
	mustSeed(name, err)
	return out.(*putParameterOutput).Version
}

// SetPublicParameter sets a public parameter, as AWS publishes them under
// /aws/service/. It exists in every region and belongs to no account. A few
// are there from the start: the latest Amazon Linux image and the long names of
// some regions. It panics when the name does not begin with /aws/service/.
func (s *Server) SetPublicParameter(name, value string) (version int64) {
	if !strings.HasPrefix(name, publicPrefix) || !parameterNamePattern.MatchString(name) {
		panic(fmt.Sprintf("secretstest: public parameter %q does not begin with %s", name, publicPrefix))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setPublic(name, value, s.now())
}

func (s *Server) setPublic(name, value string, now time.Time) int64 {
	p := s.public[name]
	if p == nil {
		p = &parameter{name: name}
		s.public[name] = p
	}
	v := &parameterVersion{number: 1, kind: typeString, value: value, dataType: dataTypeText, tier: tierStandard, modified: now}
	if imagePattern.MatchString(value) {
		v.dataType = dataTypeImage
	}
	if len(p.versions) > 0 {
		v.number = p.latest().number + 1
		if err := p.makeRoom(); err != nil {
			mustSeed(name, err)
		}
	}
	p.versions = append(p.versions, v)
	return v.number
}

func (s *Server) seedPublicParameters() {
	now := time.Now()
	for name, value := range map[string]string{
		"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64": "ami-0123456789abcdef0",
		"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64":  "ami-0fedcba9876543210",
		"/aws/service/global-infrastructure/regions/us-east-1/longName":         "US East (N. Virginia)",
		"/aws/service/global-infrastructure/regions/us-west-2/longName":         "US West (Oregon)",
		"/aws/service/global-infrastructure/regions/eu-central-1/longName":      "Europe (Frankfurt)",
	} {
		s.setPublic(name, value, now)
	}
}

// mustSeed panics for an error of a seeding function. Errors of this package
// have no value in them.
func mustSeed(name string, err error) {
	if err != nil {
		panic(fmt.Sprintf("secretstest: cannot set %q: %v", name, err))
	}
}
