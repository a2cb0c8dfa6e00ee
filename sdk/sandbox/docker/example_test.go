package docker_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
)

// An image is started as it comes from a registry, and asked from inside its own network: it has no other.
func Example() { //nolint:testableexamples // it needs a registry and Docker
	err := func(ctx context.Context) error {
		image, err := remote.Image(name.MustParseReference("registry.example/greeter:1.4"), remote.WithContext(ctx))
		if err != nil {
			return err
		}
		rt, err := docker.New(ctx, docker.Options{Host: os.Getenv("DOCKER_HOST")})
		if err != nil {
			return err
		}
		defer rt.Close()
		instance, err := rt.Start(ctx, sandbox.Spec{Image: image, Platform: "linux/amd64", Env: []string{"PORT=8080"}})
		if err != nil {
			return err
		}
		defer instance.Close(context.WithoutCancel(ctx)) // Runtime.Close tries again and says it

		inside := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return instance.Dial(ctx, network, 8080)
		}}}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://greeter/health", http.NoBody)
		if err != nil {
			return err
		}
		answer, err := inside.Do(request)
		if err != nil {
			return err
		}
		fmt.Println(answer.Status)
		return answer.Body.Close()
	}(context.Background())
	if err != nil {
		fmt.Println(err)
	}
}
