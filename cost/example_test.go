package cost_test

import (
	"fmt"
	"log"

	"github.com/c0629bfc/secrets/cost"
)

// A certificate with its chain, that services of another account read.
func ExampleAdvise() {
	advice, err := cost.Advise(cost.US, cost.Workload{Size: 6000, CrossAccount: true, Processes: 5, Reads: 10})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(advice)
	// Output:
	// advanced parameter, SecureString
	//   not as a standard parameter: only advanced parameters are shared with other accounts
	//   not as a standard parameter: 6000 bytes are more than its 4096
	//   $1.27 a month; as a secret $1.75
	//   read through a cache: on each use it would be $208.41 a month
	//   other accounts need a share of AWS RAM and a customer managed key, and only read it by its ARN
	//   there is no way back from the advanced tier but to delete the parameter
	//   if AWS is to rotate it one day, that takes Secrets Manager
}
