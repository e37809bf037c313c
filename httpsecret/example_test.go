package httpsecret_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/httpsecret"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

func Example() {
	aws, _ := secretstest.Start() // stands in for AWS
	defer aws.Close()
	aws.SetSecret("prod/api", `{"token":"first"}`)
	accepted := "Bearer first"
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != accepted {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer api.Close()

	client, err := secrets.New(secrets.WithProvider(sm.New(aws.Config())))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	transport, err := httpsecret.New(client, "sm://prod/api#token", httpsecret.Bearer, api.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	httpClient := &http.Client{Transport: transport}
	for range 2 {
		resp, err := httpClient.Get(api.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
		fmt.Println(resp.Status)

		aws.SetSecret("prod/api", `{"token":"second"}`) // the cache has the first for minutes still
		accepted = "Bearer second"
	}
	// Output:
	// 200 OK
	// 200 OK
}

// An API that wants something else than the package has.
func ExampleCredential() {
	client := new(secrets.Client) // of secrets.New
	var twoKeys httpsecret.Credential = func(h http.Header, v secrets.Value) error {
		keys, err := secrets.JSON[struct{ ID, Secret string }](v)
		if err != nil {
			return err
		}
		h.Set("X-Key-Id", keys.ID)
		h.Set("X-Key-Secret", keys.Secret)
		return nil
	}
	transport, err := httpsecret.New(client, "sm://prod/api", twoKeys, "https://api.example.com", "https://uploads.example.com")
	fmt.Println(transport != nil, err)
	// Output: true <nil>
}
