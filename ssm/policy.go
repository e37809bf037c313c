package ssm

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// Policies are the policies of an advanced parameter: ten at most, and one
// Expiration at most (API PutParameter, Policies; guide:
// parameter-store-policies). AWS enforces them by scans, not to the second.
//
// As JSON they are what PutParameter takes: an array with an object for each.
type Policies []Policy

// Policy is an [Expiration], [ExpirationNotification] or [NoChangeNotification].
type Policy interface {
	json.Marshaler
	policy()
}

// Expiration deletes the parameter, with all its versions, at a time. A later
// version does not put it off, unless it comes with policies of its own.
type Expiration struct{ At time.Time }

// ExpirationNotification sends an event to EventBridge some time before the
// Expiration, without which it cannot be: whole hours or days.
type ExpirationNotification struct{ Before time.Duration }

// NoChangeNotification sends an event to EventBridge when the parameter has not
// been written for some time: whole hours or days.
type NoChangeNotification struct{ After time.Duration }

func (Expiration) policy()             {}
func (ExpirationNotification) policy() {}
func (NoChangeNotification) policy()   {}

// AppliedPolicy is a policy that a parameter has.
type AppliedPolicy struct {
	// Policy is nil where this package does not know its type.
	Policy Policy
	// Text is the policy's JSON.
	Text string
	// Status is Pending, InProgress, Finished or Failed (API
	// ParameterInlinePolicy).
	Status string
}

const (
	maxPolicies = 10 // API PoliciesLimitExceededException

	expirationType   = "Expiration"
	notificationType = "ExpirationNotification"
	noChangeType     = "NoChangeNotification"
)

// policyJSON is a policy on the wire. All attributes are strings.
type policyJSON struct {
	Type       string
	Version    string
	Attributes any
}

// MarshalJSON implements json.Marshaler. The time is in UTC, to the millisecond.
func (p Expiration) MarshalJSON() ([]byte, error) {
	// ISO_INSTANT, as in the guide. It has four digits for the year.
	if y := p.At.UTC().Year(); p.At.IsZero() || y < 1 || y > 9999 {
		return nil, errors.New("an Expiration needs a time, of the years 1 to 9999")
	}
	return json.Marshal(policyJSON{expirationType, "1.0", struct{ Timestamp string }{p.At.UTC().Format("2006-01-02T15:04:05.000Z")}})
}

// MarshalJSON implements json.Marshaler.
func (p ExpirationNotification) MarshalJSON() ([]byte, error) {
	n, unit, err := span(notificationType, p.Before)
	if err != nil {
		return nil, err
	}
	return json.Marshal(policyJSON{notificationType, "1.0", struct{ Before, Unit string }{n, unit}})
}

// MarshalJSON implements json.Marshaler.
func (p NoChangeNotification) MarshalJSON() ([]byte, error) {
	n, unit, err := span(noChangeType, p.After)
	if err != nil {
		return nil, err
	}
	return json.Marshal(policyJSON{noChangeType, "1.0", struct{ After, Unit string }{n, unit}})
}

const day = 24 * time.Hour

// span writes a duration as a number of days or, failing that, of hours.
func span(policy string, d time.Duration) (n, unit string, err error) {
	switch {
	case d < time.Hour || d%time.Hour != 0:
		return "", "", fmt.Errorf("a %s has a whole number of hours, at least one, and not %v", policy, d)
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10), "Days", nil
	}
	return strconv.FormatInt(int64(d/time.Hour), 10), "Hours", nil
}

// text is the policies as PutParameter takes them. An empty policy removes all
// (guide: parameter-store-policies).
func (p Policies) text() (string, error) {
	if len(p) == 0 {
		return "[{}]", nil
	}
	if err := p.check(); err != nil {
		return "", err
	}
	parts := make([]string, len(p))
	for i := range p {
		part, err := p[i].MarshalJSON()
		if err != nil {
			return "", err
		}
		parts[i] = string(part)
	}
	return "[" + strings.Join(parts, ",") + "]", nil
}

