package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// openLocal opens a repository on this machine and finds the commit. Work is the work tree, "" for a bare one.
func openLocal(at location, ref string) (repository *git.Repository, work string, commit *object.Commit, err error) {
	switch info, err := os.Stat(at.path); {
	case err != nil:
		return nil, "", nil, fmt.Errorf("%w: %w", ErrNoRepository, err)
	case !info.IsDir():
		return nil, "", nil, fmt.Errorf("%w: it is a file", ErrNoRepository)
	}
	if repository, work, err = openGit(at.path); err != nil {
		return nil, "", nil, openError(at.path, err)
	}
	known, err := localRefs(repository)
	if err != nil {
		return nil, "", nil, err
	}
	if len(known) == 0 {
		return nil, "", nil, ErrEmptyRepository
	}
	commit, err = resolveRef(repository.Storer, known, ref)
	return repository, work, commit, err
}

// openError tells a directory inside of a repository from one that has none.
func openError(path string, err error) error {
	if !errors.Is(err, git.ErrRepositoryNotExists) {
		return fmt.Errorf("repository can't be read: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	for outer := filepath.Dir(path); outer != path; path, outer = outer, filepath.Dir(outer) {
		if _, work, err := openGit(outer); err == nil && work != "" {
			return fmt.Errorf("%w: it lies inside of %s; load that, with Dir", ErrNoRepository, outer)
		}
	}
	return ErrNoRepository
}

// localFiles returns the files of a commit or, of a work tree that has changes and was allowed to, the work tree's.
func localFiles(ctx context.Context, repository *git.Repository, work string, commit *gitFS, opts Options) (files fs.FS, dirty bool, err error) {
	tree, err := newWorkTree(repository, work, commit, opts)
	if err != nil {
		return nil, false, err
	}
	changed, err := tree.changes(ctx, opts)
	switch {
	case err != nil:
		return nil, false, err
	case len(changed) == 0:
		return commit, false, nil
	case !opts.AllowDirty || opts.Signatures != nil: // nobody signed the changes
		return nil, false, &DirtyError{changed}
	default:
		return tree.files, true, nil
	}
}

// localRefs lists the references, symbolic ones followed. One that leads nowhere, such as HEAD before the first commit,
// is left out.
func localRefs(repository *git.Repository) (refs, error) {
	iter, err := repository.References()
	if err != nil {
		return nil, err
	}
	known := refs{}
	err = iter.ForEach(func(r *plumbing.Reference) error {
		resolved, err := storer.ResolveReference(repository.Storer, r.Name())
		if errors.Is(err, plumbing.ErrReferenceNotFound) {
			return nil
		}
		if err == nil {
			known[r.Name().String()] = resolved.Hash()
		}
		return err
	})
	return known, err
}
