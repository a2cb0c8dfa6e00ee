// Package source reads container definitions from source control: a repository and a commit in, a [definition.Definition]
// with its build context out.
//
// Most callers need [Load]. The package never runs git or any other program and keeps no state between calls. Of the
// environment it sees only the proxy variables that Go's default HTTP transport reads, and not those when Options.HTTP is
// given.
package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// Load reads the definition that a repository holds at a ref.
//
// The repository is a path (a work tree or a bare repository) or a URL: https, ssh (also as user@host:path), file, and
// http to this host. The ref is a branch, a tag, a full name such as refs/heads/main, a commit's id, whole or as many
// hex digits as make it unambiguous, or "" for HEAD.
//
// What is committed is what is loaded. The work tree is looked at only when the repository is a path to one and the ref
// is "" or "HEAD", because then the caller may believe that it gets what it sees: if the context or the Dockerfile
// there differs from the commit (files that git ignores aside), Load returns a [*DirtyError]; with AllowDirty it reads
// the work tree instead and sets Source.Dirty. A named commit, branch or tag and a file: URL never read the work tree.
//
// From a remote it takes the one commit without its history where the server allows that; a short id, or a server
// that does not hand out commits by id, costs a fetch of all branches and tags. When ctx is cancelled nothing stays
// behind. Errors are [*LoadError], or a [*definition.SyntaxError] when the Dockerfile can't be parsed; neither holds credentials.
func Load(ctx context.Context, repository, ref string, opts Options) (*definition.Definition, error) {
	all, err := LoadAll(ctx, repository, ref, opts)
	return single(all, err)
}

// LoadAll is [Load] for a file that describes several images: one definition for each of the targets that are asked for,
// in the order of the file.
func LoadAll(ctx context.Context, repository, ref string, opts Options) ([]*definition.Definition, error) {
	opts = opts.withDefaults()
	at, err := parseLocation(repository)
	if err != nil {
		return nil, &LoadError{at.name, ref, err}
	}
	all, err := load(ctx, at, ref, opts)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return all, loadError(at.name, ref, err)
}

func load(ctx context.Context, at location, ref string, opts Options) ([]*definition.Definition, error) {
	var (
		repository *git.Repository
		work       string
		store      storer.EncodedObjectStorer
		commit     *object.Commit
		err        error
	)
	if at.local() {
		if repository, work, commit, err = openLocal(at, ref); err == nil {
			store = repository.Storer
		}
	} else {
		store, commit, err = fetch(ctx, at, ref, opts)
	}
	if err != nil {
		return nil, err
	}
	origin := definition.Source{
		Repository: at.name, Ref: ref, Commit: commit.Hash.String(), CommitTime: commit.Committer.When.UTC(),
	}
	if opts.Signatures != nil {
		if origin.Signer, err = opts.Signatures.verify(store, commit); err != nil {
			return nil, err
		}
	}
	committed := newGitFS(store, commit.TreeHash)
	var files fs.FS = committed
	if work != "" && at.scheme == "" && (ref == "" || ref == "HEAD") {
		if files, origin.Dirty, err = localFiles(ctx, repository, work, committed, opts); err != nil {
			return nil, err
		}
	}
	return read(ctx, files, origin, opts)
}

// LoadFS reads a definition from files that come from no repository that this package could check, such as a Dagger
// directory. The root of fsys stands for the root of a repository. Repository and Ref of origin are kept as the
// caller's word; Commit is cleared and Dirty set, because nothing proves it. CommitTime becomes the time of all files.
// The options that concern repositories are not looked at, but Signatures can't be met.
func LoadFS(ctx context.Context, fsys fs.FS, origin definition.Source, opts Options) (*definition.Definition, error) {
	return single(LoadAllFS(ctx, fsys, origin, opts))
}

// LoadAllFS is to [LoadFS] what [LoadAll] is to [Load].
func LoadAllFS(ctx context.Context, fsys fs.FS, origin definition.Source, opts Options) ([]*definition.Definition, error) {
	origin.Commit, origin.Signer, origin.Dirty = "", "", true
	origin.Repository = redact(origin.Repository)
	if opts.Signatures != nil {
		return nil, &LoadError{origin.Repository, origin.Ref, fmt.Errorf("what comes from no commit %w", ErrUnsigned)}
	}
	all, err := read(ctx, fsys, origin, opts.withDefaults())
	return all, loadError(origin.Repository, origin.Ref, err)
}

