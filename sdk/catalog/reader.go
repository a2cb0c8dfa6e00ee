package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Limits of what is included.
const (
	maxParts = 50
	maxDepth = 8 // of includes within includes
)

// reader gathers the files of a catalog, follows includes and hands each file to the compiler once.
type reader struct {
	*compiler
	fetch        Fetcher
	root         *part
	files, bytes int
	read         map[fileKey]bool
	queue        []*file
}

type fileKey struct {
	part *part
	path string
}

// file is one whose includes are still to be followed.
type file struct {
	fileKey
	from     *file // that includes it; nil for those that the caller named
	includes []Include
}

func newReader(l Loader, root *part) *reader {
	root.directory = l.Directory
	r := &reader{compiler: newCompiler(l), fetch: l.Fetch, root: root, read: map[fileKey]bool{}}
	r.catalog.parts, r.catalog.origin = []*part{root}, l.Origin
	return r
}

// finish follows the includes, checks the whole and returns the catalog.
func (r *reader) finish(ctx context.Context) (*Catalog, error) {
	for len(r.queue) > 0 {
		f := r.queue[0]
		r.queue = r.queue[1:]
		for _, include := range f.includes {
			if err := r.follow(ctx, f, include); err != nil {
				return nil, err
			}
		}
	}
	r.whole()
	if len(r.problems) > 0 {
		return nil, newLoadError(r.problems)
	}
	return r.compiler.finish()
}

// source compiles one file.
func (r *reader) source(from *file, name string, src []byte) {
	p := r.root
	if from != nil {
		p = from.part
	}
	r.add(&file{fileKey: fileKey{p, name}, from: from}, src)
}

func (r *reader) add(f *file, src []byte) {
	f.part.Files = append(f.part.Files, f.path)
	f.includes = r.compile(f.part, f.part.placed(f.path), src)
	r.queue = append(r.queue, f)
}

// placed is a file's name in places.
func (p *part) placed(name string) string {
	if p.Name == "" {
		return path.Join(p.directory, name)
	}
	return p.Name + ":" + name
}

// tree reads a file, or all catalog files of a directory. at is the include that wants it, if there is one.
func (r *reader) tree(from *file, p *part, root string, at finding.Place) error {
	found := 0
	err := fs.WalkDir(p.fsys, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && name != root
		switch ext := path.Ext(name); {
		case entry.IsDir() && hidden:
			return fs.SkipDir
		case entry.IsDir(), name != root && (hidden || ext != ".yaml" && ext != ".yml"):
			return nil
		}
		found++
		return r.open(&file{fileKey: fileKey{p, name}, from: from}, at)
	})
	if err == nil && found == 0 {
		err = fmt.Errorf("%s: no .yaml or .yml file in it", root)
	}
	return err
}

// open reads a file, unless it was read before. One that is on the way to itself is a problem.
func (r *reader) open(f *file, at finding.Place) error {
	if r.read[f.fileKey] {
		var way []string
		for from := f.from; from != nil && from.part == f.part; from = from.from {
			if way = append(way, from.path); from.path == f.path {
				slices.Reverse(way)
				r.problems = append(r.problems, Problem{at, fmt.Sprintf("%s includes itself: %s", f.path, strings.Join(append(way, f.path), " -> "))})
				break
			}
		}
		return nil
	}
	r.read[f.fileKey] = true
	if r.files++; r.files > maxFiles {
		return fmt.Errorf("%s: more than %d files; is this a directory of catalog files?", f.part.placed(f.path), maxFiles)
	}
	src, err := readFile(f.part.fsys, f.path)
	if err != nil {
		return err
	}
	if r.bytes += len(src); r.bytes > maxTotalBytes {
		return fmt.Errorf("%s: the files of the catalog have more than %d MiB together", f.part.placed(f.path), maxTotalBytes>>20)
	}
	r.add(f, src)
	return nil
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	src, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return src, nil
}

// follow reads what a file includes.
func (r *reader) follow(ctx context.Context, f *file, include Include) error {
	if include.Git == "" && include.OCI == "" {
		return r.beside(f, include)
	}
	p, err := r.elsewhere(ctx, f.part, include)
	if err == nil && p != nil {
		if err = r.tree(nil, p, path.Clean(include.Path), include.Place); err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	if err != nil {
		return &IncludeError{Include: include, Err: err}
	}
	return nil
}

// beside reads an include of the same part.
func (r *reader) beside(f *file, include Include) error {
	name := path.Join(path.Dir(f.path), include.Path)
	switch {
	case f.part.fsys == nil:
		r.problems = append(r.problems, Problem{include.Place, fmt.Sprintf("include %s: the catalog was given as a single file", include.Path)})
		return nil
	case !fs.ValidPath(name):
		r.problems = append(r.problems, Problem{include.Place, fmt.Sprintf("include %s: it leads out of the catalog's directory", include.Path)})
		return nil
	}
	err := r.tree(f, f.part, name, include.Place)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		r.problems = append(r.problems, Problem{include.Place, fmt.Sprintf("include %s: %v", include.Path, err)})
		return nil
	}
	return err
}

// elsewhere fetches a part, or returns nil when it is there already or can't be one.
func (r *reader) elsewhere(ctx context.Context, from *part, include Include) (*part, error) {
	next := &part{parent: from, key: fmt.Sprintf("%s %s %s %s", include.Git, include.Commit, include.OCI, path.Clean(include.Path))}
	next.Name, next.Place, next.Include = include.Name(), include.Place, include
	var way []string
	depth := 0
	for p := from; p != nil; p = p.parent {
		way = append(way, p.called())
		if depth++; p.key == next.key {
			slices.Reverse(way)
			r.problems = append(r.problems, Problem{include.Place, fmt.Sprintf("%s includes itself: %s", next.Name, strings.Join(append(way, next.Name), " -> "))})
			return nil, nil
		}
	}
	for _, p := range r.catalog.parts {
		if p.key != next.key {
			continue
		}
		if !slices.Equal(p.Include.Projects, include.Projects) {
			r.problems = append(r.problems, Problem{include.Place, fmt.Sprintf("%s is included for other projects at %s", next.Name, p.Place)})
		}
		return nil, nil
	}
	switch {
	case depth > maxDepth:
		return nil, fmt.Errorf("there are more than %d includes within each other", maxDepth)
	case len(r.catalog.parts) >= maxParts:
		return nil, fmt.Errorf("the catalog has more than %d parts", maxParts)
	case r.fetch == nil:
		return nil, errNoFetch
	}
	var err error
	if next.fsys, err = r.fetch(ctx, include); err != nil {
		return nil, err
	}
	for _, grant := range include.Projects { // checked where the include was read
		next.projects = append(next.projects, parseGrant(grant))
	}
	r.catalog.parts = append(r.catalog.parts, next)
	return next, nil
}
