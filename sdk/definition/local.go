package definition

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// openLocal opens a repository on this machine and finds the commit.
func openLocal(at location, ref string) (*git.Repository, *object.Commit, error) {
	if _, err := os.Stat(at.path); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrNoRepository, err)
	}
	repository, err := git.PlainOpenWithOptions(at.path, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if err != nil {
		return nil, nil, openError(at.path, err)
	}
	known, err := localRefs(repository)
	if err != nil {
		return nil, nil, err
	}
	if len(known) == 0 {
		return nil, nil, ErrEmptyRepository
	}
	commit, err := resolveRef(repository.Storer, known, ref)
	return repository, commit, err
}

// localFiles returns the files of a commit or, for a work tree that has changes and was allowed to, the work tree's.
func localFiles(ctx context.Context, repository *git.Repository, commit *gitFS, opts LoadOptions) (files fs.FS, dirty bool, err error) {
	checkout, err := repository.Worktree()
	if errors.Is(err, git.ErrIsBareRepository) {
		return commit, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	tree, err := newWorkTree(repository, checkout.Filesystem.Root(), commit, opts)
	if err != nil {
		return nil, false, err
	}
	changed, err := tree.changes(ctx, opts)
	switch {
	case err != nil:
		return nil, false, err
	case len(changed) == 0:
		return commit, false, nil
	case !opts.AllowDirty:
		return nil, false, &DirtyError{changed}
	default:
		return tree.files, true, nil
	}
}

// openError tells a directory inside of a repository from one that has none.
func openError(path string, err error) error {
	if !errors.Is(err, git.ErrRepositoryNotExists) {
		return fmt.Errorf("%w: %w", ErrNoRepository, err)
	}
	outer, outerErr := git.PlainOpenWithOptions(path, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if outerErr == nil {
		if tree, err := outer.Worktree(); err == nil {
			return fmt.Errorf("%w: it lies inside of %s; load that, with Dir", ErrNoRepository, tree.Filesystem.Root())
		}
	}
	return ErrNoRepository
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
