// promlint reads metrics on standard input and says what "promtool check metrics" would say of them: that they cannot be parsed, or
// break a convention. It is the same library, without the hundred others that promtool is built from.
package main

import (
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func main() {
	problems, err := promlint.New(os.Stdin).Lint()
	if err != nil {
		fmt.Println("cannot be parsed:", err)
		os.Exit(1)
	}
	for _, p := range problems {
		fmt.Println(p.Metric, p.Text)
	}
	if len(problems) > 0 {
		os.Exit(3)
	}
}
