package attest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// A key is made once and kept encrypted; whoever verifies has its public half.
func ExampleKeys_Verify() {
	ctx := context.Background()
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		log.Fatal(err)
	}
	bundle, err := key.Sign(ctx, "text/plain", []byte("all is well"))
	if err != nil {
		log.Fatal(err)
	}

	public, err := attest.LoadPublicKey(key.Public().PEM())
	if err != nil {
		log.Fatal(err)
	}
	trusted := attest.Keys{{Name: "build service 2026", Key: public, Until: time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC)}}
	by, err := trusted.Verify(ctx, bundle, time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
	fmt.Println(by, err)
	_, err = trusted.Verify(ctx, bundle, time.Date(2027, 11, 25, 0, 0, 0, 0, time.UTC))
	fmt.Println(err)
	// Output:
	// build service 2026 <nil>
	// not signed by anyone trusted: the key build service 2026 was trusted until 2027-07-01T00:00:00Z, and it is 2027-11-25T00:00:00Z
}

// Everything that must hold of an image is asked in one call: of its index, and of each platform in it.
func ExampleVerify() {
	ctx := context.Background()
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	img, err := registrytest.Image(map[string]string{"app": "hello"}, registrytest.ImageOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := server.Push(ctx, "team/app:1.2.3", img); err != nil {
		log.Fatal(err)
	}
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		log.Fatal(err)
	}
	client := registry.New(registry.Options{})
	defer client.Close()

	policy := attest.Policy{
		Trust:    attest.Keys{{Name: "build service", Key: key.Public()}},
		At:       time.Now(),
		Builders: []string{"https://build.example/plimsoll"},
		Sources:  []string{"https://git.example/team/*"},
	}
	_, err = attest.Verify(ctx, attest.NewStore(client, attest.StoreOptions{}), server.Ref("team/app:1.2.3"), policy)
	if denied, ok := errors.AsType[*attest.DeniedError](err); ok {
		for _, reason := range denied.Reasons {
			_, why, _ := strings.Cut(reason, ": ") // before it stands the digest
			fmt.Println(why)
		}
	}
	// Output:
	// provenance: there is none by anyone trusted
	// lint verdict: there is none by anyone trusted
	// test verdict: there is none by anyone trusted
}
