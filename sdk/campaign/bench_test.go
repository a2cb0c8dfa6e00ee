package campaign_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/campaign"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
)

// BenchmarkLook previews a ban of a base with so many images on it, a hundredth of which run, from an SQLite index.
func BenchmarkLook(b *testing.B) {
	for _, images := range []int{100, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(images), func(b *testing.B) {
			store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "lineage.db"), sqlite.Options{CacheMiB: 256})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			fill(b, store, images)
			parts := campaign.Parts{Lineage: store, Catalog: func(context.Context) (*catalog.Catalog, error) {
				return catalog.Load("catalog.yaml", []byte(`version: 1
owner: platform
bases: [{repository: registry.example/base, tags: ["*"]}]
bans: [{id: BAN-1, repository: registry.example/base, tags: ["12.8"], reason: holes, severity: high, denyFrom: 2026-05-01, author: ana, approver: bo}]
`))
			}}
			for b.Loop() {
				p, err := campaign.Look(b.Context(), parts, "BAN-1")
				if err != nil {
					b.Fatal(err)
				}
				if p.Images != images+1 || len(p.Running) != images/100 {
					b.Fatalf("%d images, %d run", p.Images, len(p.Running))
				}
			}
		})
	}
}

func fill(b *testing.B, store lineage.Store, images int) {
	b.Helper()
	base := hash("base")
	batch := lineage.Batch{
		Images: []lineage.Image{{Digest: base, Kind: lineage.KindManifest}},
		Tags:   []lineage.Tag{{Repository: "registry.example/base", Name: "12.8", Digest: base}},
	}
	put := func() {
		if err := store.Put(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		batch = lineage.Batch{}
	}
	for i := range images {
		img := lineage.Image{
			Digest: hash(fmt.Sprint("m", i)), Kind: lineage.KindManifest, Config: hash(fmt.Sprint("c", i)), Owner: fmt.Sprint("team-", i%50),
			Definition: lineage.Definition{Repository: fmt.Sprint("https://git.example/", i%5000), Path: "Dockerfile", Grade: lineage.GradeBuild},
		}
		batch.Images = append(batch.Images, img)
		batch.Edges = append(batch.Edges, lineage.Edge{Image: img, Base: base, Role: lineage.RoleBase, Grade: lineage.GradeBuild})
		if i%100 == 0 {
			batch.Instances = append(batch.Instances, lineage.Instance{Place: "docker://host", ID: fmt.Sprint(i), Digest: img.Digest})
		}
		if i%2000 == 1999 {
			put()
		}
	}
	put()
}
