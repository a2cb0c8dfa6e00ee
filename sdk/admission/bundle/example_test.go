package bundle_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
)

func Example() {
	ctx := context.Background()
	b := bundle.NewBuilder(header(42))
	ban := b.Ban(bundle.Ban{ID: "BAN-7", Reason: "CVE-2026-12345 in openssl", WayOut: "build on base/debian:12.9"})
	base := b.Node(bundle.Node{Name: "base/debian:12.8", Digest: digest(1)})
	b.Deny(digest(2), bundle.Cause{Ban: ban, On: base, Role: "base", Evidence: "signed provenance"})
	b.Know(digest(3))
	var file bytes.Buffer
	if err := b.Write(ctx, &file, ops); err != nil {
		log.Fatal(err)
	}

	deny, err := bundle.Load(ctx, file.Bytes(), ops)
	if err != nil {
		log.Fatal(err)
	}
	for _, digest := range []string{digest(2), digest(3), digest(4)} {
		entry, err := deny.Find(digest)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("listed:", entry.Listed)
		for _, d := range entry.Denials {
			fmt.Printf("denied by %s, %s; it stands on %s; %s\n", d.Ban.ID, d.Ban.Reason, d.Path[0], d.Ban.WayOut)
		}
	}
	// Output:
	// listed: true
	// denied by BAN-7, CVE-2026-12345 in openssl; it stands on base/debian:12.8 (base, by signed provenance); build on base/debian:12.9
	// listed: true
	// listed: false
}
