package lineage_test

import (
	"context"
	"fmt"
	"log"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Everything that stands on a base, with the evidence.
func Example() {
	ctx := context.Background()
	store := lineage.NewMemory()
	defer store.Close()

	base, app := manifest("base", "os"), manifest("app", "os", "program")
	program := lineage.Edge{
		Image: app, Base: digest("compiler"), Name: "docker.io/library/golang:1.26", Role: lineage.RoleStage,
		Grade: lineage.GradeBuild, Source: "build 42",
	}
	err := store.Put(ctx, lineage.Batch{
		Images: []lineage.Image{base, app},
		Edges:  []lineage.Edge{program},
		Tags: []lineage.Tag{
			{Repository: "registry.example/base", Name: "12.8", Digest: base.Digest},
			{Repository: "registry.example/app", Name: "1.0", Digest: app.Digest},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, of := range []lineage.Of{{Repository: "registry.example/base"}, {Repository: "docker.io/library/golang"}} {
		for v, err := range lineage.Derived(ctx, store, of, lineage.Options{}) {
			if err != nil {
				log.Fatal(err)
			}
			for tag, err := range store.Tags(ctx, lineage.TagFilter{Digests: []string{v.Image.Digest}, Current: true}) {
				if err != nil {
					log.Fatal(err)
				}
				fmt.Printf("%s: %s of %s, by %s (%s)\n", tag, v.Edge.Role, of.Repository, v.Grade, v.Edge.Source)
			}
		}
	}
	// Output:
	// registry.example/app:1.0: base of registry.example/base, by layer chain (its first 1 of 2 layers)
	// registry.example/app:1.0: stage of docker.io/library/golang, by build record (build 42)
}
