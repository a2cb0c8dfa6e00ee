package definition

import (
	"context"
	"io/fs"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Compiler turns a higher-level definition into what a Dockerfile build needs. Packages bake, compose and template have
// one each. A compiler reads the files of the repository and nothing else: neither network, environment nor any other
// file of the machine. Implementations are safe for concurrent use.
type Compiler interface {
	// Names are the file names that a definition of this kind has when nobody names another, the first that exists counts.
	Names() []string
	// Matches says whether a file is of this kind, by its name or its content.
	Matches(name string, content []byte) bool
	// Compile returns the targets of a file, in the order of the file. The error is a [*SyntaxError] where there is a
	// place.
	Compile(ctx context.Context, in Project) ([]Target, error)
}

// Project is what a compiler is given: one file of a repository, and the others to look at.
type Project struct {
	// Files is the repository, its root ".".
	Files fs.FS
	// Name is the file's path in it, Content what it holds, Dir the directory that relative paths start from.
	Name, Dir string
	Content   []byte
	// Targets are the names of what is wanted: targets, groups or patterns. None means the file's default.
	Targets []string
}

// Target is one image of a higher-level definition.
type Target struct {
	// Name is what the file calls it.
	Name string
	// Place is where the file describes it.
	Place finding.Place
	// Context is the directory of the build context in the repository.
	Context string
	// Dockerfile is a path in the repository. Where Text is given, it names only where the text came from.
	Dockerfile string
	// Text is a Dockerfile that the file holds itself, or that was made; Map leads from there to what was written.
	Text []byte
	Map  Map
	// Build is what else the file says.
	Build Build
}

// Build is what a higher-level definition says about a build, beside its Dockerfile and context. It is zero for a plain
// Dockerfile.
type Build struct {
	// Target is the name of what is built, "app" of a bake file or compose file; Place is where it is described.
	Target string        `json:"target,omitempty"`
	Place  finding.Place `json:"place,omitzero"`
	// Stage is the stage to build; "" means the last one.
	Stage string `json:"stage,omitempty"`
	// Args are build arguments, Labels are put on the image, Platforms are "os/arch[/variant]".
	Args      map[string]string `json:"args,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Platforms []string          `json:"platforms,omitempty"`
	// Contexts are named contexts: "docker-image://..." or a directory of the repository, "local:DIR".
	Contexts map[string]string `json:"contexts,omitempty"`
	// Secrets and SSH are the ids that the file names. Where it says that a value comes from, a file or a variable of the
	// machine, is not looked at: whoever builds gives the values.
	Secrets []string `json:"secrets,omitempty"`
	SSH     []string `json:"ssh,omitempty"`
	// Places are where arguments and named contexts are given, by "arg:NAME" and "context:NAME".
	Places map[string]finding.Place `json:"-"`
}
