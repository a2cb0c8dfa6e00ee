package scan_test

import (
	"context"
	"fmt"
	"log"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/scan"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// Images that nobody here built are found by their layers.
func Example() {
	ctx := context.Background()
	srv, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	base := must(registrytest.Image(map[string]string{"etc/os-release": "ID=demo\n"}, registrytest.ImageOptions{}))
	app := must(registrytest.Image(map[string]string{"bin/app": "#!app"}, registrytest.ImageOptions{Base: base}))
	must(srv.Push(ctx, "base/demo:1.4.8", base))
	must(srv.Push(ctx, "team/app:1.0", app))

	client := registry.New(registry.Options{})
	defer client.Close()
	store := lineage.NewMemory()
	scanner := scan.Scanner{Registry: client, Store: store}
	result, err := scanner.Scan(ctx, scan.What{Registries: []string{srv.Host}})
	fmt.Println(result.Images, "images,", result.Failed, "problems", err)
	for v, err := range lineage.Derived(ctx, store, lineage.Of{Repository: srv.Ref("base/demo")}, lineage.Options{}) {
		fmt.Println(v.Image.Digest == must(app.Digest()).String(), v.Grade, err)
	}
	// Output:
	// 2 images, 0 problems <nil>
	// true layer chain <nil>
}
