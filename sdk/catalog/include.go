package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Include names a part of the catalog that is kept elsewhere: by Path alone in the same directory, by Git and Commit in a
// git repository, by OCI in a registry. The last two are pinned, so that a catalog means the same for everyone who has
// its root.
//
// Parts from git and OCI add, and never weaken. A repository, and a host of http and git sources, is listed and moved by
// one part only; bans and the state banned hold from whatever part they come; an exception lifts no other part's ban;
// settings (contexts, args, inline) that several parts make all have to be met. An included part makes exceptions only for the
// projects that its include names.
type Include struct {
	// Path is a file or directory: relative to the including file, within the directory that is loaded; with Git or OCI
	// the one in there that is meant. Default: its root.
	Path string `json:"path,omitempty"`
	// Git is a repository's URL and Commit the full id of a commit in it.
	Git    string `json:"git,omitempty"`
	Commit string `json:"commit,omitempty"`
	// OCI is a catalog in a registry, "registry.example/ops/catalog@sha256:...".
	OCI string `json:"oci,omitempty"`
	// Projects are the repositories for whose definitions the part may make exceptions, as [Selected] writes them:
	// "https://git.example/pay/*". Default: none.
	Projects []string `json:"projects,omitempty"`

	Place finding.Place `json:"-"`
}

// Name is how places and records call the part: its address with the first digits of its commit or digest.
func (i Include) Name() string {
	name := i.Path
	switch {
	case i.Git != "":
		name = Printable(i.Git) + "@" + i.Commit[:min(12, len(i.Commit))]
	case i.OCI != "":
		name = i.OCI
		if ref, err := parseReference(i.OCI); err == nil {
			name = ref.repository + "@" + ref.digest[:min(len("sha256:")+12, len(ref.digest))]
		}
	}
	return name
}

// Fetcher brings the files of an include from git or OCI: exactly those that it is pinned to. The path of the include is
// resolved by the loader. Packages definition and attest/catalogs have one each.
type Fetcher func(ctx context.Context, include Include) (fs.FS, error)

// IncludeError says that a part of a catalog could not be fetched. There is no catalog then.
type IncludeError struct {
	Include Include
	Err     error
}

// Error begins with the place of the include.
func (e *IncludeError) Error() string {
	return fmt.Sprintf("%s: include %s: %v", e.Include.Place, e.Include.Name(), e.Err)
}

// Unwrap returns the cause.
func (e *IncludeError) Unwrap() error { return e.Err }

var (
	errNoConditions = errors.New("a condition needs a Loader with Conditions (package catalog/cel has one)")
	errNoFetch      = errors.New("it needs a Loader with Fetch")
)

// Part is one of those that a catalog was put together of: the files at hand, and each include from git or OCI.
type Part struct {
	// Name is that of the include, "" for the files at hand; Place is where it is included.
	Name  string        `json:"name,omitempty"`
	Place finding.Place `json:"place,omitzero"`
	// Title and Revision are what its first file calls itself.
	Title    string `json:"title,omitempty"`
	Revision string `json:"revision,omitempty"`
	// Files are its files, in the order in which they were read.
	Files []string `json:"files"`
	// Include is what it was fetched by.
	Include Include `json:"include,omitzero"`
}

// Parts returns what the catalog was put together of, the files at hand first.
func (c *Catalog) Parts() []Part {
	out := make([]Part, 0, len(c.parts))
	for _, p := range c.parts {
		out = append(out, p.Part)
	}
	return out
}

// part is a [Part] while it is loaded, and afterwards the authority that an object of the catalog has.
type part struct {
	Part
	fsys   fs.FS
	parent *part
	// directory stands before the names of files in places.
	directory string
	// projects are those for which it may make exceptions; they don't limit the root.
	projects []projectMatcher
	// key is the same for includes of the same thing.
	key string
}

// grants says whether the part may make an exception for a project: if it is the root, or each include on the way to it
// names the project.
func (p *part) grants(project projectMatcher) bool {
	for ; p.parent != nil; p = p.parent {
		granted := false
		for _, grant := range p.projects {
			granted = granted || project.within(grant)
		}
		if !granted {
			return false
		}
	}
	return true
}

// within says whether all that m may match is matched by a grant, which has neither path nor condition.
func (m projectMatcher) within(grant projectMatcher) bool {
	if grant.group && !m.group {
		group, _ := cutLast(m.where)
		return group == grant.where
	}
	return m.group == grant.group && m.where == grant.where
}

// called names the part in messages.
func (p *part) called() string {
	if p.Name == "" {
		return "the including catalog"
	}
	return p.Name
}
