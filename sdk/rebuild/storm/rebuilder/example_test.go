package rebuilder_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/rebuilder"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// An image about which nobody trusted has said from which commit it was built is not built again.
func ExampleOrigin_Of() {
	ctx := context.Background()
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := registry.New(registry.Options{})
	defer client.Close()
	img, err := registrytest.Image(map[string]string{"app": "1"}, registrytest.ImageOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := server.Push(ctx, "team/app:1", img); err != nil {
		fmt.Println(err)
		return
	}
	origin := &rebuilder.Origin{
		Source: attest.NewStore(client, attest.StoreOptions{}), Trust: attest.Keys{}, Builders: []string{"https://build.example/plimsoll"}, Now: time.Now,
	}
	_, err = origin.Of(ctx, server.Ref("team/app:1"))
	fmt.Println(errors.Is(err, rebuilder.ErrNoOrigin))
	// Output: true
}
