// Package blackbox tests container images from outside, with features in Gherkin that need no Go:
//
//	Feature: The payment service image
//	  Scenario: It runs as nobody and answers
//	    Given the image under test
//	    When an instance is started with the environment
//	      | PORT | 8080 |
//	    Then within 10 seconds "GET /health" on port 8080 answers 200
//	    And the instance runs as a user other than root
//
// In a Go test one call runs every scenario as a subtest, in parallel:
//
//	suite := blackbox.Suite{Features: os.DirFS("features"), Image: image, Runtime: runtime}
//	suite.Test(t)
//
// [Suite.Run] is the same for programs; its [Verdict] is what package results prints and [Verdict.TestResult] makes
// ready to be signed. [Steps] is the table of all sentences; STEPS.md is made from it, and [Options].Steps adds more.
//
// Steps about the configuration and the files of an image read its manifest and layers and need no instance. No step
// runs a shell in an image, so distroless images are tested like any other.
//
// A run passes only when every scenario ran and passed. What a Gherkin runner usually lets through is a failure with
// its place: a feature without scenarios, a misspelled keyword, a step that nothing or more than one thing matches, a
// tag expression that selects nothing, a step that the sandbox can't do.
//
// The package does not build, pull or publish images. The wording of steps is part of the API and follows the
// module's version.
package blackbox

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Suite is what to test with which features. Features and one of Image and Index are required. A Suite may be run
// more than once, but not changed meanwhile.
type Suite struct {
	// Features holds the .feature files.
	Features fs.FS
	// Paths in Features: files, "file:line" for one scenario, or directories. Default: everything.
	Paths []string
	// Reference is how the image is called in features and results. Default: its digest.
	Reference string
	// Image is the image under test, or Index an index of which every platform is tested.
	Image v1.Image
	Index v1.ImageIndex
	// Runtime starts instances. Without one, steps that need an instance fail.
	Runtime sandbox.Runtime
	Options Options
}

// Options change how a [Suite] runs. The zero value is what most need.
type Options struct {
	// Platforms of the index to test, as "linux/arm64". Default: all of them.
	Platforms []string
	// Tags is a Cucumber tag expression that selects scenarios, such as "@smoke and not @slow".
	Tags string
	// Params replace "${name}" in steps, tables and doc strings; "$${name}" stays as "${name}".
	Params map[string]string
	// Steps are understood beside those of [Steps].
	Steps []Step
	// Images finds the other images that features name, such as a database. Default: none can be found.
	Images func(ctx context.Context, reference, platform string) (v1.Image, error)
	// Packages are the package databases that package steps read. Default: [packages.All].
	Packages []packages.Database
	// Concurrency is how many scenarios run at the same time. Default: twice the number of CPUs that Go uses.
	Concurrency int
	// ScenarioTime is how long one scenario may take. Default: 2 minutes. "Given a time budget of" sets another.
	ScenarioTime time.Duration
	// Limits of every instance; zero fields mean [sandbox.DefaultLimits].
	Limits sandbox.Limits
	// Layers bound what is read of an image's layers; zero fields mean the defaults of [imagefs.Limits].
	Layers imagefs.Limits
	// Done is told of each scenario when it has ended, and how many of how many have on its platform. Scenarios run at the
	// same time, but it is called for one at a time. Default: nobody is told.
	Done func(s ScenarioResult, ended, all int)
	// Tool and Version name the program that runs the suite in its results. Default: "plimsoll", "".
	Tool, Version string
	// Now is the clock. Default: the system's.
	Now func() time.Time
}

func (o Options) orDefault() Options {
	if o.Packages == nil {
		o.Packages = packages.All()
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 2 * runtime.GOMAXPROCS(0)
	}
	if o.ScenarioTime == 0 {
		o.ScenarioTime = 2 * time.Minute
	}
	if o.Tool == "" {
		o.Tool = "plimsoll"
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	return o
}

// Run runs the features and says what came out. An error means that the question could not be answered: the features
// can't be read, the options are wrong, the context ended; what was found until then is in the verdict, which is never
// nil. Whether the image passes is [Verdict.Err].
func (s *Suite) Run(ctx context.Context) (*Verdict, error) { return s.run(ctx, nil) }

// NeedsRuntime says whether a selected scenario has a step that needs an instance. Without one, a suite needs no sandbox.
func (s *Suite) NeedsRuntime() (bool, error) {
	options := s.Options.orDefault()
	library, files, err := s.read(options)
	if err != nil {
		return false, err
	}
	p, err := makePlan(files, options, library)
	return err == nil && p.needsRuntime(), err
}

// Test runs the features as subtests of t, one for each scenario, and fails t unless the verdict passes. Several
// platforms are subtests of their names; what can't be tested here is skipped with the reason.
func (s *Suite) Test(t *testing.T) {
	t.Helper()
	verdict, err := s.run(t.Context(), t)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range verdict.Problems {
		t.Error(p)
	}
	err = verdict.Err()
	if _, untested := errors.AsType[*UntestedError](err); untested {
		if len(verdict.Platforms) == 1 {
			t.Skip(err)
		}
		return // each platform says so by itself
	}
	if err != nil && !t.Failed() {
		t.Error(err)
	}
}
