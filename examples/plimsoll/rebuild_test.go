package main

import (
	"context"
	"errors"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/scan"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// ship pushes an image on base/userland:1.4.8 and records in a lineage index that it was built so: "ship FILE NAME OWNER".
// With "changed" as a last argument it has a file that a newer base has too.
func ship(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: ship FILE NAME OWNER [changed]")
	}
	ctx := context.Background()
	client := registry.New(registry.Options{})
	defer client.Close()
	on := ts.Getenv("HOST") + "/base/userland:1.4.8"
	base, err := client.Image(ctx, on, "linux/amd64")
	ts.Check(err)
	baseDigest, err := base.Digest()
	ts.Check(err)
	files := map[string]string{"app/" + args[1]: "1"}
	if len(args) > 3 {
		files["etc/os-release"] = "ID=own\n"
	}
	config, err := base.ConfigFile()
	ts.Check(err)
	img, err := registrytest.Image(files, registrytest.ImageOptions{Base: base, Config: config.Config})
	ts.Check(err)
	index, err := registrytest.Index(img)
	ts.Check(err)
	repository := ts.Getenv("HOST") + "/team/" + args[1]
	pushed, err := client.Push(ctx, repository, index, registry.PushOptions{Tags: []string{"1.0"}})
	ts.Check(err)
	batch, err := scan.Index(index)
	ts.Check(err)
	for i := range batch.Images {
		m := &batch.Images[i]
		if m.Kind != lineage.KindManifest {
			continue
		}
		m.Owner = args[2]
		batch.Edges = append(batch.Edges, lineage.Edge{
			Image: lineage.Image{Digest: m.Digest}, Base: baseDigest.String(), Name: on, Role: lineage.RoleBase, Grade: lineage.GradeBuild, Source: "build 1",
		})
	}
	batch.Tags = append(batch.Tags, lineage.Tag{Repository: repository, Name: "1.0", Digest: pushed.DigestStr(), Since: time.Now()})
	store, err := sqlite.Open(ctx, ts.MkAbs(args[0]), sqlite.Options{})
	ts.Check(err)
	ts.Check(errors.Join(store.Put(ctx, batch), store.Close()))
}
