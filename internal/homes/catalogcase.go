package homes

import (
	"context"
	"testing/fstest"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
)

// ReadCase fills the inputs of a case with what a build of its Dockerfile would read. A case without a registry gets one in
// which everything exists.
func ReadCase(ctx context.Context, c *catalogtest.Case) error {
	if c.Inputs != nil || c.Dockerfile == "" {
		return nil
	}
	file, err := definition.Parse("Dockerfile", []byte(c.Dockerfile))
	if err != nil {
		return err
	}
	if c.Registry == nil {
		c.Registry = &catalogtest.Registry{Everything: true}
	}
	platforms := c.Platforms
	if len(platforms) == 0 {
		platforms = []string{"linux/amd64"}
	}
	c.Inputs, err = inputs.List(ctx, &definition.Definition{File: file, Context: fstest.MapFS{}}, inputs.Options{
		Resolver: c.Registry, Platforms: platforms, BuildPlatform: "linux/amd64", Args: c.BuildArgs, Target: c.Target, AllStages: true,
	})
	return err
}
