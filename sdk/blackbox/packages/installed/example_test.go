package installed_test

import (
	"context"
	"fmt"
	"log"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/installed"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

func ExampleRead() {
	list, err := installed.Read(context.Background(), empty.Image, false)
	if err != nil {
		log.Fatal(err)
	}
	banned, err := list.Carries(catalog.Package{Type: "deb", Name: "libssl3", Below: "3.0.14-1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(banned)
	// Output: false
}
