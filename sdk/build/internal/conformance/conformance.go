// Package conformance tests that all homes of BuildKit make the same of the same requests.
package conformance

import (
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// Lacks is what a home says that it can't do, and what is therefore not asked of it.
type Lacks struct {
	Enforcement bool // of sources
	RunNetwork  bool // RUN --network
	Platforms   bool // more than one
	Triggers    bool // told from other steps in their names
	Owners      bool // files of others than root
	Steps       bool // told one by one, with their output
}

// Test runs the whole suite against a home. The builder's keychain is anonymous.
func Test(t *testing.T, b build.Builder, lacks Lacks) {
	s := suite{builder: b, base: Userland(t, "1.4.8"), lacks: lacks}
	t.Run("image", s.image)
	t.Run("reproducible", s.reproducible)
	t.Run("owners", s.owners)
	t.Run("requests", s.requests)
	if !lacks.Steps {
		t.Run("steps", s.steps)
	}
	t.Run("triggers", s.triggers)
	t.Run("errors", s.errors)
	t.Run("network", s.network)
	t.Run("cache scope", s.cacheScope)
	t.Run("same second", s.sameSecond)
	t.Run("concurrent", s.concurrent)
	t.Run("cancel", s.cancel)
	t.Run("sources", s.sources)
	t.Run("platforms", s.platforms)
}

type suite struct {
	builder build.Builder
	base    build.Source
	lacks   Lacks
}

// created is the commit's time in all requests.
var created = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
