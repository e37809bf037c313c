package ssm

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// The settings of Parameter Store (API UpdateServiceSetting, SettingId).
const (
	throughputSetting = "/ssm/parameter-store/high-throughput-enabled"
	tierSetting       = "/ssm/parameter-store/default-parameter-tier"

	getSettingOp    = "GetServiceSetting"
	updateSettingOp = "UpdateServiceSetting"
)

// HighThroughput reports whether the account pays for a higher throughput in
// the store's Region.
func (s *Store) HighThroughput(ctx context.Context) (bool, error) {
	value, err := s.setting(ctx, throughputSetting)
	if err != nil {
		return false, err
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		return false, s.explain(settingRef(throughputSetting), getSettingOp, errMalformed)
	}
	return on, nil
}

// SetHighThroughput raises the quota that GetParameter and GetParameters share,
// for all callers of the account in the store's Region: from 40 calls a second
// to 10,000, at a price. By the price list of 2025 in the US Regions each
// interaction then costs: $0.05 for 10,000, where those of standard parameters
// cost nothing without it (guide: Parameter Store throughput; Systems Manager
// pricing). PutParameter goes from 3 calls a second to 10, which is not
// documented, and DescribeParameters is not known to gain.
func (s *Store) SetHighThroughput(ctx context.Context, on bool) error {
	return s.setSetting(ctx, throughputSetting, strconv.FormatBool(on))
}

// DefaultTier returns the tier of parameters that are written without one in
// the store's Region: Standard unless the account has set another.
func (s *Store) DefaultTier(ctx context.Context) (Tier, error) {
	value, err := s.setting(ctx, tierSetting)
	return Tier(value), err
}

// SetDefaultTier sets that tier, for all callers of the account.
func (s *Store) SetDefaultTier(ctx context.Context, tier Tier) error {
	if !slices.Contains(tiers, tier) {
		return refuse(settingRef(tierSetting), fmt.Errorf("the tier %q is none of %q", tier, tiers))
	}
	return s.setSetting(ctx, tierSetting, string(tier))
}

func (s *Store) setting(ctx context.Context, id string) (value string, err error) {
	var out *ssm.GetServiceSettingOutput
	err = s.limit.Do(awsread.Aside(ctx), func() (err error) {
		out, err = s.clients.In(s.clients.Own).GetServiceSetting(ctx, &ssm.GetServiceSettingInput{SettingId: &id})
		return err
	})
	if err == nil && out.ServiceSetting == nil {
		err = errMalformed
	}
	if err != nil {
		return "", s.explainWrite(settingRef(id), getSettingOp, err)
	}
	return aws.ToString(out.ServiceSetting.SettingValue), nil
}

func (s *Store) setSetting(ctx context.Context, id, value string) error {
	err := s.limit.Do(awsread.Aside(ctx), func() error {
		_, err := s.clients.In(s.clients.Own).UpdateServiceSetting(ctx, &ssm.UpdateServiceSettingInput{SettingId: &id, SettingValue: &value})
		return err
	})
	return s.explainWrite(settingRef(id), updateSettingOp, err)
}

// settingRef names a setting in errors.
func settingRef(id string) provider.Ref { return provider.Ref{Scheme: "ssm", Name: id} }
