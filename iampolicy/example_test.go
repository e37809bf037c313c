package iampolicy_test

import (
	"context"
	"fmt"
	"log"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/iampolicy"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// The policy of a configuration that Client.Load fills.
func Example() {
	var config struct {
		URL string                            `secret:"ssm:///${env}/app/url"`
		DB  *secrets.Handle[secrets.DBSecret] `secret:"sm://${env}/db"`
		Key string                            `secret:"sm://${env}/api#key,optional"`
	}
	refs, err := iampolicy.Refs(config, map[string]string{"env": "prod"})
	if err != nil {
		log.Fatal(err)
	}
	policies, err := iampolicy.Use{Account: "123456789012", Region: "eu-west-1", Read: refs}.Policies()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(policies.Required)
	for _, o := range policies.Optional {
		fmt.Printf("Without %s:\n  %s\n", o.Policy.Statement[0].Action[0], o.Without)
	}
	// Output:
	// {
	//   "Version": "2012-10-17",
	//   "Statement": [
	//     {
	//       "Effect": "Allow",
	//       "Action": "secretsmanager:GetSecretValue",
	//       "Resource": [
	//         "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/api-??????",
	//         "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-??????"
	//       ]
	//     },
	//     {
	//       "Effect": "Allow",
	//       "Action": "ssm:GetParameter",
	//       "Resource": "arn:aws:ssm:eu-west-1:123456789012:parameter/prod/app/url"
	//     }
	//   ]
	// }
	// Without secretsmanager:BatchGetSecretValue:
	//   secrets are read one by one: a GetSecretValue each in place of a BatchGetSecretValue for twenty
}

// The policy of a client that has run for a while, in a test for instance.
func ExampleRecorder() {
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.SetSecret("prod/db", `{"password":"hunter2"}`)

	var recorder iampolicy.Recorder
	client, err := secrets.New(secrets.WithProvider(sm.New(server.Config())), secrets.WithObserver(recorder.Observer()))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Text(context.Background(), "sm://prod/db#password"); err != nil {
		log.Fatal(err)
	}

	use := iampolicy.Use{Account: "123456789012", Region: "eu-west-1"}
	if err := recorder.Add(&use); err != nil {
		log.Fatal(err)
	}
	policies, err := use.Policies()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(policies.All().Compact())
	// Output:
	// {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-??????"}]}
}

// What the account that owns a secret attaches, so that a role of another one
// reads it.
func ExampleUse_Sharing() {
	key := "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	sharing, err := iampolicy.Use{
		Account: "123456789012", Region: "eu-west-1",
		Read: []string{"sm://prod/db"},
		Keys: []iampolicy.Key{{ARN: key}},
	}.Sharing("arn:aws:iam::210987654321:role/reader")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sharing.Secrets["sm://prod/db"])
	fmt.Println(sharing.Keys[key][0])
	// Output:
	// {
	//   "Version": "2012-10-17",
	//   "Statement": [
	//     {
	//       "Effect": "Allow",
	//       "Principal": {
	//         "AWS": "arn:aws:iam::210987654321:role/reader"
	//       },
	//       "Action": "secretsmanager:GetSecretValue",
	//       "Resource": "*"
	//     }
	//   ]
	// }
	// {
	//   "Effect": "Allow",
	//   "Principal": {
	//     "AWS": "arn:aws:iam::210987654321:role/reader"
	//   },
	//   "Action": "kms:Decrypt",
	//   "Resource": "*",
	//   "Condition": {
	//     "StringEquals": {
	//       "kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"
	//     },
	//     "StringLike": {
	//       "kms:EncryptionContext:SecretARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-??????"
	//     }
	//   }
	// }
}
