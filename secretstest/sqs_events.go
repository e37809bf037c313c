package secretstest

import (
	"encoding/json"
	"time"
)

// WithEvents has every write in the server's default region and account, the
// seeding functions and rotations included, send the events to the named queues
// that EventBridge would deliver there, by a rule with one target for each. The
// queues are made where they do not exist.
//
// Of Parameter Store that is "Parameter Store Change", of Secrets Manager "AWS
// API Call via CloudTrail" and, for rotations, "AWS Service Event via
// CloudTrail". AWS delivers each at least once and some time later; this server
// once and at once. What a parameter policy does on its own sends nothing here.
func WithEvents(queues ...string) Option {
	return func(s *Server) { s.eventQueues = append(s.eventQueues, queues...) }
}

// A busEvent is an EventBridge event.
type busEvent struct {
	Version    string    `json:"version"`
	ID         string    `json:"id"`
	DetailType string    `json:"detail-type"`
	Source     string    `json:"source"`
	Account    string    `json:"account"`
	Time       time.Time `json:"time"`
	Region     string    `json:"region"`
	Resources  []string  `json:"resources"`
	Detail     any       `json:"detail"`
}

// A trailEvent is the detail of an event via CloudTrail, as far as it tells of
// the secret. No value is in any: CloudTrail hides them.
type trailEvent struct {
	EventVersion string            `json:"eventVersion"`
	EventTime    time.Time         `json:"eventTime"`
	EventSource  string            `json:"eventSource"`
	EventName    string            `json:"eventName"`
	Region       string            `json:"awsRegion"`
	Request      map[string]string `json:"requestParameters"`
	Response     map[string]string `json:"responseElements"`
	Additional   map[string]string `json:"additionalEventData,omitempty"`
	EventID      string            `json:"eventID"`
	EventType    string            `json:"eventType"`
	ReadOnly     bool              `json:"readOnly"`
}

// emit sends an event to the queues. s.mu is held.
func (s *Server) emit(at place, source, detailType string, detail any, resources ...string) {
	if len(s.eventQueues) == 0 || at != s.home() {
		return
	}
	event := busEvent{Version: "0", ID: newUUID(), DetailType: detailType, Source: source, Account: at.account,
		Time: s.now().UTC().Truncate(time.Second), Region: at.region, Resources: append([]string{}, resources...), Detail: detail}
	body, err := json.Marshal(event)
	if err != nil {
		return // it is made of strings
	}
	for _, name := range s.eventQueues {
		s.makeQueue(at, name, nil).send(string(body), s.now())
	}
}

// parameterChanged tells of a write to a parameter (user guide, "Systems Manager
// event examples").
func (c *call) parameterChanged(operation string, p *parameter) {
	c.emit(c.place, "aws.ssm", "Parameter Store Change", map[string]string{
		"operation": operation, "name": p.name, "type": p.latest().kind,
	}, p.arn)
}

// writes are the operations on secrets whose calls EventBridge delivers, with
// the member of their response that has the ARN. Some have it under "aRN" (user
// guide, "Match Secrets Manager events with EventBridge"); AWS does not say
// which, so this server shows both.
var writes = map[string]string{
	"CancelRotateSecret": "aRN", "CreateSecret": "arn", "DeleteResourcePolicy": "arn", "DeleteSecret": "arn", "PutResourcePolicy": "arn",
	"PutSecretValue": "arn", "RestoreSecret": "arn", "RotateSecret": "aRN", "UpdateSecret": "arn", "UpdateSecretVersionStage": "aRN",
}

// secretWritten tells of a call that succeeded, if it was a write to a secret.
func (c *call) secretWritten(id string, out any) {
	key, ok := writes[c.operation]
	if !ok {
		return
	}
	response := make(map[string]string)
	switch out := out.(type) {
	case *secretVersionRef:
		response[key], response["name"], response["versionId"] = out.ARN, out.Name, out.VersionId
	case *deleteSecretOutput:
		response[key], response["name"] = out.ARN, out.Name
	case *secretPolicyOutput:
		response[key], response["name"] = out.ARN, out.Name
	default:
		return // of Parameter Store, which has operations of the same names
	}
	c.trail(c.place, "AWS API Call via CloudTrail", trailEvent{EventName: c.operation, EventType: "AwsApiCall",
		Request: map[string]string{"secretId": id}, Response: response})
}

// rotationEvent tells of a step in the life of a rotation.
func (s *Server) rotationEvent(name string, sec *secret) {
	a, _ := parseARN(sec.arn)
	s.trail(a.place, "AWS Service Event via CloudTrail", trailEvent{EventName: name, EventType: "AwsServiceEvent",
		Additional: map[string]string{"SecretId": sec.arn}})
}

func (s *Server) trail(at place, detailType string, e trailEvent) {
	e.EventVersion, e.EventSource, e.Region, e.EventTime, e.EventID = "1.11", "secretsmanager.amazonaws.com", at.region, s.now().UTC().Truncate(time.Second), newUUID()
	s.emit(at, "aws.secretsmanager", detailType, e)
}
