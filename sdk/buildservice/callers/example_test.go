package callers_test

import (
	"context"
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
)

func Example() {
	token, hash := callers.NewToken() // the token goes to the caller, its hash into the configuration
	known := callers.Static{Tokens: map[string]string{"pay-ci": hash}}
	grants := []callers.Grant{{Token: "pay-ci", Rights: []callers.Right{callers.Build}}}

	caller, err := known.Authenticate(context.Background(), token)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(caller.Name, callers.Allowed(grants, caller, callers.Build))
	_, err = known.Authenticate(context.Background(), "guess")
	fmt.Println(err)
	// Output:
	// token:pay-ci true
	// denied: no such static token
}
