package source

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"
)

var errNotRegular = errors.New("is not a regular file")

// contextFS is a build context: the tree is fixed when it is made, the content of files is read when they are opened.
// It implements fs.ReadDirFS, fs.StatFS and fs.ReadLinkFS and is safe for concurrent use.
type contextFS struct {
	base  fs.FS
	nodes map[string]*node
}

// node is one file, directory or symbolic link of a context.
type node struct {
	fileInfo
	path     string // in base
	link     string
	children []fs.DirEntry
}

func (c *contextFS) find(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	n, ok := c.nodes[name]
	if !ok {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return n, nil
}

// Open opens a file or directory. A symbolic link opens as itself: it has a Stat, but can't be read.
func (c *contextFS) Open(name string) (fs.File, error) {
	n, err := c.find("open", name)
	if err != nil {
		return nil, err
	}
	if !n.mode.IsRegular() {
		return &nodeFile{node: n, name: name}, nil
	}
	file, err := c.base.Open(n.path)
	if err != nil {
		return nil, err
	}
	if memory, ok := file.(*memoryFile); ok {
		memory.info = &n.fileInfo
		return memory, nil
	}
	return &contentFile{file, &n.fileInfo}, nil
}

// ReadDir lists a directory, sorted by name.
func (c *contextFS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := c.find("readdir", name)
	if err == nil && !n.IsDir() {
		err = &fs.PathError{Op: "readdir", Path: name, Err: errors.New("is not a directory")}
	}
	if err != nil {
		return nil, err
	}
	return slices.Clone(n.children), nil
}

// Stat describes what is at a path, a symbolic link as itself.
func (c *contextFS) Stat(name string) (fs.FileInfo, error) {
	n, err := c.find("stat", name)
	if err != nil {
		return nil, err
	}
	return &n.fileInfo, nil
}

// Lstat is Stat.
func (c *contextFS) Lstat(name string) (fs.FileInfo, error) { return c.Stat(name) }

// ReadLink returns where a symbolic link points, as it was committed.
func (c *contextFS) ReadLink(name string) (string, error) {
	n, err := c.find("readlink", name)
	if err != nil {
		return "", err
	}
	if n.mode.Type() != fs.ModeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return n.link, nil
}

// fileInfo is what git knows of a file; it is its own fs.DirEntry.
type fileInfo struct {
	name      string
	mode      fs.FileMode
	size      int64
	time      time.Time
	submodule bool
}

func (i *fileInfo) Name() string               { return i.name }
func (i *fileInfo) Mode() fs.FileMode          { return i.mode }
func (i *fileInfo) Type() fs.FileMode          { return i.mode.Type() }
func (i *fileInfo) Size() int64                { return i.size }
func (i *fileInfo) ModTime() time.Time         { return i.time }
func (i *fileInfo) IsDir() bool                { return i.mode.IsDir() }
func (i *fileInfo) Sys() any                   { return nil }
func (i *fileInfo) Info() (fs.FileInfo, error) { return i, nil }
func (i *fileInfo) String() string             { return fs.FormatFileInfo(i) }

// contentFile is a file of another file system with the info of a context's node.
type contentFile struct {
	fs.File
	info *fileInfo
}

func (f *contentFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// memoryFile is a file whose content is in memory; it can seek.
type memoryFile struct {
	*bytes.Reader
	info *fileInfo
}

func newMemoryFile(info *fileInfo, content []byte) *memoryFile {
	return &memoryFile{bytes.NewReader(content), info}
}

func (f *memoryFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *memoryFile) Close() error               { return nil }

// nodeFile is an open directory or symbolic link.
type nodeFile struct {
	node *node
	name string
	next int
}

func (f *nodeFile) Stat() (fs.FileInfo, error) { return &f.node.fileInfo, nil }
func (f *nodeFile) Close() error               { return nil }

func (f *nodeFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: errNotRegular}
}

// ReadDir lists the next n entries, or all that are left.
func (f *nodeFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if !f.node.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: f.name, Err: errors.New("is not a directory")}
	}
	rest := f.node.children[f.next:]
	if n <= 0 {
		f.next += len(rest)
		return slices.Clone(rest), nil
	}
	if len(rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(rest))
	f.next += n
	return slices.Clone(rest[:n]), nil
}