// loadError names the repository, unless the error has the place in the Dockerfile.
func loadError(repository, ref string, err error) error {
	if _, ok := errors.AsType[*definition.SyntaxError](err); err == nil || ok {
		return err
	}
	return &LoadError{repository, ref, err}
}

// read makes definitions of the files of a repository: one of a Dockerfile, one for each target of another.
func read(ctx context.Context, base fs.FS, origin definition.Source, opts Options) ([]*definition.Definition, error) {
	dir, err := resolveDir(base, opts.Dir)
	if err != nil {
		return nil, err
	}
	named, err := opts.named(base, dir)
	if err != nil {
		return nil, err
	}
	name, content, err := readDockerfile(base, dir, named, opts.MaxDockerfile)
	if err != nil {
		return nil, err
	}
	origin.Directory, origin.Dockerfile = dir, path.Clean(named)
	if c := opts.compiler(name, content); c != nil {
		return compile(ctx, base, origin, c, definition.Project{Files: base, Name: name, Dir: dir, Content: content, Targets: opts.Targets}, opts)
	}
	file, err := definition.ParseLimited(name, content, opts.MaxDockerfile)
	if err != nil {
		return nil, err
	}
	d := &definition.Definition{Source: origin, File: file, Files: base}
	if err := addContext(ctx, base, d, opts); err != nil {
		return nil, err
	}
	return []*definition.Definition{d}, nil
}

// addContext gives a definition the context of its source's directory.
func addContext(ctx context.Context, base fs.FS, d *definition.Definition, opts Options) error {
	rules, err := readIgnore(base, d.Source.Dockerfile, d.Source.Directory, opts.MaxDockerfile)
	if err != nil {
		return err
	}
	b := &contextBuilder{base: base, dir: d.Source.Directory, ignore: rules, opts: opts, time: d.Source.CommitTime}
	if d.Context, err = b.build(ctx); err != nil {
		return err
	}
	if len(b.absent.Submodules)+len(b.absent.LFS) > 0 {
		if d.Absent = &b.absent; !opts.AllowAbsent {
			return &b.absent
		}
	}
	return nil
}

func resolveDir(base fs.FS, name string) (string, error) {
	dir, err := resolve(base, name)
	if err == nil {
		var info fs.FileInfo
		info, err = fs.Lstat(base, dir)
		if err == nil && !info.IsDir() {
			err = fs.ErrNotExist
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", name, ErrNoDirectory)
	}
	return dir, err
}

// readDockerfile returns the Dockerfile and its name without symbolic links.
func readDockerfile(base fs.FS, dir, named string, limit int64) (string, []byte, error) {
	name, err := resolve(base, named)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, &DockerfileError{path.Clean(named), candidates(base, path.Dir(path.Clean(named)), dir)}
	}
	if err != nil {
		return "", nil, err
	}
	content, err := readLimited(base, name, "MaxDockerfile", limit)
	if tooLarge, ok := errors.AsType[*LimitError](err); ok {
		return "", nil, definition.SizeError(name, tooLarge.Found, limit)
	}
	if errors.Is(err, errNotRegular) {
		return "", nil, &DockerfileError{name, candidates(base, name, dir)}
	}
	return name, content, err
}

// candidates lists files that look like Dockerfiles.
func candidates(base fs.FS, dirs ...string) []string {
	var found []string
	seen := map[string]bool{}
	for _, dir := range dirs {
		entries, err := fs.ReadDir(base, dir)
		if err != nil || seen[dir] {
			continue
		}
		seen[dir] = true
		for _, e := range entries {
			name := strings.ToLower(e.Name())
			looks := strings.HasPrefix(name, "dockerfile") || strings.HasSuffix(name, ".dockerfile") || strings.HasPrefix(name, "containerfile")
			if looks && !e.IsDir() && !strings.HasSuffix(name, ".dockerignore") {
				found = append(found, path.Join(dir, e.Name()))
			}
		}
	}
	return found
}
