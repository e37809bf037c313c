package events

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Pattern returns the event pattern of an EventBridge rule that matches all
// events that [Refs] makes something of, as indented JSON. Events via CloudTrail
// are there only if a trail logs management events in the Region (EventBridge
// user guide, "AWS service events delivered via AWS CloudTrail").
func Pattern() string {
	return indent(map[string]any{"$or": []any{
		map[string]any{"source": []string{"aws.ssm"}, "detail-type": []string{"Parameter Store Change"}},
		map[string]any{"source": []string{"aws.ssm"}, "detail-type": []string{"Parameter Store Policy Action"},
			"detail": map[string]any{"policy-type": []string{expiration}}},
		map[string]any{"source": []string{"aws.secretsmanager"}, "detail-type": []string{apiCall},
			"detail": map[string]any{"eventSource": []string{"secretsmanager.amazonaws.com"}, "eventName": apiCalls}},
		map[string]any{"source": []string{"aws.secretsmanager"}, "detail-type": []string{serviceEvent},
			"detail": map[string]any{"eventName": serviceEvents}},
	}})
}

// Policy returns the resource policy, as indented JSON, that a queue or topic
// needs so that a rule or a topic may send to it: of queue and rule, or with an
// SNS topic in between, of topic and rule and of queue and topic. The ARNs are
// those of the queue or topic that receives, and of the rule or topic that sends;
// any other is an error.
func Policy(receiver, sender string) (string, error) {
	to, _ := parseARN(receiver)
	from, _ := parseARN(sender)
	action := map[string]string{"sqs": "sqs:SendMessage", "sns": "sns:Publish"}[to.service]
	principal := map[string]string{"events": "events.amazonaws.com", "sns": "sns.amazonaws.com"}[from.service]
	switch {
	case strings.ContainsAny(receiver+sender, "*?$"): // which policies give a meaning to
		return "", fmt.Errorf("events: %q and %q: want one receiver and one sender, without wildcards", receiver, sender)
	case action == "" || to.resource == "":
		return "", fmt.Errorf("events: %q is not the ARN of a queue or a topic", receiver)
	case principal == "" || from.service == "events" && !strings.HasPrefix(from.resource, "rule/"):
		return "", fmt.Errorf("events: %q is not the ARN of a rule or a topic", sender)
	case to.service == from.service:
		return "", fmt.Errorf("events: a topic does not send to a topic")
	}
	return indent(map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Effect": "Allow", "Principal": map[string]string{"Service": principal}, "Action": action, "Resource": receiver,
			"Condition": map[string]any{"ArnEquals": map[string]string{"aws:SourceArn": sender}},
		}},
	}), nil
}

func indent(v any) string {
	b, _ := json.MarshalIndent(v, "", "  ") // of maps and strings
	return string(b)
}
