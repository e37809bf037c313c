package agent

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// answer is what was read of one value.
type answer struct {
	version provider.Version
	typ     provider.Type
	content string
}

// What is wrong with an answer is told without it: errors of encoding/json may
// quote what they were given.
var (
	errMalformed    = errors.New("the answer is not one of the agent's")
	errOtherVersion = errors.New("the answer is of another version than was asked for")
)

// decodeSecret decodes the answer of /secretsmanager/get, which is that of
// GetSecretValue.
func decodeSecret(body []byte, ref provider.Ref) (answer, error) {
	var out struct {
		ARN           string
		VersionID     string `json:"VersionId"`
		VersionStages []string
		CreatedDate   date
		SecretString  *string
		SecretBinary  []byte
	}
	if json.Unmarshal(body, &out) != nil || out.VersionID == "" {
		return answer{}, errMalformed
	}
	if ref.Version != "" && ref.Version != out.VersionID {
		return answer{}, errOtherVersion
	}
	a := answer{version: provider.NewVersion(out.VersionID, out.CreatedDate.Time, out.VersionStages...)}
	switch {
	case out.SecretString != nil:
		a.typ, a.content = provider.SecretString, *out.SecretString
	case out.SecretBinary != nil:
		a.typ, a.content = provider.SecretBinary, string(out.SecretBinary)
	default:
		return answer{}, errMalformed
	}
	return a, inRegion(out.ARN, ref)
}

// decodeParameter decodes the answer of /systemsmanager/parameters/get, which is
// that of GetParameter.
func decodeParameter(body []byte, ref provider.Ref) (answer, error) {
	var out struct {
		Parameter struct {
			ARN              string
			LastModifiedDate date
			SourceResult     string
			Type             provider.Type
			Value            *string
			Version          int64
		}
	}
	if json.Unmarshal(body, &out) != nil || out.Parameter.Value == nil {
		return answer{}, errMalformed
	}
	p := out.Parameter
	id, labels := strconv.FormatInt(p.Version, 10), []string(nil)
	if p.Version <= 0 {
		// One that stands for a secret has the version 0, and its real one in what
		// Secrets Manager answered (guide: ps-integration-secretsmanager).
		var source struct {
			VersionID     string `json:"VersionId"`
			VersionStages []string
		}
		if json.Unmarshal([]byte(p.SourceResult), &source) != nil || source.VersionID == "" {
			return answer{}, errMalformed
		}
		id, labels = source.VersionID, source.VersionStages
	}
	if ref.Version != "" && ref.Version != id {
		return answer{}, errOtherVersion
	}
	if ref.Label != "" && labels == nil {
		labels = []string{ref.Label}
	}
	a := answer{version: provider.NewVersion(id, p.LastModifiedDate.Time, labels...), typ: p.Type, content: *p.Value}
	return a, inRegion(p.ARN, ref)
}

// otherRegion is the error of a value that came from another Region than the ref
// says.
type otherRegion string

func (r otherRegion) Error() string { return "the agent reads from " + string(r) }

func inRegion(arn string, ref provider.Ref) error {
	if ref.Region == "" || ref.IsARN() { // AWS refuses the ARN of another Region
		return nil
	}
	parts := strings.SplitN(arn, ":", 5)
	switch {
	case len(parts) < 5:
		return otherRegion("a Region that it does not tell")
	case parts[3] != ref.Region:
		return otherRegion(parts[3])
	}
	return nil
}

// date is a time as the agent writes it, seconds since 1970 in a string, as AWS
// does, in a number, or as the extension does, by RFC 3339. What is none of
// these is no time.
type date struct{ time.Time }

func (d *date) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 1e11 {
		d.Time = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
		return nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		d.Time = at.UTC()
	}
	return nil
}
