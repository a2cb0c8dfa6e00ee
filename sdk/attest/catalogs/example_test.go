package catalogs_test

import (
	"context"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/plimsoll-dev/plimsoll/sdk/attest/catalogs"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// What is pushed is one archive with everything that the catalog includes.
func ExamplePack() {
	files := fstest.MapFS{
		"catalog.yaml":     {Data: []byte("version: 1\ninclude: [{path: teams}]\n")},
		"teams/linux.yaml": {Data: []byte("version: 1\nowner: linux\nbases: [{repository: docker.io/library/debian, tags: ['12']}]\n")},
	}
	ctx := context.Background()
	archive, packed, err := catalogs.Pack(ctx, files, "catalog.yaml", catalog.Loader{})
	if err != nil {
		log.Fatal(err)
	}
	opened, err := catalogs.Open(ctx, archive, catalog.Loader{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(opened.Digest() == packed.Digest(), opened.Document().Bases[0].Place)
	// Output: true teams/linux.yaml:3:9
}
