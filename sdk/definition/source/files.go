package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

var fullID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// Files returns the files of a repository at one commit, as they are committed. The repository is as for [Load], the
// commit its full id: branches and tags move. Symbolic links and submodules can be listed and not be read. Of the options
// those about repositories count; Signatures are asked for. The files stay in memory, or in Options.CacheDir.
//
// With [catalog.Fetcher] it is what brings the parts of a catalog that are kept in git.
func Files(ctx context.Context, repository, commit string, opts Options) (fs.FS, error) {
	opts = opts.withDefaults()
	at, err := parseLocation(repository)
	if err != nil {
		return nil, &LoadError{at.name, commit, err}
	}
	if !fullID.MatchString(commit) {
		return nil, &LoadError{at.name, commit, errors.New("it is not the full id of a commit, and what is less may mean another one tomorrow")}
	}
	files, err := filesAt(ctx, at, commit, opts)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return files, loadError(at.name, commit, err)
}

func filesAt(ctx context.Context, at location, id string, opts Options) (fs.FS, error) {
	var (
		repository *git.Repository
		store      storer.EncodedObjectStorer
		commit     *object.Commit
		err        error
	)
	if at.local() {
		if repository, _, commit, err = openLocal(at, id); err == nil {
			store = repository.Storer
		}
	} else {
		store, commit, err = fetch(ctx, at, id, opts)
	}
	if err != nil {
		return nil, err
	}
	if commit.Hash.String() != id {
		return nil, fmt.Errorf("it is the name of a branch or tag there, which means %s", commit.Hash)
	}
	if opts.Signatures != nil {
		if _, err := opts.Signatures.verify(store, commit); err != nil {
			return nil, err
		}
	}
	return newGitFS(store, commit.TreeHash), nil
}
