package audit

import (
	"context"
	"errors"
	"time"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// Event is one access to a secret or parameter, or one write. What is empty is
// left out of JSON.
type Event struct {
	Time   time.Time `json:"time"`   // in UTC
	Action Action    `json:"action"` // one of the constants
	Ref    string    `json:"ref,omitempty"`
	// Version is the ID of the version that was given; of a Reject, the next to
	// try; of a write, the one that was made.
	Version string `json:"version,omitempty"`
	Refused string `json:"refused,omitempty"` // the version that Reject was called with
	// Source is where a read was answered from: cache, stale, refusal, store or
	// handle ([secrets.Source]).
	Source string `json:"source,omitempty"`
	// Outcome is "ok" or why nothing was given or written: the text of one of package
	// provider's Err values, such as "access denied", or "rejected", "closed",
	// "canceled", "failed".
	Outcome   string `json:"outcome,omitempty"`
	Principal string `json:"principal,omitempty"`
	Purpose   string `json:"purpose,omitempty"`
	// RequestID is the requestID of the CloudTrail record of the call that
	// brought the version, or that was refused. It is empty where the client
	// does not know it: of what was listed or written by it, or confirmed by
	// comparing versions.
	RequestID string `json:"request_id,omitempty"`
	Dropped   uint64 `json:"dropped,omitempty"` // how many events are missing here
}

// Action says what was done.
type Action string

// The actions.
const (
	ActionRead   Action = "read"
	ActionReject Action = "reject"
	ActionWrite  Action = "write"
	ActionDelete Action = "delete"
	// ActionDropped stands in the place of events that a [Queue] had no room for.
	ActionDropped Action = "dropped"
)

// ok is the outcome of an access that gave a value.
const ok = "ok"

var outcomes = []struct {
	err  error
	text string
}{
	{secrets.ErrRejected, "rejected"},
	{secrets.ErrClosed, "closed"},
	{provider.ErrNotFound, ""},
	{provider.ErrVersionNotFound, ""},
	{provider.ErrFieldNotFound, ""},
	{provider.ErrNotText, ""},
	{provider.ErrDecode, ""},
	{provider.ErrAccessDenied, ""},
	{provider.ErrDecryption, ""},
	{provider.ErrThrottled, ""},
	{provider.ErrDeleted, ""},
	{provider.ErrInvalidRef, ""},
	{provider.ErrInvalid, ""},
	{provider.ErrConflict, ""},
	{provider.ErrUnavailable, ""},
	{context.Canceled, "canceled"},
	{context.DeadlineExceeded, "canceled"},
}

func outcomeOf(err error) string {
	if err == nil {
		return ok
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			if o.text == "" {
				return o.err.Error()
			}
			return o.text
		}
	}
	return "failed"
}

// requestOf returns the ID of the request, which of a failed one only the SDK's
// error knows.
func requestOf(id string, err error) string {
	if id == "" && err != nil {
		if r, ok := errors.AsType[interface {
			error
			ServiceRequestID() string
		}](err); ok {
			return r.ServiceRequestID()
		}
	}
	return id
}
