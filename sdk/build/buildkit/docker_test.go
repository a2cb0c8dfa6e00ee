package buildkit_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/conformance"
)

func TestDockerConformance(t *testing.T) {
	testenv.NeedsDocker(t)
	b, err := buildkit.Docker(t.Context(), "", buildkit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	t.Logf("%+v", b.Home())
	weak := !b.Home().Enforces
	conformance.Test(t, b, conformance.Lacks{Enforcement: weak, RunNetwork: weak, Triggers: weak, Platforms: slices.ContainsFunc(b.Home().Weaknesses, func(w string) bool { return strings.Contains(w, "one platform") })})
}
