package campaign_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/plimsoll-dev/plimsoll/sdk/campaign"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// A preview needs a catalog with the ban and the lineage index, and changes nothing.
func ExampleLook() {
	ctx := context.Background()
	index := lineage.NewMemory()
	base, pay := lineage.Image{Digest: hash("base"), Kind: lineage.KindManifest}, lineage.Image{Digest: hash("pay"), Kind: lineage.KindManifest, Owner: "payments"}
	err := index.Put(ctx, lineage.Batch{
		Images:    []lineage.Image{base, pay},
		Edges:     []lineage.Edge{{Image: pay, Base: base.Digest, Role: lineage.RoleBase, Grade: lineage.GradeSigned}},
		Tags:      []lineage.Tag{{Repository: "registry.example/base/debian", Name: "12.8", Digest: base.Digest}},
		Instances: []lineage.Instance{{Place: "docker://web-7", ID: "1", Name: "pay-1", Digest: pay.Digest}},
	})
	if err != nil {
		log.Fatal(err)
	}
	parts := campaign.Parts{
		Lineage: index,
		Catalog: func(context.Context) (*catalog.Catalog, error) {
			return catalog.Load("catalog.yaml", []byte(`version: 1
owner: platform
bases: [{repository: registry.example/base/debian, tags: ["*"]}]
bans:
  - {id: BAN-2026-17, repository: registry.example/base/debian, tags: ["12.8"], reason: holes in openssl, severity: high,
     denyFrom: 2026-05-01, replacement: {tag: "12.9"}, author: ana, approver: bo}
`))
		},
	}
	preview, err := campaign.Look(ctx, parts, "BAN-2026-17")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(preview.Images, "images,", len(preview.Running), "running")
	for _, owner := range preview.Owners {
		fmt.Printf("%q has %d\n", owner.Name, owner.Images)
	}
	if err := preview.Text(os.Stderr); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2 images, 1 running
	// "payments" has 1
	// "" has 1
}

func hash(text string) string { return fmt.Sprintf("sha256:%064x", text) }
