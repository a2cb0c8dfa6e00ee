package packages_test

import (
	"context"
	"fmt"
	"log"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
)

func ExampleRead() {
	ctx := context.Background()
	files, err := imagefs.New(ctx, empty.Image, imagefs.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	all, err := packages.Read(ctx, files, packages.All()...)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(all), "packages")
	// Output: 0 packages
}

func ExamplePackage_Compare() {
	openssl := packages.Package{Name: "openssl", Version: "3.0.15-1~deb12u1", Type: "deb"}
	order, err := openssl.Compare("3.0.17-1~deb12u2")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(order < 0)
	// Output: true
}
