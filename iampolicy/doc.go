// Package iampolicy makes the least-privilege IAM policy of a program from the
// refs that it uses.
//
//	use := iampolicy.Use{
//		Account: "123456789012", Region: "eu-west-1",
//		Read:    []string{"sm://prod/db#password", "ssm:///prod/app/url"},
//	}
//	policies, err := use.Policies()
//	…
//	fmt.Println(policies.Required)
//
// The refs are a list, or those of a struct that Client.Load fills ([Refs]), or
// what a running client read, listed, wrote and deleted ([Recorder]). It makes no
// network call.
//
// # What is in it
//
// The actions are those that packages sm and ssm call, fallbacks included, and
// each is on the very ARN: of a secret by its name that is the name and six
// question marks, since AWS appends a hyphen and six characters (guide: Secrets
// Manager, Identity-based policies; with "*" in their place, "db-*" would match
// "db-admin-AbCdEf"). Parameters are named without the slash that begins their
// name: parameter/prod/app/url.
//
// What AWS authorises on no resource has the resource "*" (Service Authorization
// Reference, Actions defined by AWS Secrets Manager and by AWS Systems Manager:
// those without a resource type): BatchGetSecretValue, ListSecrets,
// GetRandomPassword and DescribeParameters. Of these BatchGetSecretValue gives
// away nothing by itself: each secret needs GetSecretValue, too (API
// BatchGetSecretValue). ListSecrets shows the names, descriptions and tags of
// all secrets of the account. GetParametersByPath is authorised on the path
// alone, parameter/prod/app, whatever other statements say of what is below it
// (API GetParametersByPath).
//
// Actions that a program can do without are apart, as [Optional], with what is
// lost without them.
//
// # Keys
//
// The keys aws/secretsmanager and aws/ssm need no permission: their key policies
// let everybody in the account use them through their service. A customer
// managed key is to be named in [Use.Keys]. Each statement on one holds for
// calls through the service (kms:ViaService) and for the secrets or parameters
// in question, by the encryption context that the service sends: SecretARN from
// Secrets Manager (guide: Secret encryption and decryption in Secrets Manager),
// PARAMETER_ARN from Parameter Store (guide: KMS encryption for Parameter Store
// SecureString parameters). In the partition aws-cn, kms:ViaService is given with
// both endings of a service's name, of which AWS does not document the right one.
//
// # Limits
//
// A managed policy has 6,144 characters at most, white space not counted (IAM
// and STS quotas); [Policy.Split] divides what is longer. No wildcard is put in
// to save room.
package iampolicy
