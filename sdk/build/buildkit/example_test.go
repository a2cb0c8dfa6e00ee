package buildkit_test

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit"
)

// What a daemon can't do is known before the first build.
func ExampleDocker() { //nolint:testableexamples // needs Docker
	builder, err := buildkit.Docker(context.Background(), "", buildkit.Options{Keychain: authn.DefaultKeychain})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer builder.Close()

	for _, weakness := range builder.Home().Weaknesses {
		fmt.Println(weakness)
	}
}
