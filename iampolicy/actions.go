package iampolicy

import "strings"

// scope is what an action is authorised on (Service Authorization Reference,
// column Resource types).
type scope int

const (
	onValue   scope = iota // the secret or parameter
	onNothing              // no resource: "*"
	onSetting              // a setting of Parameter Store
)

// operations are those that packages sm and ssm call, by the name of the
// service. Each needs the action of its own name.
var operations = map[string]map[string]scope{
	"secretsmanager": {
		"BatchGetSecretValue": onNothing, "ListSecrets": onNothing, "GetRandomPassword": onNothing,
		"GetSecretValue": onValue, "DescribeSecret": onValue, "ListSecretVersionIds": onValue,
		"CreateSecret": onValue, "PutSecretValue": onValue, "UpdateSecret": onValue, "UpdateSecretVersionStage": onValue,
		"DeleteSecret": onValue, "RestoreSecret": onValue, "TagResource": onValue, "UntagResource": onValue,
		"ReplicateSecretToRegions": onValue, "RemoveRegionsFromReplication": onValue, "StopReplicationToReplica": onValue,
		"PutResourcePolicy": onValue, "ValidateResourcePolicy": onValue, "GetResourcePolicy": onValue, "DeleteResourcePolicy": onValue,
		"RotateSecret": onValue, "CancelRotateSecret": onValue,
	},
	"ssm": {
		"DescribeParameters": onNothing,
		"GetParameter":       onValue, "GetParameters": onValue, "GetParametersByPath": onValue, "GetParameterHistory": onValue,
		"PutParameter": onValue, "DeleteParameter": onValue, "DeleteParameters": onValue,
		"LabelParameterVersion": onValue, "UnlabelParameterVersion": onValue,
		"AddTagsToResource": onValue, "RemoveTagsFromResource": onValue, "ListTagsForResource": onValue,
		"GetServiceSetting": onSetting, "UpdateServiceSetting": onSetting,
	},
}

// operation looks an operation up. No two services have one of the same name.
func operation(name string) (service string, on scope, ok bool) {
	for service, known := range operations {
		if on, ok := known[name]; ok {
			return service, on, true
		}
	}
	return "", 0, false
}

// kmsOf is what an operation needs of a customer managed key (guides: Secret
// encryption and decryption in Secrets Manager; KMS encryption for Parameter
// Store SecureString parameters). A SecureString of the standard tier is written
// by kms:Encrypt, one of the advanced tier by kms:GenerateDataKey.
var kmsOf = map[string][]string{
	"GetSecretValue":           {"kms:Decrypt"},
	"CreateSecret":             {"kms:Decrypt", "kms:GenerateDataKey"},
	"PutSecretValue":           {"kms:Decrypt", "kms:GenerateDataKey"},
	"UpdateSecret":             {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"},
	"ReplicateSecretToRegions": {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"},
	"GetParameter":             {"kms:Decrypt"},
	"GetParameters":            {"kms:Decrypt"},
	"GetParametersByPath":      {"kms:Decrypt"},
	"PutParameter":             {"kms:Encrypt", "kms:GenerateDataKey"},
}

// partitionOf tells the partition by the Region, as the SDK's endpoint rules do.
func partitionOf(region string) string {
	for _, p := range []struct{ prefix, partition string }{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"us-isob-", "aws-iso-b"}, {"us-isof-", "aws-iso-f"}, {"eu-isoe-", "aws-iso-e"},
		{"us-iso-", "aws-iso"}, {"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition
		}
	}
	return "aws"
}
