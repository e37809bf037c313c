package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/c0629bfc/secrets/provider"
)

// ErrNotEvent is the error of [Refs] for a message that is no EventBridge event.
var ErrNotEvent = errors.New("not an EventBridge event")

// Home is the account and the Region in which refs without an ARN or a Region
// are read. An empty Account or Region stands for every one.
type Home struct {
	Account string // twelve digits
	Region  string
}

// Refs returns the refs of the value that a message says has changed, in all
// spellings a program may use, for [secrets.Client.Changed]: by ARN and, where
// the event is of the home account, by name. It is what a [Listener] does with a
// message, for those that come by other ways: a Lambda function, an API
// destination.
//
// The message is an EventBridge event or an SNS notification of one. Understood
// are
//
//   - of aws.ssm, Parameter Store Change and the Expiration of Parameter Store
//     Policy Action (user guide, "Monitoring Parameter Store events");
//   - of aws.secretsmanager, the calls and service events that write a secret,
//     its labels, its rotation or its resource policy, via CloudTrail (user
//     guide, "Match Secrets Manager events with EventBridge"), wherever they have
//     the ARN.
//
// Of any other event, of calls that failed and of notices there are no refs and
// no error. What is no event gives an error that wraps [ErrNotEvent] and shows
// nothing of the message.
func Refs(message []byte, home Home) ([]string, error) {
	e, err := parse(message)
	if err != nil {
		return nil, err
	}
	return e.refs(home), nil
}

// event is an EventBridge event, or what SNS wraps it in.
type event struct {
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Account    string          `json:"account"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`

	// Of SNS (developer guide, "Amazon SNS message formats").
	Type     string `json:"Type"`
	TopicArn string `json:"TopicArn"`
	Message  string `json:"Message"`
}

func parse(message []byte) (*event, error) {
	e, err := decode(message)
	if err == nil && e.TopicArn != "" {
		switch e.Type {
		case "Notification":
		case "SubscriptionConfirmation":
			return nil, fmt.Errorf("%w: SNS asks to confirm a subscription, as it does for a topic in another account", ErrNotEvent)
		default:
			return nil, fmt.Errorf("%w: SNS's, but no notification", ErrNotEvent)
		}
		e, err = decode([]byte(e.Message))
	}
	if err == nil && (e.Source == "" || e.DetailType == "" || e.Detail == nil) {
		err = fmt.Errorf("%w: it lacks source, detail-type or detail", ErrNotEvent)
	}
	return e, err
}

// decode decodes JSON. The errors of encoding/json quote their input, so they
// are not wrapped.
func decode(message []byte) (*event, error) {
	e := new(event)
	if json.Unmarshal(message, e) != nil {
		return nil, fmt.Errorf("%w: not the JSON of one", ErrNotEvent)
	}
	return e, nil
}

// refs returns the refs that the event concerns.
func (e *event) refs(home Home) []string {
	switch e.Source + "/" + e.DetailType {
	case "aws.ssm/Parameter Store Change":
		var detail struct {
			Name string `json:"name"`
		}
		_ = json.Unmarshal(e.Detail, &detail)
		return e.parameter(detail.Name, home)
	case "aws.ssm/Parameter Store Policy Action":
		var detail struct {
			Name string `json:"parameter-name"`
			Type string `json:"policy-type"`
		}
		_ = json.Unmarshal(e.Detail, &detail)
		if detail.Type != expiration {
			return nil
		}
		return e.parameter(detail.Name, home)
	case "aws.secretsmanager/" + apiCall, "aws.secretsmanager/" + serviceEvent:
		return e.secret(home)
	}
	return nil
}

// The names of events. Those of Secrets Manager are the writes among its
// CloudTrail entries that can change what a ref reads, who may read it, or when
// it is rotated.
const (
	apiCall      = "AWS API Call via CloudTrail"
	serviceEvent = "AWS Service Event via CloudTrail"
	expiration   = "Expiration" // the policy that deletes a parameter
)

var (
	apiCalls = []string{"CancelRotateSecret", "CreateSecret", "DeleteResourcePolicy", "DeleteSecret", "PutResourcePolicy", "PutSecretValue",
		"RestoreSecret", "RotateSecret", "UpdateSecret", "UpdateSecretVersionStage"}
	serviceEvents = []string{"RotationAbandoned", "RotationFailed", "RotationStarted", "RotationSucceeded"}
)

