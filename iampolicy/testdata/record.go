package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/c0629bfc/secrets/secretstest"
)

// closeRecorded takes the place of server.Close in a program that is to tell
// what it asked the server for.
func closeRecorded(server *secretstest.Server) {
	requests, err := json.Marshal(server.Requests())
	if err == nil {
		err = os.WriteFile(os.Getenv("IAMPOLICY_RECORD"), requests, 0o600)
	}
	if err != nil {
		log.Fatal(err)
	}
	server.Close()
}
