package rpm_test

import (
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/rpm"
)

func ExampleDatabase() {
	options := blackbox.Options{Packages: append(packages.All(), rpm.Database{})}
	for _, d := range options.Packages {
		fmt.Println(d.Type())
	}
	// Output:
	// deb
	// apk
	// pypi
	// npm
	// gem
	// rpm
}
