// Package homes finds the engines that the programs in examples/ build and test with, by the names that their flags take.
package homes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
	"github.com/plimsoll-dev/plimsoll/sdk/build/dagger"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// BuilderHelp explains the names that [Builder] takes.
const BuilderHelp = `where to build: "embedded" (BuildKit in this process), "docker" (Docker's BuildKit), "dagger" (a Dagger engine, as the dagger command finds it), or a buildkitd's address such as unix:///run/buildkit/buildkitd.sock`

// Builder is a builder that holds resources until it is closed.
type Builder interface {
	build.Builder
	Home() build.Home
	Close() error
}

// daggerBuilder has a registry's client of its own.
type daggerBuilder struct {
	*dagger.Builder
	client *registry.Client
}

func (b daggerBuilder) Close() error {
	defer b.client.Close()
	return b.Builder.Close()
}

// NewBuilder starts or reaches the builder of that name; state is a directory for the caches of the embedded one.
func NewBuilder(ctx context.Context, name, state string) (Builder, error) {
	opts := buildkit.Options{Keychain: authn.DefaultKeychain}
	switch {
	case name == "embedded":
		runc, _ := exec.LookPath("runc") // without it Plimsoll's own executor runs the steps
		b, err := embedded.Start(ctx, embedded.Options{
			State: filepath.Join(state, "buildkit"), Runc: runc, Keychain: authn.DefaultKeychain,
		})
		if err != nil {
			return nil, err
		}
		return b, nil
	case name == "docker":
		b, err := buildkit.Docker(ctx, os.Getenv("DOCKER_HOST"), opts)
		if err != nil {
			return nil, err
		}
		return b, nil
	case name == "dagger":
		client := registry.New(registry.Options{Keychain: authn.DefaultKeychain})
		b, err := dagger.Connect(ctx, dagger.Options{Registry: client})
		if err != nil {
			client.Close()
			return nil, err
		}
		return daggerBuilder{b, client}, nil
	case strings.Contains(name, "://"):
		b, err := buildkit.Dial(ctx, name, opts)
		if err != nil {
			return nil, err
		}
		return b, nil
	default:
		return nil, fmt.Errorf("unknown builder %q: use embedded, docker, dagger or an address such as unix:///run/buildkit/buildkitd.sock", name)
	}
}
