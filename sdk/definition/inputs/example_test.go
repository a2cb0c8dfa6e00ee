package inputs_test

import (
	"context"
	"fmt"
	"log"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// A definition that hides an image behind an argument and another in a mount. Programs load it with source.Load.
func ExampleList() {
	ctx := context.Background()
	srv, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	for _, ref := range []string{"base/userland:1.4.8", "elsewhere/tools:latest"} {
		img, err := registrytest.Image(map[string]string{"name": ref}, registrytest.ImageOptions{})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := srv.Push(ctx, ref, img); err != nil {
			log.Fatal(err)
		}
	}
	file, err := definition.Parse("Dockerfile", []byte(`ARG REGISTRY
ARG BASE=userland
FROM ${REGISTRY}/base/${BASE}:1.4.8
RUN --mount=from=tools,target=/tools /tools/setup
ADD https://example.com/config /etc/config
`))
	if err != nil {
		log.Fatal(err)
	}

	client := registry.New(registry.Options{})
	defer client.Close()
	list, err := inputs.List(ctx, &definition.Definition{File: file}, inputs.Options{
		Resolver:      client,
		BuildPlatform: "linux/amd64",
		Args:          map[string]string{"REGISTRY": srv.Host},
		Contexts:      map[string]string{"tools": "docker-image://" + srv.Ref("elsewhere/tools")},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, in := range list {
		fmt.Printf("%s: %s %s, resolved %v\n", in.Place, in.Role, in.Written, in.Digest != "")
	}
	// Output:
	// Dockerfile:3:6: base ${REGISTRY}/base/${BASE}:1.4.8, resolved true
	// Dockerfile:5:5: add https://example.com/config, resolved false
	// Dockerfile: context tools, resolved true
}