var names = func() map[string]bool {
	m := make(map[string]bool)
	for _, name := range append(append([]string(nil), apiCalls...), serviceEvents...) {
		m[name] = true
	}
	return m
}()

// secret returns the refs of the secret that a CloudTrail entry is about. Where
// the ARN is differs: in the response under arn or aRN (encoding/json tells no
// case), of service events in the additional data, and the request has what the
// caller wrote.
func (e *event) secret(home Home) []string {
	var detail struct {
		EventName  string          `json:"eventName"`
		ErrorCode  string          `json:"errorCode"`
		Request    json.RawMessage `json:"requestParameters"`
		Response   json.RawMessage `json:"responseElements"`
		Additional json.RawMessage `json:"additionalEventData"`
	}
	if json.Unmarshal(e.Detail, &detail) != nil || detail.ErrorCode != "" || !names[detail.EventName] {
		return nil
	}
	for i, part := range []json.RawMessage{detail.Response, detail.Additional, detail.Request} {
		var id struct {
			ARN      string `json:"arn"`
			SecretID string `json:"secretId"`
			Name     string `json:"name"`
		}
		_ = json.Unmarshal(part, &id) // one that is null or of another form has none
		for _, s := range []string{id.ARN, id.SecretID, id.Name} {
			if s != "" {
				return e.spellSecret(s, i < 2, home)
			}
		}
	}
	return nil
}

// spellSecret returns the refs of a secret by its name or its ARN: the whole one,
// or what a caller wrote, which may be without the suffix.
func (e *event) spellSecret(id string, whole bool, home Home) []string {
	name, account, region := id, e.Account, e.Region
	arn, byARN := parseARN(id)
	if byARN {
		if arn.service != "secretsmanager" {
			return nil
		}
		account, region = arn.account, arn.region
		name = strings.TrimPrefix(arn.resource, "secret:")
	} else {
		id = fmt.Sprintf("arn:%s:secretsmanager:%s:%s:secret:%s", partition(region), region, account, name)
	}
	refs := []string{provider.Ref{Scheme: "sm", Name: id}.String()}
	candidates := []string{name}
	if i := len(name) - len("-AbCdEf"); byARN && i > 0 && name[i] == '-' {
		if candidates[0] = name[:i]; !whole {
			candidates = append(candidates, name)
		}
	}
	for _, name := range candidates {
		refs = append(refs, spellings(provider.Ref{Scheme: "sm", Name: name}, account, region, home)...)
		refs = append(refs, spellings(provider.Ref{Scheme: "ssm", Name: reference + name}, account, region, home)...)
	}
	return refs
}

// reference is where Parameter Store shows secrets (user guide, "Referencing
// AWS Secrets Manager secrets from Parameter Store parameters").
const reference = "/aws/reference/secretsmanager/"

// parameter returns the refs of a parameter.
func (e *event) parameter(name string, home Home) []string {
	if name == "" {
		return nil
	}
	p := partition(e.Region)
	for _, s := range e.Resources { // the parameter's ARN, which knows better
		if arn, ok := parseARN(s); ok && arn.service == "ssm" {
			p = arn.partition
		}
	}
	arn := fmt.Sprintf("arn:%s:ssm:%s:%s:parameter/%s", p, e.Region, e.Account, strings.TrimPrefix(name, "/"))
	refs := []string{provider.Ref{Scheme: "ssm", Name: arn}.String()}
	return append(refs, spellings(provider.Ref{Scheme: "ssm", Name: name}, e.Account, e.Region, home)...)
}

// spellings returns the refs by which a program at home may name what is in an
// account and a Region by name.
func spellings(r provider.Ref, account, region string, home Home) []string {
	if home.Account != "" && account != home.Account {
		return nil
	}
	var refs []string
	if home.Region == "" || region == home.Region {
		refs = append(refs, r.String())
	}
	r.Region = region
	return append(refs, r.String())
}

// arn is an Amazon Resource Name in its parts.
type arn struct{ partition, service, region, account, resource string }

func parseARN(s string) (arn, bool) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return arn{}, false
	}
	return arn{parts[1], parts[2], parts[3], parts[4], parts[5]}, true
}

// partition returns the partition of a Region, as far as its name tells.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
