package imagefs

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// maxLinks is how many symbolic links one path may lead over, as in Linux.
const maxLinks = 40

// inode is a file; hard links share it. Where it was read from is layer and index, the number of its header there.
type inode struct {
	mode       fs.FileMode
	uid, gid   int
	size       int64
	modTime    time.Time
	link       string
	capability uint64
	layer      int
	index      int
	data       []byte
}

// node is a name in a directory.
type node struct {
	name     string
	parent   *node
	inode    *inode
	children map[string]*node // of a directory
	layer    int              // that brought this name last; a hard link's inode may be of a lower one
}

func newDir(name string, parent *node) *node {
	return &node{name: name, parent: parent, inode: &inode{mode: fs.ModeDir | 0o755}, children: map[string]*node{}}
}

func (n *node) path() string {
	if n.parent == nil {
		return "/"
	}
	var names []string
	for ; n.parent != nil; n = n.parent {
		names = append(names, n.name)
	}
	slices.Reverse(names)
	return "/" + strings.Join(names, "/")
}

func (n *node) entry() Entry {
	i := n.inode
	return Entry{
		Path: n.path(), Mode: i.mode, UID: i.uid, GID: i.gid, Size: i.size, ModTime: i.modTime,
		Link: i.link, Layer: n.layer, Capability: i.capability, inode: i,
	}
}

func (n *node) sorted() []*node {
	return slices.SortedFunc(maps.Values(n.children), func(a, b *node) int { return strings.Compare(a.name, b.name) })
}

func (n *node) each(yield func(Entry) bool) bool {
	if !yield(n.entry()) {
		return false
	}
	for _, child := range n.sorted() {
		if !child.each(yield) {
			return false
		}
	}
	return true
}

// walk follows a path from the root. Links are followed in all elements but the last, there only when asked to.
func (f *FS) walk(name string, followLast bool) (*node, error) {
	n, rest, err := f.follow(name, followLast)
	if err == nil && len(rest) > 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path.Clean("/" + name), Err: err}
	}
	return n, nil
}

// follow returns the deepest node that exists and the elements that are missing below it.
func (f *FS) follow(name string, followLast bool) (*node, []string, error) {
	at, links := f.root, 0
	rest := split(name)
	for len(rest) > 0 {
		element := rest[0]
		if element == ".." {
			if at.parent != nil {
				at = at.parent
			}
			rest = rest[1:]
			continue
		}
		next, ok := at.children[element]
		if !ok {
			if !at.inode.mode.IsDir() {
				return at, rest, fmt.Errorf("%s is %s, not a directory", at.path(), Kind(at.inode.mode))
			}
			return at, rest, nil
		}
		rest = rest[1:]
		if next.inode.mode&fs.ModeSymlink == 0 || (len(rest) == 0 && !followLast) {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return at, rest, ErrLoop
		}
		if path.IsAbs(next.inode.link) {
			at = f.root
		}
		rest = append(split(next.inode.link), rest...)
	}
	return at, nil, nil
}

// split keeps "..": what it means depends on the links before it.
func split(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(e string) bool { return e == "" || e == "." })
}
