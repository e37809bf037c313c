// Search reads text from standard input and fails if one of the secrets that its
// arguments are is in it, in any of the forms that package canary knows.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/c0629bfc/secrets/internal/canary"
)

func main() {
	net := new(canary.Net)
	for i, secret := range os.Args[1:] {
		net.Watch(fmt.Sprint("secret ", i+1), secret)
	}
	if _, err := io.Copy(net.Writer("the output"), os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	leaks := net.Leaks()
	for _, leak := range leaks {
		fmt.Println(leak)
	}
	if len(leaks) > 0 || net.Size() == 0 {
		fmt.Printf("%d leaks in %d bytes\n", len(leaks), net.Size())
		os.Exit(1)
	}
}
