package secretstest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Staging labels that Secrets Manager moves by itself.
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
	stagePending  = "AWSPENDING"
)

var ownStages = []string{stageCurrent, stagePrevious, stagePending}

const (
	// PutSecretValue: "Secrets Manager keeps 100 of the most recent versions,
	// but it keeps all secret versions created in the last 24 hours."
	maxSecretVersions = 100
	keepVersionsFor   = 24 * time.Hour

	maxSecretSize = 65_536 // bytes, of text or binary
	maxStages     = 20     // labels on a version, and on all of a secret (user guide, "Secrets Manager quotas")
	maxStageName  = 256
)

// A secret is guarded by Server.mu, as all that it points to.
type secret struct {
	*sharedSecret
	arn      string
	kmsKeyID string // empty: the key aws/secretsmanager
	created  time.Time
	accessed time.Time  // zero: never
	deleted  time.Time  // when the recovery window ends; zero: not scheduled
	rotation *rotation  // nil: never configured
	primary  *secret    // of a replica
	replicas []*replica // of a primary, in order of region
}

// A sharedSecret is what a replica has in common with its primary: all but the
// ARN, the KMS key and the dates of the region.
type sharedSecret struct {
	name        string
	description string
	kind        string // Type, of a managed external secret
	owner       string // OwningService
	policy      string // empty: none
	tags        []tag
	tagged      bool // tags were set once: DescribeSecret then answers [] instead of nothing
	changed     time.Time
	versions    []*secretVersion
}

type secretVersion struct {
	id       string
	value    secretValue // none yet in a rotation that has just begun
	kmsKeyID string      // that it is encrypted with; empty: aws/secretsmanager
	stages   []string    // sorted; empty: deprecated
	created  time.Time
	accessed time.Time // zero: never
}

// A secretValue has text or binary data.
type secretValue struct {
	text   *string
	binary []byte
}

func (v secretValue) given() bool {
	return v.text != nil && *v.text != "" || len(v.binary) > 0
}

func (v secretValue) equal(w secretValue) bool {
	if v.text == nil || w.text == nil {
		return v.text == nil && w.text == nil && bytes.Equal(v.binary, w.binary)
	}
	return *v.text == *w.text
}

// check holds a value against the limits. An empty one counts as not given.
func (v secretValue) check() error {
	if v.text != nil && v.binary != nil {
		return fail("InvalidParameterException", "You can't specify both a binary secret value and a string secret value in the same secret.")
	}
	if v.text != nil {
		return checkLength("secretString", len(*v.text), 0, maxSecretSize)
	}
	return checkLength("secretBinary", len(v.binary), 0, maxSecretSize)
}

func (sec *secret) version(id string) *secretVersion {
	for _, v := range sec.versions {
		if v.id == id {
			return v
		}
	}
	return nil
}

func (sec *secret) labelled(stage string) *secretVersion {
	for _, v := range sec.versions {
		if slices.Contains(v.stages, stage) {
			return v
		}
	}
	return nil
}

// label puts a staging label on v and takes it from the version that has it.
// When AWSCURRENT moves, AWSPREVIOUS follows to the version that it leaves,
// and that version loses AWSPENDING, as recorded from AWS.
func (sec *secret) label(v *secretVersion, stage string) {
	holder := sec.labelled(stage)
	if holder == v {
		return
	}
	if holder != nil {
		holder.unlabel(stage)
	}
	v.stages = append(v.stages, stage)
	slices.Sort(v.stages)
	if stage == stageCurrent && holder != nil {
		holder.unlabel(stagePending)
		sec.label(holder, stagePrevious)
	}
}

// checkStages holds labels that are to be attached to v against the quota of 20
// on a version, and of 20 attached to all versions. AWS does not say whether its
// own labels count among the latter: here they do not.
func (sec *secret) checkStages(v *secretVersion, stages ...string) error {
	onVersion := len(v.stages)
	onAll, added := 0, 0
	for _, other := range sec.versions {
		for _, stage := range other.stages {
			if !slices.Contains(ownStages, stage) {
				onAll++
			}
		}
	}
	for i, stage := range stages {
		if slices.Index(stages, stage) < i || slices.Contains(v.stages, stage) {
			continue
		}
		onVersion++
		if sec.labelled(stage) == nil && !slices.Contains(ownStages, stage) {
			added++
		}
	}
	if onVersion > maxStages || added > 0 && onAll+added > maxStages {
		return fail("LimitExceededException", "You have reached the maximum of %d staging labels attached to the versions of this secret.", maxStages)
	}
	return nil
}

func (v *secretVersion) unlabel(stage string) {
	v.stages = slices.DeleteFunc(v.stages, func(s string) bool { return s == stage })
}

// addVersion stores a value under a new version ID, or finds it already done:
// the same token with the same value is idempotent, with another value it is
// refused. A secret's first version gets AWSCURRENT whatever stages say.
func (sec *secret) addVersion(now time.Time, id string, value secretValue, stages ...string) (*secretVersion, error) {
	if v := sec.version(id); v != nil {
		if v.value.equal(value) {
			return v, nil
		}
		if !v.value.given() {
			if err := sec.checkStages(v, stages...); err != nil {
				return nil, err
			}
			v.value = value // of a rotation, which made the version
			for _, stage := range stages {
				sec.label(v, stage)
			}
			sec.changed = now
			sec.wrote(v, now)
			return v, nil
		}
		return nil, errTokenInUse(id, sec)
	}
	if len(sec.versions) == 0 && !slices.Contains(stages, stageCurrent) {
		stages = append([]string{stageCurrent}, stages...)
	}
	v := &secretVersion{id: id, value: value, kmsKeyID: sec.kmsKeyID, created: now}
	if err := sec.checkStages(v, stages...); err != nil {
		return nil, err
	}
	if err := sec.makeRoom(now); err != nil {
		return nil, err
	}
	sec.versions = append(sec.versions, v)
	for _, stage := range stages {
		sec.label(v, stage)
	}
	sec.changed = now
	sec.wrote(v, now)
	return v, nil
}

