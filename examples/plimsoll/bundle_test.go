package main

import (
	"context"
	"errors"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// recordLineage makes a lineage index of the images in the registry: "lineage FILE".
func recordLineage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: lineage FILE")
	}
	ctx := context.Background()
	client := registry.New(registry.Options{})
	defer client.Close()
	store, err := sqlite.Open(ctx, ts.MkAbs(args[0]), sqlite.Options{})
	ts.Check(err)
	var batch lineage.Batch
	repository := ts.Getenv("HOST") + "/base/userland"
	for _, tag := range []string{"1.4.8", "1.4.9"} {
		got, err := client.Config(ctx, repository+":"+tag, "linux/amd64")
		ts.Check(err)
		batch.Images = append(batch.Images,
			lineage.Image{Digest: got.Manifest, Kind: lineage.KindManifest, Platform: got.Platform},
			lineage.Image{Digest: got.Digest, Kind: lineage.KindIndex, Manifests: []lineage.Child{{Digest: got.Manifest, Platform: got.Platform}}})
		batch.Tags = append(batch.Tags, lineage.Tag{Repository: repository, Name: tag, Digest: got.Digest})
	}
	ts.Check(errors.Join(store.Put(ctx, batch), store.Close()))
}
