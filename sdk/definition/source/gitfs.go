package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// gitFS is the tree of one commit, read from git's objects when it is asked for. A submodule is an empty directory.
// go-git's storage is not safe for concurrent use, so every access holds the lock.
type gitFS struct {
	mu    sync.Mutex
	store storer.EncodedObjectStorer
	root  plumbing.Hash
	trees map[plumbing.Hash][]object.TreeEntry
}

func newGitFS(store storer.EncodedObjectStorer, root plumbing.Hash) *gitFS {
	return &gitFS{store: store, root: root, trees: map[plumbing.Hash][]object.TreeEntry{}}
}

// entries returns a tree's entries sorted by name. The lock is held.
func (g *gitFS) entries(hash plumbing.Hash) ([]object.TreeEntry, error) {
	if entries, ok := g.trees[hash]; ok {
		return entries, nil
	}
	tree, err := object.GetTree(g.store, hash)
	if err != nil {
		return nil, fmt.Errorf("git tree %s: %w", hash, err)
	}
	entries := slices.Clone(tree.Entries)
	slices.SortFunc(entries, func(a, b object.TreeEntry) int { return strings.Compare(a.Name, b.Name) })
	for i, e := range entries {
		if !fs.ValidPath(e.Name) || strings.Contains(e.Name, "/") || e.Name == "." || strings.EqualFold(e.Name, ".git") {
			return nil, fmt.Errorf("git tree %s: %q is no name for a file", hash, e.Name)
		}
		if i > 0 && e.Name == entries[i-1].Name {
			return nil, fmt.Errorf("git tree %s: two entries are named %q", hash, e.Name)
		}
	}
	g.trees[hash] = entries
	return entries, nil
}

// find returns the entry at a path. The lock is held.
func (g *gitFS) find(op, name string) (object.TreeEntry, error) {
	e := object.TreeEntry{Name: ".", Mode: filemode.Dir, Hash: g.root}
	if !fs.ValidPath(name) {
		return e, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return e, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if e.Mode != filemode.Dir {
			return e, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		entries, err := g.entries(e.Hash)
		if err != nil {
			return e, &fs.PathError{Op: op, Path: name, Err: err}
		}
		i, ok := slices.BinarySearchFunc(entries, part, func(e object.TreeEntry, s string) int { return strings.Compare(e.Name, s) })
		if !ok {
			return e, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		e = entries[i]
	}
	return e, nil
}

// Open reads a file whole; it does not open directories.
func (g *gitFS) Open(name string) (fs.File, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, err := g.find("open", name)
	if err != nil {
		return nil, err
	}
	info, err := g.info(e)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	content, err := g.blob(e.Hash)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return newMemoryFile(info, content), nil
}

// ReadDir lists a directory.
func (g *gitFS) ReadDir(name string) ([]fs.DirEntry, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, err := g.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if e.Mode == filemode.Submodule {
		return nil, nil
	}
	entries, err := g.entries(e.Hash)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	list := make([]fs.DirEntry, 0, len(entries))
	for _, e := range entries {
		list = append(list, gitEntry{g, e})
	}
	return list, nil
}

// Lstat describes what is at a path.
func (g *gitFS) Lstat(name string) (fs.FileInfo, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, err := g.find("lstat", name)
	if err != nil {
		return nil, err
	}
	return g.info(e)
}

// Stat is Lstat.
func (g *gitFS) Stat(name string) (fs.FileInfo, error) { return g.Lstat(name) }

// entry is what git's tree says of a path.
func (g *gitFS) entry(name string) (object.TreeEntry, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.find("lstat", name)
}

// ReadLink returns where a symbolic link points.
func (g *gitFS) ReadLink(name string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, err := g.find("readlink", name)
	if err == nil && e.Mode != filemode.Symlink {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return "", err
	}
	size, err := g.size(e.Hash)
	if err == nil && size > maxLink {
		err = fmt.Errorf("symbolic link of %d bytes", size)
	}
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	target, err := g.blob(e.Hash)
	return string(target), err
}

const maxLink = 4096 // bytes, as Linux has it

func (g *gitFS) info(e object.TreeEntry) (*fileInfo, error) {
	info := &fileInfo{name: e.Name, mode: fileMode(e.Mode), submodule: e.Mode == filemode.Submodule}
	if info.mode.IsDir() {
		return info, nil
	}
	size, err := g.size(e.Hash)
	info.size = size
	return info, err
}

// size is a blob's size in bytes; one in a repository that this one borrows objects from must be opened for it.
func (g *gitFS) size(hash plumbing.Hash) (int64, error) {
	size, err := g.store.EncodedObjectSize(hash)
	if !errors.Is(err, plumbing.ErrObjectNotFound) {
		return size, err
	}
	obj, err := g.store.EncodedObject(plumbing.BlobObject, hash)
	if err != nil {
		return 0, fmt.Errorf("git blob %s: %w", hash, err)
	}
	return obj.Size(), nil
}

func (g *gitFS) blob(hash plumbing.Hash) ([]byte, error) {
	obj, err := g.store.EncodedObject(plumbing.BlobObject, hash)
	if err != nil {
		return nil, fmt.Errorf("git blob %s: %w", hash, err)
	}
	r, err := obj.Reader()
	if err != nil {
		return nil, fmt.Errorf("git blob %s: %w", hash, err)
	}
	content, err := io.ReadAll(r)
	return content, errors.Join(err, r.Close())
}

// gitEntry looks its size up only when asked.
type gitEntry struct {
	fs    *gitFS
	entry object.TreeEntry
}

func (e gitEntry) Name() string      { return e.entry.Name }
func (e gitEntry) IsDir() bool       { return e.Type().IsDir() }
func (e gitEntry) Type() fs.FileMode { return fileMode(e.entry.Mode).Type() }

func (e gitEntry) Info() (fs.FileInfo, error) {
	e.fs.mu.Lock()
	defer e.fs.mu.Unlock()
	return e.fs.info(e.entry)
}

// fileMode is one of the four modes that git knows.
func fileMode(m filemode.FileMode) fs.FileMode {
	switch m {
	case filemode.Dir, filemode.Submodule:
		return fs.ModeDir | 0o755
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	case filemode.Executable:
		return 0o755
	default:
		return 0o644
	}
}
