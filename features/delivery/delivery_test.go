// Package delivery_test runs the features of this directory: what Plimsoll promises, in its users' words, against the real
// parts. The definitions are in git repositories, images are built by BuildKit and run in a sandbox, the registry is one on
// loopback. A new promise is a new .feature file and, where it has words of its own, a new file of steps.
package delivery_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cucumber/godog"

	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
)

// engines are started once for all scenarios.
type engines struct {
	builder homes.Builder
	sandbox homes.Sandbox
}

func TestFeatures(t *testing.T) {
	testenv.NeedsUserNamespaces(t)
	state := t.TempDir()
	builder, err := homes.NewBuilder(t.Context(), "embedded", state)
	if err != nil {
		t.Fatal(err)
	}
	defer builder.Close()
	sandbox, err := homes.NewSandbox(t.Context(), "embedded", state)
	if err != nil {
		t.Fatal(err)
	}
	defer sandbox.Close()
	ran := 0
	suite := godog.TestSuite{
		Name: "delivery",
		ScenarioInitializer: func(sc *godog.ScenarioContext) {
			y := &yard{engines: engines{builder, sandbox}}
			o := &ops{yard: y}
			sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) { return ctx, y.open() })
			sc.After(func(ctx context.Context, _ *godog.Scenario, _ error) (context.Context, error) {
				ran++
				return ctx, errors.Join(o.close(), y.close())
			})
			y.sourceSteps(sc)
			y.deliverySteps(sc)
			y.moveSteps(sc)
			o.banSteps(sc)
		},
		Options: &godog.Options{Format: "pretty", Output: t.Output(), Paths: []string{"."}, FS: os.DirFS("."), Strict: true, TestingT: t, NoColors: true},
	}
	if suite.Run() != 0 {
		t.Error("promises are not kept")
	}
	if want := scenarios(t); ran != want {
		t.Errorf("%d scenarios were run, the files have %d", ran, want)
	}
}

// scenarios counts those in the files, each line of examples for one, so that none is left out unseen.
func scenarios(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".feature") {
			continue
		}
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		quoted, examples := false, false
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			switch {
			case line == `"""`:
				quoted = !quoted
			case quoted:
			case strings.HasPrefix(line, "Scenario:"):
				n++
				examples = false
			case strings.HasPrefix(line, "Scenario Outline:"):
				examples = false
			case strings.HasPrefix(line, "Examples:"):
				examples = true
				n-- // the line of names
			case examples && strings.HasPrefix(line, "|"):
				n++
			}
		}
	}
	return n
}
