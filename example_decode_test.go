package secrets_test

import (
	"fmt"
	"net/url"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// read stands in for Client.Get.
func read(ref, content string) secrets.Value {
	r, _ := provider.ParseRef(ref)
	return provider.NewValue(r, provider.Version{}, provider.SecretString, content)
}

func ExampleDBSecret() {
	v := read("sm://prod/db", `{"engine":"postgres","host":"db.example.com","username":"app","password":"s3cret","dbname":"orders"}`)
	db, err := secrets.JSON[secrets.DBSecret](v)
	if err != nil {
		fmt.Println(err)
		return
	}
	dsn := url.URL{Scheme: db.Engine, User: url.UserPassword(db.Username, db.Password()), Host: db.Addr(), Path: db.DBName}
	fmt.Println(dsn.Redacted())
	fmt.Println(db)
	// Output:
	// postgres://app:xxxxx@db.example.com:5432/orders
	// [redacted]
}

func ExampleDBSecret_With() {
	v := read("sm://prod/db", `{"username":"app","password":"old","team":"orders"}`)
	db, _ := secrets.JSON[secrets.DBSecret](v)
	text, err := db.With("app_clone", "new").JSON()
	fmt.Println(text, err)
	// Output: {"password":"new","team":"orders","username":"app_clone"} <nil>
}

func ExampleJSON() {
	type limits struct {
		PerSecond int `json:"per_second"`
	}
	l, err := secrets.JSON[limits](read("sm://prod/limits", `{"per_second":50}`))
	fmt.Println(l.PerSecond, err)
	_, err = secrets.JSON[limits](read("sm://prod/limits", `{"per_second":"50"}`))
	fmt.Println(err)
	// Output:
	// 50 <nil>
	// sm://prod/limits: value cannot be decoded (want JSON for secrets_test.limits: found string, want int in per_second)
}

func ExampleDuration() {
	d, err := secrets.Duration(read("ssm:///prod/timeout", "90s\n"))
	fmt.Println(d, err)
	_, err = secrets.Duration(read("ssm:///prod/timeout", "90"))
	fmt.Println(err)
	// Output:
	// 1m30s <nil>
	// ssm:///prod/timeout: value cannot be decoded (want a duration with its unit, such as 90s or 1h30m)
}
