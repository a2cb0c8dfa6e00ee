package artifact_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/artifact"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// Ops signs and pushes a document; machines pull it by its tag, and never take an older one.
func Example() {
	ctx := context.Background()
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := registry.New(registry.Options{})
	defer client.Close()
	key, err := attest.GenerateKey(attest.Ed25519)
	if err != nil {
		log.Fatal(err)
	}

	kind := artifact.Kind{Name: "production", MediaType: "application/vnd.example.rules.v1+yaml"}
	publish := func(version uint64, text string) {
		signed, err := artifact.Sign(ctx, key, artifact.Content{Kind: kind, Version: version, Data: []byte(text)})
		if err != nil {
			log.Fatal(err)
		}
		_, err = artifact.Push(ctx, client, server.Ref("ops/rules"), signed, registry.PushOptions{Tags: []string{"current"}})
		if err != nil {
			log.Fatal(err)
		}
	}
	want := artifact.Want{Kind: kind, Trust: attest.Keys{{Name: "ops", Key: key.Public()}}, At: time.Now()}

	publish(8, "allow: nothing\n")
	got, err := artifact.Pull(ctx, client, server.Ref("ops/rules:current"), want)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s signed version %d: %s", got.By, got.Version, got.Data)

	want.Seen = got.Seen()
	publish(7, "allow: everything\n")
	_, err = artifact.Pull(ctx, client, server.Ref("ops/rules@")+latest(ctx, client, server), want)
	fmt.Println(err != nil)
	// Output:
	// ops signed version 8: allow: nothing
	// true
}

func latest(ctx context.Context, client *registry.Client, server *registrytest.Server) string {
	digest, err := client.Resolve(ctx, server.Ref("ops/rules:current"))
	if err != nil {
		log.Fatal(err)
	}
	return digest
}
