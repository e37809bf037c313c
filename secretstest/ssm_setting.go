package secretstest

import (
	"slices"
	"strings"
	"time"
)

// The service settings of Parameter Store (GetServiceSetting). The throughput
// setting is kept and changes nothing: quotas are a Fault's to play.
const (
	settingThroughput = "/ssm/parameter-store/high-throughput-enabled"
	settingTier       = "/ssm/parameter-store/default-parameter-tier"
)

// settingValues are the values of each setting, the default first.
var settingValues = map[string][]string{
	settingThroughput: {"false", "true"},
	settingTier:       {tierStandard, tierAdvanced, tierIntelligent},
}

type setting struct {
	value    string
	modified time.Time
	user     string
}

// setting returns a setting as it is now.
func (st *store) setting(id string) *setting {
	if changed := st.settings[id]; changed != nil {
		return changed
	}
	return &setting{value: settingValues[id][0], user: "System"}
}

type settingOutput struct {
	ARN              string
	LastModifiedDate epoch
	LastModifiedUser string
	SettingId        string
	SettingValue     string
	Status           string
}

func (c *call) settingOutput(id string) any {
	s := c.store.setting(id)
	out := &settingOutput{
		ARN:              settingARN(c.place, id),
		LastModifiedDate: epoch{s.modified},
		LastModifiedUser: s.user,
		SettingId:        id,
		SettingValue:     s.value,
		Status:           "Customized",
	}
	if c.store.settings[id] == nil {
		out.Status, out.LastModifiedDate = "Default", epoch{time.Unix(0, 0)}
	}
	return struct{ ServiceSetting *settingOutput }{out}
}

func settingARN(at place, id string) string {
	return "arn:" + partition(at.region) + ":ssm:" + at.region + ":" + at.account + ":servicesetting" + id
}

// settingID checks an identifier, which may be an ARN.
func (c *call) settingID(id string) (string, error) {
	if err := checkLength("settingId", len(id), 1, 1000); err != nil {
		return "", err
	}
	if a, ok := parseARN(id); ok && a.service == "ssm" && a.place == c.place {
		id = strings.TrimPrefix(a.resource, "servicesetting")
	}
	if settingValues[id] == nil {
		return "", fail("ServiceSettingNotFound", "The specified service setting was not found. Either the service name or the setting has not been provisioned by the AWS service team.")
	}
	return id, nil
}

type settingInput struct{ SettingId string }

func (in settingInput) ids() []string { return []string{in.SettingId} }

func getServiceSetting(c *call, in *settingInput) (any, error) {
	id, err := c.settingID(in.SettingId)
	if err != nil {
		return nil, err
	}
	return c.settingOutput(id), nil
}

func updateServiceSetting(c *call, in *struct {
	settingInput
	SettingValue string
}) (any, error) {
	if err := checkLength("settingValue", len(in.SettingValue), 1, 4096); err != nil {
		return nil, err
	}
	id, err := c.settingID(in.SettingId)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(settingValues[id], in.SettingValue) {
		return nil, fail("ValidationException", "The value of the setting %s must be one of: %s.", id, strings.Join(settingValues[id], ", "))
	}
	c.store.settings[id] = &setting{value: in.SettingValue, modified: c.time, user: c.user()}
	return struct{}{}, nil
}

func resetServiceSetting(c *call, in *settingInput) (any, error) {
	id, err := c.settingID(in.SettingId)
	if err != nil {
		return nil, err
	}
	delete(c.store.settings, id)
	return c.settingOutput(id), nil
}
