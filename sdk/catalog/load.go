package catalog

import (
	"bytes"
	"cmp"
	"context"
	"io/fs"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Limits of what is read. Catalogs are written by people; these are far above any of them.
const (
	maxFileBytes  = 4 << 20
	maxTotalBytes = 64 << 20
	maxFiles      = 1000
	maxItems      = 10_000 // of each list
	maxProblems   = 200
)

// Condition says whether an exception's condition holds for a project. An error denies.
type Condition func(Project) (bool, error)

// Loader loads catalogs. The zero value does, unless an exception has a condition or a part is kept elsewhere.
type Loader struct {
	// Conditions compiles the conditions of exceptions (project.when). Package catalog/cel has one. Nil refuses catalogs
	// that have conditions.
	Conditions func(expression string) (Condition, error)
	// Fetch brings the parts that are kept elsewhere; see [Include]. Nil refuses catalogs that have such.
	Fetch Fetcher
	// Directory is put before the names of files in places, "ops/catalog" for ops/catalog/bases.yaml, so that people find
	// them from where they are. Default: names are relative to the root of what is loaded.
	Directory string
	// Origin is where the files are from, when that is a registry. It is kept for records.
	Origin Origin
}

// Load reads a catalog from one file; name is what messages and decisions call it. The error is a [*LoadError] with
// all problems and their places.
func Load(name string, src []byte) (*Catalog, error) { return Loader{}.Load(name, src) }

// LoadFS reads a catalog that is split over files: every .yaml and .yml file in fsys at root or below it, in the order
// of their paths. Hidden files and directories are left out. root may be a file, which then says by [Include] what else
// belongs to it. The error is a [*LoadError] when the files were read but are not a catalog.
func LoadFS(fsys fs.FS, root string) (*Catalog, error) { return Loader{}.LoadFS(fsys, root) }

// Load is [Load] with the loader's settings.
func (l Loader) Load(name string, src []byte) (*Catalog, error) {
	r := newReader(l, &part{})
	r.source(nil, name, src)
	return r.finish(context.Background())
}

// LoadFS is [LoadFS] with the loader's settings. What is fetched, is fetched without a way to stop it; see LoadContext.
func (l Loader) LoadFS(fsys fs.FS, root string) (*Catalog, error) {
	return l.LoadContext(context.Background(), fsys, root)
}

// LoadContext is LoadFS that ends with ctx. The error is an [*IncludeError] when a part could not be fetched.
func (l Loader) LoadContext(ctx context.Context, fsys fs.FS, root string) (*Catalog, error) {
	r := newReader(l, &part{fsys: fsys})
	if err := r.tree(nil, r.root, root, finding.Place{}); err != nil {
		return nil, err
	}
	return r.finish(ctx)
}

// Problem is one thing wrong with a catalog.
type Problem struct {
	Place   finding.Place `json:"place"`
	Message string        `json:"message"`
}

// String is "catalog.yaml:12:5: message".
func (p Problem) String() string { return p.Place.String() + ": " + p.Message }

// LoadError is a catalog that can't be used: everything that is wrong with it, by file and line. No part of such a
// catalog is usable.
type LoadError struct {
	Problems []Problem
}

func newLoadError(problems []Problem) *LoadError {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			strings.Compare(a.Place.File, b.Place.File),
			a.Place.Start.Line-b.Place.Start.Line,
			a.Place.Start.Column-b.Place.Start.Column,
			strings.Compare(a.Message, b.Message))
	})
	problems = slices.Compact(problems)
	if len(problems) > maxProblems {
		problems = append(problems[:maxProblems], Problem{Place: problems[maxProblems].Place, Message: "there are more problems"})
	}
	return &LoadError{Problems: problems}
}

// Error lists the problems, one on a line.
func (e *LoadError) Error() string {
	var b bytes.Buffer
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// Findings returns the problems as findings of rule DF1090, for reports.
func (e *LoadError) Findings() []finding.Finding {
	var out []finding.Finding
	for _, p := range e.Problems {
		out = append(out, finding.Finding{Rule: RuleCatalogBroken, Severity: finding.Error, Place: p.Place, Message: p.Message})
	}
	return out
}
