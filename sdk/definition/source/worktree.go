package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/index"
)

// workTree compares the files of a repository on this machine with a commit.
type workTree struct {
	commit *gitFS
	files  *workFS
	index  *index.Index
	byName map[string]*index.Entry
	modes  bool // the executable bit means something here
}

func newWorkTree(repository *git.Repository, root string, commit *gitFS, opts Options) (*workTree, error) {
	idx, err := repository.Storer.Index()
	if err != nil {
		return nil, err
	}
	config, err := repository.Config()
	if err != nil {
		return nil, err
	}
	w := &workTree{commit: commit, index: idx, byName: map[string]*index.Entry{}}
	w.modes = config.Raw == nil || config.Raw.Section("core").Option("filemode") != "false"
	tracked := map[string]bool{}
	for _, e := range idx.Entries {
		w.byName[e.Name] = e
		for name := e.Name; name != "." && !tracked[name]; name = path.Dir(name) {
			tracked[name] = true
		}
	}
	w.files, err = newWorkFS(root, tracked, opts.Ignore)
	return w, err
}

// changes lists the files below the context directory, and the Dockerfile's, that differ from the commit's, sorted. Line
// endings do not count, nor do Git LFS files whose content is the one that their pointer names.
func (w *workTree) changes(ctx context.Context, opts Options) ([]string, error) {
	named := opts.Dir + "/" + opts.Dockerfile
	names := map[string]bool{path.Clean(named) + ".dockerignore": true}
	dir, same := w.resolve(opts.Dir)
	dockerfile, sameFile := w.resolve(named)
	switch {
	case !same:
		return []string{path.Clean(opts.Dir)}, nil
	case !sameFile:
		return []string{path.Clean(named)}, nil
	case dir == "" || dockerfile == "":
		return nil, nil // what is wrong is said when the commit is read
	}
	names[dockerfile] = true
	for _, side := range []fs.FS{w.commit, w.files} {
		err := fs.WalkDir(side, dir, func(name string, e fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && !e.IsDir() {
				names[name] = true
			}
			return err
		})
		if err != nil && !noPath(err) {
			return nil, err
		}
	}
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		same, err := w.same(name)
		if err != nil {
			return nil, err
		}
		if !same {
			changed = append(changed, name)
		}
	}
	return changed, nil
}

// resolve follows the symbolic links of a path and says whether both sides agree where it leads; "" is an error on both.
func (w *workTree) resolve(name string) (string, bool) {
	committed, err := resolve(w.commit, name)
	here, hereErr := resolve(w.files, name)
	return committed, committed == here && (err == nil) == (hereErr == nil)
}

// noPath says that an error means that nothing is there, or nothing could be.
func noPath(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) }

// same says whether a path has in the work tree what it has in the commit.
func (w *workTree) same(name string) (bool, error) {
	committed, err := w.commit.entry(name)
	mode, hash := fileMode(committed.Mode), committed.Hash
	here, hereErr := w.files.Lstat(name)
	missing, missingHere := noPath(err), noPath(hereErr)
	switch {
	case missing && missingHere:
		return true, nil
	case err != nil && !missing:
		return false, err
	case hereErr != nil && !missingHere:
		return false, hereErr
	case missing || missingHere:
		e := w.byName[name] // a sparse checkout leaves files out
		return missingHere && e != nil && e.SkipWorktree && e.Hash == hash, nil
	case mode.Type() != here.Mode().Type():
		return false, nil
	case mode.Type() == fs.ModeSymlink:
		return sameLink(w.commit, w.files, name)
	case !mode.IsRegular():
		return true, nil
	case w.modes && (mode^here.Mode())&0o100 != 0:
		return false, nil
	case w.unchanged(name, hash, here):
		return true, nil
	default:
		return sameContent(w.commit, w.files, name)
	}
}

// unchanged says whether git's index knows the file with this content, size and time. A file as new as the index may
// have changed in the same instant, so it is read.
func (w *workTree) unchanged(name string, hash plumbing.Hash, here fs.FileInfo) bool {
	e := w.byName[name]
	return e != nil && e.Hash == hash && e.Stage == 0 && !e.IntentToAdd &&
		int64(e.Size) == here.Size() && e.ModifiedAt.Equal(here.ModTime()) && here.ModTime().Before(w.index.ModTime)
}

func sameLink(a, b fs.FS, name string) (bool, error) {
	x, err := fs.ReadLink(a, name)
	if err != nil {
		return false, err
	}
	y, err := fs.ReadLink(b, name)
	return x == y, err
}

// sameContent compares a committed file with the one here.
func sameContent(commit, work fs.FS, name string) (bool, error) {
	committed, err := fs.ReadFile(commit, name)
	if err != nil {
		return false, err
	}
	here, err := fs.ReadFile(work, name)
	if err != nil {
		return false, err
	}
	if bytes.Equal(committed, here) || bytes.Equal(committed, bytes.ReplaceAll(here, []byte("\r\n"), []byte("\n"))) {
		return true, nil
	}
	id, size, ok := lfsPointer(committed)
	sum := sha256.Sum256(here)
	return ok && size == int64(len(here)) && id == hex.EncodeToString(sum[:]), nil
}
