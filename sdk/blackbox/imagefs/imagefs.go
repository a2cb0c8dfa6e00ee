// Package imagefs shows the files of an image as an instance would see them, without starting one: the layers are
// read once, one over the other, with whiteouts, opaque directories, hard links and symbolic links as the OCI image
// specification's layer chapter has them.
//
//	files, err := imagefs.New(ctx, image, imagefs.Limits{})
//	passwd, err := files.ReadFile(ctx, "/etc/passwd")
//
// Nothing is written to disk, and no path in a layer can lead out of the image: ".." ends at the image's root, and
// links are followed inside the image only. Layers come from strangers, so everything is bounded by [Limits].
//
// An [FS] may be used by several goroutines at once. The API follows the module's version.
package imagefs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Limits bound what is read of an image. Zero fields mean the default.
type Limits struct {
	Bytes   int64 // of all layers, decompressed; default 8 GiB
	Entries int   // of all layers; default 1,000,000
	File    int64 // bytes of one file that ReadFile returns; default 256 MiB
}

func (l Limits) orDefault() Limits {
	if l.Bytes == 0 {
		l.Bytes = 8 << 30
	}
	if l.Entries == 0 {
		l.Entries = 1_000_000
	}
	if l.File == 0 {
		l.File = 256 << 20
	}
	return l
}

// LimitError says which of the [Limits] an image exceeds.
type LimitError struct {
	What  string // "decompressed bytes", "entries", "bytes of /path"
	Limit int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d %s: the image is over the limit, raise it if that is right", e.Limit, e.What)
}

// LayerError is a layer that can't be read. Layer counts from 1, the lowest.
type LayerError struct {
	Layer int
	Err   error
}

func (e *LayerError) Error() string { return fmt.Sprintf("layer %d: %v", e.Layer, e.Err) }

// Unwrap returns the cause.
func (e *LayerError) Unwrap() error { return e.Err }

// ErrLoop is in the error of a path whose symbolic links lead round in circles.
var ErrLoop = errors.New("too many symbolic links")

// Entry is one path of an image. Hard links are entries of their own with the same content.
type Entry struct {
	// Path is absolute and clean.
	Path string
	// Mode has type, permission, setuid, setgid and sticky bits.
	Mode       fs.FileMode
	UID, GID   int
	Size       int64
	ModTime    time.Time
	Link       string // target of a symbolic link as it is written
	Layer      int    // that brought it, counted from 1, the lowest
	Capability uint64 // file capabilities that are permitted, as a bit mask

	inode *inode
}

// FS is the files of one image.
type FS struct {
	layers []v1.Layer
	limits Limits
	root   *node
}

// New reads the layers of the image. It reads each layer once and keeps small files, so that later reads of them cost
// nothing; bigger ones are read from their layer again.
func New(ctx context.Context, image v1.Image, limits Limits) (*FS, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, fmt.Errorf("layers of the image: %w", err)
	}
	f := &FS{layers: layers, limits: limits.orDefault(), root: newDir("", nil)}
	reading := &reading{fs: f}
	for i, layer := range layers {
		if err := reading.add(ctx, layer, i+1); err != nil {
			return nil, &LayerError{Layer: i + 1, Err: err}
		}
	}
	return f, nil
}

// Lookup returns what a path leads to; symbolic links are followed. The error wraps [fs.ErrNotExist] or [ErrLoop].
func (f *FS) Lookup(name string) (Entry, error) {
	n, err := f.walk(name, true)
	if err != nil {
		return Entry{}, err
	}
	return n.entry(), nil
}

// Lstat is [FS.Lookup], but returns a symbolic link at the path's end itself.
func (f *FS) Lstat(name string) (Entry, error) {
	n, err := f.walk(name, false)
	if err != nil {
		return Entry{}, err
	}
	return n.entry(), nil
}

// All goes over all entries in the order of their paths, directories before what is in them.
func (f *FS) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) { f.root.each(yield) }
}

// ReadFile returns the content of a regular file; symbolic links are followed.
func (f *FS) ReadFile(ctx context.Context, name string) ([]byte, error) {
	n, err := f.walk(name, true)
	if err != nil {
		return nil, err
	}
	if !n.inode.mode.IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: n.path(), Err: fmt.Errorf("is %s, not a regular file", Kind(n.inode.mode))}
	}
	if n.inode.size > f.limits.File {
		return nil, &LimitError{What: "bytes of " + n.path(), Limit: f.limits.File}
	}
	if n.inode.inMemory() {
		return slices.Clone(n.inode.data), nil
	}
	var data []byte
	var readErr error
	entries := map[int]Entry{n.inode.index: n.entry()}
	_, err = f.stream(ctx, n.inode.layer, entries, func(_ Item, r io.Reader) bool {
		data, readErr = io.ReadAll(r)
		return false
	})
	if err := cmp.Or(err, readErr); err != nil {
		return nil, &LayerError{Layer: n.inode.layer, Err: err}
	}
	return data, nil
}

// ReadDir returns the entries of a directory in the order of their names.
func (f *FS) ReadDir(name string) ([]Entry, error) {
	n, err := f.walk(name, true)
	if err != nil {
		return nil, err
	}
	if !n.inode.mode.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: n.path(), Err: fmt.Errorf("is %s, not a directory", Kind(n.inode.mode))}
	}
	var entries []Entry
	for _, child := range n.sorted() {
		entries = append(entries, child.entry())
	}
	return entries, nil
}

// Glob returns the entries whose path matches the pattern: that of [path.Match], and "**" as a whole element stands
// for any number of elements. A malformed pattern is an error that wraps [path.ErrBadPattern].
func (f *FS) Glob(pattern string) ([]Entry, error) {
	elements := strings.Split(strings.Trim(path.Clean("/"+pattern), "/"), "/")
	for _, e := range elements {
		if _, err := path.Match(e, ""); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
	}
	var found []Entry
	for e := range f.All() {
		if matchElements(elements, strings.Split(strings.TrimPrefix(e.Path, "/"), "/")) {
			found = append(found, e)
		}
	}
	return found, nil
}

func matchElements(pattern, name []string) bool {
	for i, p := range pattern {
		if p == "**" {
			for skip := i; skip <= len(name); skip++ {
				if matchElements(pattern[i+1:], name[skip:]) {
					return true
				}
			}
			return false
		}
		if i >= len(name) {
			return false
		}
		if ok, _ := path.Match(p, name[i]); !ok { // the pattern was checked by Glob
			return false
		}
	}
	return len(pattern) == len(name)
}

// Kind names the type of a file with its article: "a regular file", "a directory", "a symbolic link".
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a regular file"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	default:
		return "a device"
	}
}
