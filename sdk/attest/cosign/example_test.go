package cosign_test

import (
	"context"
	"fmt"
	"log"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/cosign"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

func ExampleSignatures_Signed() {
	server, err := registrytest.Start(registrytest.Options{}) // on loopback
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	image, err := registrytest.Image(map[string]string{"etc/motd": "hello"}, registrytest.ImageOptions{})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	digest, err := server.Push(ctx, "base/debian:12", image)
	if err != nil {
		log.Fatal(err)
	}
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		log.Fatal(err)
	}

	client := registry.New(registry.Options{})
	defer client.Close()
	signed, err := cosign.New(client).Signed(ctx, server.Ref("base/debian@"+digest), string(key.Public().PEM()))
	fmt.Println(signed, err)
	// Output: false <nil>
}
