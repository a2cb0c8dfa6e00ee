package storm_test

import (
	"context"
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
)

// By hand every base is replaced by one and the same; [storm.FromBan] asks the catalog instead.
func ExampleTo() {
	replace := storm.To("registry.example/base/debian:12.9", "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", false)
	to, err := replace(context.Background(), storm.Base{Name: "registry.example/base/debian:12.8"}, catalog.Project{})
	fmt.Println(to.Name, err)
	// Output: registry.example/base/debian:12.9 <nil>
}
