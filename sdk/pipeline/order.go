package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

// Order is what to deliver. Repository and Layout are required.
type Order struct {
	// Repository is a URL or path, Ref a commit, branch or tag in it (default HEAD), and Load says the rest: the context's
	// directory, the Dockerfile's name, who compiles higher-level definitions and which of their targets is meant, limits.
	Repository, Ref string
	Load            source.Options
	// Files are the source where there is no repository to read, such as a directory of Dagger's. Repository is then the
	// caller's word, nothing proves a commit, and such an image is never published. Default: they are read from Repository.
	Files fs.FS
	// Labels describe the project to the catalog's exceptions.
	Labels map[string]string
	// Platforms, Target, Args, Secrets and Network are those of build.Request. What a higher-level definition says about
	// platforms counts when Platforms is empty; Args come over its own; its stage comes over Target.
	Platforms []string
	Target    string
	Args      map[string]string
	Secrets   map[string][]byte
	Network   build.Network
	// Features are the black-box tests. Nil takes the definition's own, from [FeaturesDir] of its context.
	Features fs.FS
	// Params are what "${name}" in features stands for.
	Params map[string]string
	// BuildOnly stops after the build, for who wants the image and tests it elsewhere. It goes with an empty Publish.
	BuildOnly bool
	// Layout is the directory for the OCI layout; see build.Request.
	Layout string
	// Publish is the repository to publish to ("registry.example/team/app"), Tags what its digest is called there.
	// An empty Publish stops the delivery after the test.
	Publish string
	Tags    []string
	// Invocation is what the caller calls this delivery; provenance has it.
	Invocation string
}

// FeaturesDir is where a definition keeps its black-box tests: every .feature file below this directory of its context.
const FeaturesDir = "features"

// check finds what could only fail later, after the work was done.
func (o Order) check() error {
	for i, p := range o.Platforms {
		if slices.Contains(o.Platforms[:i], p) {
			return fmt.Errorf("the platform %s is asked for twice", p)
		}
	}
	if o.BuildOnly && o.Publish != "" {
		return errors.New("an order that stops after the build publishes nothing: leave out Publish, or have the image tested")
	}
	if o.Publish != "" {
		repository, err := name.NewRepository(o.Publish)
		if err != nil {
			return fmt.Errorf("the repository to publish to: %w", err)
		}
		for _, tag := range o.Tags {
			if _, err := name.NewTag(repository.Name() + ":" + tag); err != nil {
				return fmt.Errorf("the tag to publish as: %w", err)
			}
		}
	}
	entries, err := os.ReadDir(o.Layout)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the directory for the OCI layout: %w", err)
	case len(entries) > 0:
		return fmt.Errorf("the directory for the OCI layout, %s, is not empty: name a new one", o.Layout)
	}
	return nil
}

// project is what the catalog's exceptions are matched with.
func (o Order) project(origin definition.Source) catalog.Project {
	return catalog.Project{Repository: origin.Repository, Directory: origin.Directory, Labels: o.Labels}
}
