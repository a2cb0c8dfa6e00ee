package page_test

import (
	"log"
	"os"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/page"
)

func ExampleText() {
	cat, err := catalog.Load("catalog.yaml", []byte(`version: 1
owner: linux
bases:
  - {repository: docker.io/library/debian, versions: "12.x", state: deprecated, until: 2026-12-31}
`))
	if err != nil {
		log.Fatal(err)
	}
	view := page.New(cat, time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC))
	view.Digest = "sha256:..." // short for this page
	if err := page.Text(os.Stdout, view, nil); err != nil {
		log.Fatal(err)
	}
	// Output:
	// Catalog without a name, owner linux
	// sha256:...
	//
	// Bases (1)
	//   deprecated docker.io/library/debian versions 12.x
	//              runtime · refused after 2026-12-31 · owner linux
}