func (p Policies) check() error {
	if len(p) > maxPolicies {
		return fmt.Errorf("there are %d policies: a parameter has %d at most", len(p), maxPolicies)
	}
	expirations, notifications := 0, 0
	for _, policy := range p {
		switch policy.(type) {
		case Expiration:
			expirations++
		case ExpirationNotification:
			notifications++
		case NoChangeNotification:
		default:
			return fmt.Errorf("a policy is %T: want an Expiration, an ExpirationNotification or a NoChangeNotification", policy)
		}
	}
	switch {
	case expirations > 1:
		return errors.New("there is more than one Expiration: a parameter has one at most")
	case notifications > 0 && expirations == 0:
		return errors.New("an ExpirationNotification needs an Expiration beside it")
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler: it reads what PutParameter takes.
func (p *Policies) UnmarshalJSON(text []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	read := make(Policies, 0, len(list))
	for _, element := range list {
		if len(list) == 1 && string(element) == "{}" {
			break
		}
		policy, err := readPolicy(element)
		if err != nil {
			return err
		}
		read = append(read, policy)
	}
	*p = read
	return nil
}

func appliedPolicies(list []types.ParameterInlinePolicy) []AppliedPolicy {
	var applied []AppliedPolicy
	for _, p := range list {
		a := AppliedPolicy{Text: aws.ToString(p.PolicyText), Status: aws.ToString(p.PolicyStatus)}
		if policy, err := readPolicy([]byte(a.Text)); err == nil {
			a.Policy = policy
		}
		applied = append(applied, a)
	}
	return applied
}

// readPolicy reads a policy as AWS gives it back, which is as it was written:
// by any tool, with a number instead of a string, say.
func readPolicy(text []byte) (Policy, error) {
	var p struct {
		Type       string
		Version    string
		Attributes struct {
			Timestamp, Unit string
			Before, After   number
		}
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, err
	}
	if p.Version != "1.0" {
		return nil, fmt.Errorf("a policy has the version %q, not 1.0", p.Version)
	}
	a := p.Attributes
	switch p.Type {
	case expirationType:
		at, err := readTimestamp(a.Timestamp)
		return Expiration{at}, err
	case notificationType:
		d, err := readSpan(string(a.Before), a.Unit)
		return ExpirationNotification{d}, err
	case noChangeType:
		d, err := readSpan(string(a.After), a.Unit)
		return NoChangeNotification{d}, err
	}
	return nil, fmt.Errorf("a policy has the type %q, which is not known here", p.Type)
}

// number is a number or a string of one.
type number string

func (n *number) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) != nil {
		s = string(text)
	}
	*n = number(s)
	return nil
}

func readSpan(n, unit string) (time.Duration, error) {
	of := time.Hour
	switch strings.ToLower(unit) {
	case "hours":
	case "days":
		of = day
	default:
		return 0, fmt.Errorf("a policy has the unit %q: want Days or Hours", unit)
	}
	count, err := strconv.ParseInt(n, 10, 64)
	if err != nil || count < 1 || count > math.MaxInt64/int64(of) {
		return 0, fmt.Errorf("a policy has %q %s: want a whole number from 1", n, unit)
	}
	return time.Duration(count) * of, nil
}

// timestamps are what the guide takes: ISO_INSTANT, and ISO_OFFSET_DATE_TIME
// whose offset may have seconds and whose time may lack them. A fraction of a
// second goes with each.
var timestamps = []string{time.RFC3339, "2006-01-02T15:04:05Z07:00:00", "2006-01-02T15:04Z07:00"}

func readTimestamp(s string) (time.Time, error) {
	for _, layout := range timestamps {
		at, err := time.Parse(layout, s)
		if err == nil && at.UTC().Year() >= 1 && at.UTC().Year() <= 9999 && !at.IsZero() {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("an Expiration has the time %q: want one such as 2018-12-02T21:34:33.000Z", s)
}