func errTokenInUse(token string, sec *secret) error {
	return fail("ResourceExistsException", "You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", token, sec.arn)
}

// makeRoom removes the oldest deprecated version when there are 100. A version
// of the last 24 hours is never removed.
func (sec *secret) makeRoom(now time.Time) error {
	if len(sec.versions) < maxSecretVersions {
		return nil
	}
	i := slices.IndexFunc(sec.versions, func(v *secretVersion) bool {
		return len(v.stages) == 0 && now.Sub(v.created) >= keepVersionsFor
	})
	if i < 0 {
		return fail("LimitExceededException", "You have reached the maximum of %d versions of this secret.", maxSecretVersions)
	}
	sec.versions = slices.Delete(sec.versions, i, i+1)
	return nil
}

var secretNamePattern = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]+$`)

// checkSecretName holds a secret's name against CreateSecret's rules.
func checkSecretName(name string) error {
	if err := checkLength("name", len(name), 1, 512); err != nil {
		return err
	}
	if !secretNamePattern.MatchString(name) {
		return errSecretName
	}
	return nil
}

// checkSecretID is checkSecretName for an identifier that may be an ARN.
func checkSecretID(id string) error {
	if id == "" {
		return invalid("secretId", "Member must not be null or empty")
	}
	if len(id) > 2048 {
		return checkLength("secretId", len(id), 1, 2048)
	}
	if _, ok := parseARN(id); !ok && !secretNamePattern.MatchString(id) {
		return errSecretName
	}
	return nil
}

var (
	errSecretName       = fail("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	errSecretNotFound   = fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	errMarkedForDeleted = fail("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
)

// newSecret adds a secret to the store of a place. s.mu is held.
func (s *Server) newSecret(at place, name string) *secret {
	now := s.now()
	sec := &secret{sharedSecret: &sharedSecret{name: name, changed: now}, arn: secretARN(at, name), created: now}
	s.at(at).secrets[name] = sec
	return sec
}

// secretARN makes the ARN of a new secret: the name, a hyphen and six random
// characters, so that a secret created again under its name has another ARN.
func secretARN(at place, name string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	suffix := make([]byte, 6)
	_, _ = rand.Read(suffix)
	for i, b := range suffix {
		suffix[i] = alphabet[int(b)%len(alphabet)]
	}
	return fmt.Sprintf("arn:%s:secretsmanager:%s:%s:secret:%s-%s", partition(at.region), at.region, at.account, name, suffix)
}

var suffixPattern = regexp.MustCompile(`^(.+)-[A-Za-z0-9]{6}$`)

// cutSuffix removes the six random characters of an ARN.
func cutSuffix(resource string) (name string, ok bool) {
	m := suffixPattern.FindStringSubmatch(resource)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// lookSecret finds a secret by name, by ARN, or by the ARN without the random
// suffix; nil when there is none. It finds those scheduled for deletion too.
//
// An ARN whose resource ends in a hyphen and six characters is taken as
// complete, as AWS documents under "Finding a secret from a partial ARN": the
// partial ARN of a secret named "db-AbCdEf" finds nothing.
func (s *Server) lookSecret(at place, id string) *secret {
	a, ok := parseARN(id)
	if !ok {
		return s.at(at).secrets[id]
	}
	resource, ok := strings.CutPrefix(a.resource, "secret:")
	if !ok || a.service != "secretsmanager" || a.place.region != at.region {
		return nil
	}
	st := s.stores[a.place] // not made for an account that only a request names
	if st == nil {
		return nil
	}
	s.expire(st)
	if name, ok := cutSuffix(resource); ok {
		if sec := st.secrets[name]; sec != nil && sec.arn == id {
			return sec
		}
		return nil
	}
	return st.secrets[resource]
}

// secret finds a secret for an operation; live refuses one that is scheduled
// for deletion.
func (c *call) secret(id string, live bool) (*secret, error) {
	if err := checkSecretID(id); err != nil {
		return nil, err
	}
	sec := c.lookSecret(c.place, id)
	switch {
	case sec == nil:
		return nil, errSecretNotFound
	case live && !sec.deleted.IsZero():
		return nil, errMarkedForDeleted
	}
	return sec, nil
}

// primarySecret finds a secret to change: one that is neither scheduled for
// deletion nor a replica.
func (c *call) primarySecret(id string) (*secret, error) {
	sec, err := c.secret(id, true)
	if err == nil && sec.primary != nil {
		return nil, errReplica
	}
	return sec, err
}

// valueSecret finds a secret whose value or labels are to change: one that no
// other service manages, unless that service is rotating it and the version is
// the new one.
func (c *call) valueSecret(id, version string) (*secret, error) {
	sec, err := c.primarySecret(id)
	if err == nil && sec.owner != "" {
		if rot := sec.rotation; rot == nil || rot.run == nil || !rot.run.running || rot.run.token != version {
			return nil, errManaged
		}
	}
	return sec, err
}

// errManaged is the third cause of InvalidRequestException (types of the
// API); AWS does not document its message.
var errManaged = fail("InvalidRequestException", "You can't perform this operation on the secret because it is managed by another service. You must use that service to update it.")

// A secretID is the input member of the operations on one secret.
type secretID struct{ SecretId string }

func (id secretID) ids() []string { return []string{id.SecretId} }
