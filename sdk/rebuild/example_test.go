package rebuild_test

import (
	"context"
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// A patched base, and an image that has a file of its own and one that the new base changed.
func ExampleJudge() {
	base := func(version string) *rebuild.Base {
		img, err := registrytest.Image(map[string]string{"etc/os-release": version}, registrytest.ImageOptions{})
		if err != nil {
			panic(err)
		}
		read, err := rebuild.ReadBase(context.Background(), img, imagefs.Limits{})
		if err != nil {
			panic(err)
		}
		return read
	}
	change := rebuild.Compare(base("12.8"), base("12.9"))

	facts := &rebuild.Image{
		Config: change.Old.Config, Raw: change.Old.Raw, Layers: change.Old.Layers,
		Evidence: rebuild.Evidence{Grade: lineage.GradeSigned, RuntimeOnly: true},
	}
	layer := &rebuild.Touched{Paths: []rebuild.Entry{{Path: "app/server"}, {Path: "etc/os-release"}}}
	verdict := rebuild.Judge(facts, change, []*rebuild.Touched{layer}, rebuild.Policy{})
	fmt.Println(verdict.Verb)
	for _, reason := range verdict.Reasons {
		fmt.Println(reason)
	}
	// Output:
	// rebuild
	// layer 2: /etc/os-release: is written here, and was changed in the new base
}
