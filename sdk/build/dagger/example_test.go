package dagger_test

import (
	"context"
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/dagger"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// What an engine can't do is known before the first build, and is in the record of each.
func ExampleNew() {
	ctx := context.Background()
	client := registry.New(registry.Options{})
	defer client.Close()
	var connection dagger.Query = (&engine{version: "v0.20.0"}).query // in a program: that of a client of dagger.io/dagger
	builder, err := dagger.New(ctx, connection, dagger.Options{Registry: client})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(builder.Home().Name, builder.Home().Version, builder.Home().Enforces)
	_, err = builder.Build(ctx, build.Request{Dockerfile: []byte("FROM debian:12\n")})
	fmt.Println(err)
	// Output:
	// dagger v0.20.0 false
	// the request has no build context
}
