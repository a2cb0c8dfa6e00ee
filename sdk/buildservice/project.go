package buildservice

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

// Project is what Ops lets be built from a repository, and where it goes. Name, Repository and Publish are required.
type Project struct {
	// Name names it in builds, caches and the audit log. Team is whose quota its builds count for. Default: Name.
	Name, Team string
	// Repository is the git repository that requests name, and Directories are patterns (path.Match) for the directories in
	// it. Default: any. Of two projects with the same repository the first one that fits counts.
	Repository  string
	Directories []string
	// Publish is where images go: "registry.example/team/app". "{directory}" in it stands for the request's directory.
	Publish string
	// Tags are patterns (path.Match) for the tags that a request may ask for. Default: none, only the digest.
	Tags []string
	// Args are the names of the build arguments that a request may give. Default: none.
	Args []string
	// Platforms are built when a request names none, and the only ones that it may name. Default: the builder's own.
	Platforms []string
	// MaxPriority is the highest priority that a request may ask for. Default 2; 1 is higher.
	MaxPriority int
	// Cache names whose cache mounts its builds use. Default: Name, so that no project sees another's; give several the same
	// to share on purpose.
	Cache string
	// Labels describe the project to the catalog's exceptions.
	Labels map[string]string
	// Network is what RUN steps may reach. Default: nothing.
	Network build.Network
	// Auth logs in to the repository. Default: no credentials.
	Auth source.Auth
	// Secrets returns what RUN --mount=type=secret of this project's builds, and of no other's, can read. It is asked for
	// each run. Default: none.
	Secrets func(ctx context.Context) (map[string][]byte, error)
	// Grants say who may do what with this project's builds.
	Grants []callers.Grant
}

func (p *Project) withDefaults() (Project, error) {
	out := *p
	if out.Team == "" {
		out.Team = out.Name
	}
	if out.Cache == "" {
		out.Cache = out.Name
	}
	if out.MaxPriority == 0 {
		out.MaxPriority = 2
	}
	if out.Name == "" || out.Repository == "" || out.Publish == "" {
		return out, fmt.Errorf("the project %q needs a name, a repository and where to publish", p.Name)
	}
	if _, err := name.NewRepository(strings.ReplaceAll(out.Publish, "{directory}", "x")); err != nil {
		return out, fmt.Errorf("the project %s: where to publish: %w", out.Name, err)
	}
	for _, pattern := range slices.Concat(out.Directories, out.Tags) {
		if _, err := path.Match(pattern, ""); err != nil {
			return out, fmt.Errorf("the project %s: the pattern %q: %w", out.Name, pattern, err)
		}
	}
	for _, g := range out.Grants {
		if err := g.Check(); err != nil {
			return out, fmt.Errorf("the project %s: %w", out.Name, err)
		}
	}
	return out, nil
}

// has says whether a request is for this project.
func (p *Project) has(r api.Request) bool {
	if sameRepository(r.Repository) != sameRepository(p.Repository) {
		return false
	}
	return len(p.Directories) == 0 || matchesAny(p.Directories, r.Directory)
}

// sameRepository makes the usual spellings of a repository's URL equal.
func sameRepository(url string) string {
	return strings.TrimSuffix(strings.TrimSuffix(url, "/"), ".git")
}

func matchesAny(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, text)
		return err == nil && ok
	})
}

// clean writes a request in the one way that counts when requests are compared, with the project's defaults.
func (p *Project) clean(r api.Request) (api.Request, error) {
	r.Repository = p.Repository
	dir := path.Clean("/" + r.Directory)[1:]
	if r.Directory != "" && dir != strings.Trim(r.Directory, "/") && r.Directory != "." {
		return r, fmt.Errorf("the directory %q: write it plainly, without dots", r.Directory)
	}
	r.Directory = dir
	if r.Dockerfile == "" {
		r.Dockerfile = "Dockerfile"
	}
	if r.Priority == 0 {
		r.Priority = max(2, p.MaxPriority)
	}
	if len(r.Platforms) == 0 {
		r.Platforms = p.Platforms
	}
	r.Tags = slices.Sorted(slices.Values(r.Tags))
	return r, p.check(r)
}

// check refuses what the configuration does not allow a request to ask for.
func (p *Project) check(r api.Request) error {
	var errs []error
	if r.Priority < p.MaxPriority {
		errs = append(errs, fmt.Errorf("the priority %d is above this project's, %d", r.Priority, p.MaxPriority))
	}
	for _, platform := range r.Platforms {
		if len(p.Platforms) > 0 && !slices.Contains(p.Platforms, platform) {
			errs = append(errs, fmt.Errorf("the platform %s is not one of this project's: %s", platform, strings.Join(p.Platforms, ", ")))
		}
	}
	for arg := range r.Args {
		if !slices.Contains(p.Args, arg) {
			errs = append(errs, fmt.Errorf("the build argument %s is not one that this project's requests may give: Ops' configuration lists them", arg))
		}
	}
	for _, tag := range r.Tags {
		if !matchesAny(p.Tags, tag) {
			errs = append(errs, fmt.Errorf("the tag %s is not one that this project's requests may ask for: Ops' configuration has patterns", tag))
		}
	}
	if _, err := p.publish(r); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// publish is where the image of a request goes.
func (p *Project) publish(r api.Request) (string, error) {
	to := strings.ReplaceAll(p.Publish, "{directory}", strings.ToLower(r.Directory))
	if _, err := name.NewRepository(to); err != nil {
		return "", fmt.Errorf("the directory %q makes no name for an image: %w", r.Directory, err)
	}
	return to, nil
}
