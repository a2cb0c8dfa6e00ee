package nodecmd

import (
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

func newRegistry(plainHTTP []string) *registry.Client {
	return registry.New(registry.Options{
		Keychain: authn.DefaultKeychain,
		Insecure: func(host string) bool { return slices.Contains(plainHTTP, host) },
	})
}
