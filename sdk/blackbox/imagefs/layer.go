package imagefs

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Small files are kept in memory: a test reads many of them, and each one that is not kept costs a pass over its layer.
const (
	keepFile = 256 << 10
	keepAll  = 64 << 20
)

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// reading is the state of reading all layers of an image.
type reading struct {
	fs      *FS
	bytes   int64
	entries int
	kept    int64
}

func (r *reading) add(ctx context.Context, layer v1.Layer, number int) error {
	rc, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer rc.Close()
	tr := tar.NewReader(&limited{ctx: ctx, r: rc, n: &r.bytes, max: r.fs.limits.Bytes})
	for index := 0; ; index++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.entries++; r.entries > r.fs.limits.Entries {
			return &LimitError{What: "entries", Limit: int64(r.fs.limits.Entries)}
		}
		if err := r.entry(h, tr, number, index); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
}

// entry puts one entry of a layer into the tree.
func (r *reading) entry(h *tar.Header, content io.Reader, layer, index int) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	dir, name := path.Split(path.Clean("/" + h.Name))
	if reserved := "/" + whiteout + whiteout; name != opaque && strings.Contains(dir+name, reserved) {
		return nil // of AUFS, never part of an image's files
	}
	parent, err := r.dir(dir, layer)
	if err != nil {
		return err
	}
	switch {
	case name == "": // the root itself
		r.fs.root.inode = newInode(h, layer, index)
		return nil
	case name == opaque:
		parent.dropBelow(layer)
		return nil
	case strings.HasPrefix(name, whiteout):
		if hidden := parent.children[strings.TrimPrefix(name, whiteout)]; hidden != nil {
			hidden.hideBelow(layer)
		}
		return nil
	}
	n := &node{name: name, parent: parent, layer: layer}
	switch h.Typeflag {
	case tar.TypeLink:
		target, err := r.fs.walk(h.Linkname, false)
		if err != nil {
			return fmt.Errorf("hard link to %q: %w", h.Linkname, err)
		}
		n.inode = target.inode
	default:
		n.inode = newInode(h, layer, index)
		if err := r.keep(n.inode, content); err != nil {
			return err
		}
	}
	if n.inode.mode.IsDir() {
		n.children = map[string]*node{}
		if old := parent.children[name]; old != nil && old.inode.mode.IsDir() {
			old.inode, old.layer = n.inode, layer
			return nil
		}
	}
	parent.children[name] = n
	return nil
}

// dir returns the directory of a path and makes what is missing, as unpacking does.
func (r *reading) dir(name string, layer int) (*node, error) {
	at, missing, err := r.fs.follow(name, true)
	if err != nil {
		return nil, err
	}
	if !at.inode.mode.IsDir() {
		return nil, fmt.Errorf("%s is %s, not a directory", at.path(), Kind(at.inode.mode))
	}
	for _, name := range missing {
		if name == ".." { // of a dangling link
			continue
		}
		child := newDir(name, at)
		child.layer = layer
		at.children[name] = child
		at = child
	}
	return at, nil
}

func (r *reading) keep(i *inode, content io.Reader) error {
	if !i.mode.IsRegular() || i.size > keepFile || r.kept+i.size > keepAll {
		return nil
	}
	data, err := io.ReadAll(content)
	i.data = data
	r.kept += int64(len(data))
	return err
}

// dropBelow removes what lower layers put under the node.
func (n *node) dropBelow(layer int) {
	for _, child := range n.children {
		child.hideBelow(layer)
	}
}

// hideBelow removes the node and all under it, but not what the same layer brought: a whiteout is for lower layers,
// wherever it stands in its own.
func (n *node) hideBelow(layer int) {
	n.dropBelow(layer)
	if n.layer < layer && len(n.children) == 0 {
		delete(n.parent.children, n.name)
	}
}

func newInode(h *tar.Header, layer, index int) *inode {
	i := &inode{
		mode: h.FileInfo().Mode(), uid: h.Uid, gid: h.Gid, modTime: h.ModTime,
		capability: fileCapability(h.PAXRecords["SCHILY.xattr.security.capability"]), layer: layer, index: index,
	}
	if i.mode.IsRegular() {
		i.size = h.Size
	}
	if i.mode&fs.ModeSymlink != 0 {
		i.link = h.Linkname
	}
	return i
}

// limited stops reading when the context ends or more than max bytes came, counted over several readers.
type limited struct {
	ctx context.Context //nolint:containedctx // io.Reader has no room for it
	r   io.Reader
	n   *int64
	max int64
}

func (l *limited) Read(p []byte) (int, error) {
	if err := l.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := l.r.Read(p)
	if *l.n += int64(n); *l.n > l.max {
		return 0, &LimitError{What: "decompressed bytes", Limit: l.max}
	}
	return n, err
}
