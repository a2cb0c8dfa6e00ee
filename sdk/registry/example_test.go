package registry_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// A client resolves tags and says what is wrong when it can't. Programs give authn.DefaultKeychain as Keychain.
func ExampleClient_Resolve() {
	ctx := context.Background()
	srv, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	img, err := registrytest.Image(map[string]string{"etc/os-release": "ID=demo\n"}, registrytest.ImageOptions{})
	if err != nil {
		log.Fatal(err)
	}
	pushed, err := srv.Push(ctx, "base/demo:1.4.9", img)
	if err != nil {
		log.Fatal(err)
	}

	client := registry.New(registry.Options{})
	defer client.Close()
	digest, err := client.Resolve(ctx, srv.Ref("base/demo:1.4.9"))
	fmt.Println(digest == pushed, err)

	_, err = client.Resolve(ctx, srv.Ref("base/demo:1.5.0"))
	fmt.Println(errors.Is(err, registry.ErrNotFound))
	fmt.Println(strings.ReplaceAll(err.Error(), srv.Host, "registry.example"))
	// Output:
	// true <nil>
	// true
	// registry.example/base/demo:1.5.0: resolve: not found: 404 not found; check the spelling of repository and tag
}

// An index is annotated, pushed by digest, and tagged when all of it is there.
func ExampleClient_Push() {
	ctx := context.Background()
	srv, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	img, err := registrytest.Image(map[string]string{"app": "#!/bin/sh\necho hello\n"}, registrytest.ImageOptions{})
	if err != nil {
		log.Fatal(err)
	}
	idx, err := registrytest.Index(img)
	if err != nil {
		log.Fatal(err)
	}

	idx, err = registry.Annotate(idx, registry.Annotations{
		Index: map[string]string{"org.opencontainers.image.base.name": "docker.io/library/debian:12"},
	})
	if err != nil {
		log.Fatal(err)
	}
	client := registry.New(registry.Options{})
	defer client.Close()
	ref, err := client.Push(ctx, srv.Ref("team/app"), idx, registry.PushOptions{Tags: []string{"1.0"}})
	if err != nil {
		log.Fatal(err)
	}
	digest, err := client.Resolve(ctx, srv.Ref("team/app:1.0"))
	fmt.Println(digest == ref.DigestStr(), err)
	// Output: true <nil>
}
