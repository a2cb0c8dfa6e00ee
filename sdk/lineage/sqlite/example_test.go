package sqlite_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
)

// The graph is in one file.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "lineage")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := sqlite.Open(ctx, filepath.Join(dir, "lineage.db"), sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	base, app := "sha256:"+strings.Repeat("b", 64), "sha256:"+strings.Repeat("a", 64)
	err = store.Put(ctx, lineage.Batch{Edges: []lineage.Edge{{
		Image: lineage.Image{Digest: app}, Base: base, Role: lineage.RoleBase, Grade: lineage.GradeBuild, Source: "build 42",
	}}})
	if err != nil {
		log.Fatal(err)
	}
	for v, err := range lineage.Derived(ctx, store, lineage.Of{Digests: []string{base}}, lineage.Options{}) {
		fmt.Println(v.Image.Digest == app, v.Grade, err)
	}
	// Output:
	// true build record <nil>
}
