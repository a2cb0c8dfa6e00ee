package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// openGit opens the repository at a path on this machine. Work is its work tree, "" for a bare one. go-git's own
// PlainOpen refuses sparse and partial clones and does not find objects that a clone borrows.
func openGit(path string) (repository *git.Repository, work string, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, "", err
	}
	dir := path
	switch info, err := os.Stat(filepath.Join(path, ".git")); {
	case err == nil && info.IsDir():
		dir, work = filepath.Join(path, ".git"), path
	case err == nil:
		if dir, err = readPath(filepath.Join(path, ".git"), "gitdir: ", path); err != nil {
			return nil, "", err
		}
		work = path
	case !errors.Is(err, fs.ErrNotExist):
		return nil, "", err
	}
	files := osfs.New(dir)
	common, err := readPath(filepath.Join(dir, "commondir"), "", dir) // of a linked work tree
	switch {
	case err == nil:
		files = dotgit.NewRepositoryFilesystem(files, osfs.New(common))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, "", err
	}
	everything := osfs.New(filepath.VolumeName(dir) + string(filepath.Separator))
	store := readStorage{
		filesystem.NewStorageWithOptions(files, cache.NewObjectLRUDefault(), filesystem.Options{
			AlternatesFS: everything,
			// Much faster. Files stay open until nobody has the storage any more; then the runtime closes them.
			ExclusiveAccess: true, KeepDescriptors: true,
		}),
		dotgit.NewWithOptions(files, dotgit.Options{AlternatesFS: everything}),
	}
	repository, err = git.Open(store, nil)
	return repository, work, err
}

// readPath reads a file that holds one path, relative to base if it is not absolute.
func readPath(name, prefix, base string) (string, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	path, ok := strings.CutPrefix(strings.TrimRight(string(content), "\r\n"), prefix)
	if !ok {
		return "", fmt.Errorf("%s does not begin with %q", name, prefix)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	return path, nil
}

// readStorage is git's storage for one who only reads.
type readStorage struct {
	*filesystem.Storage
	dir *dotgit.DotGit
}

// Config reads the repository's configuration, without the extensions that matter only to who writes to a repository
// or checks files out of it.
func (s readStorage) Config() (*config.Config, error) {
	c, err := s.Storage.Config()
	if err != nil {
		return nil, err
	}
	extensions := c.Raw.Section("extensions")
	for _, name := range []string{"worktreeConfig", "partialClone", "preciousObjects", "relativeWorktrees"} {
		extensions.RemoveOption(name)
	}
	return c, nil
}

// HashesWithPrefix finds abbreviated ids, those of borrowed objects too.
func (s readStorage) HashesWithPrefix(prefix []byte) ([]plumbing.Hash, error) {
	found, err := s.Storage.HashesWithPrefix(prefix)
	if err != nil {
		return nil, err
	}
	borrowed, err := s.dir.Alternates()
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	for _, dir := range borrowed {
		more, err := filesystem.NewObjectStorage(dir, cache.NewObjectLRUDefault()).HashesWithPrefix(prefix)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, err
}
