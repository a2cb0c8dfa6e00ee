package api_test

import (
	"encoding/json"
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
)

func Example() {
	request, err := json.Marshal(api.Request{
		Repository: "https://git.example/team/pay.git",
		Commit:     "8f3c1e0d5b7a49c2e6f0a1b2c3d4e5f60718293a",
		Tags:       []string{"1.2.3"},
	})
	fmt.Println(string(request), err)
	fmt.Println(api.Running.Final(), api.Refused.Final())
	// Output:
	// {"repository":"https://git.example/team/pay.git","commit":"8f3c1e0d5b7a49c2e6f0a1b2c3d4e5f60718293a","tags":["1.2.3"]} <nil>
	// false true
}
