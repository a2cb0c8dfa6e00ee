package buildkit_test

import (
	"slices"
	"strings"
	"testing"

	docker "github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/conformance"
)

func TestDockerConformance(t *testing.T) {
	testenv.NeedsDocker(t)
	c, err := docker.New(docker.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	b, err := buildkit.Docker(t.Context(), c, buildkit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	t.Logf("%+v", b.Home())
	weak := !b.Home().Enforces
	conformance.Test(t, b, conformance.Lacks{Enforcement: weak, RunNetwork: weak, Platforms: slices.ContainsFunc(b.Home().Weaknesses, func(w string) bool { return strings.Contains(w, "one platform") })})
}
