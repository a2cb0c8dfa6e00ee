package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moby/patternmatcher"
)

// contextBuilder lists what is below a directory and makes a build context of it.
type contextBuilder struct {
	base   fs.FS
	dir    string // the context's directory in base
	ignore ignore
	opts   Options // with defaults
	time   time.Time

	nodes  map[string]*node
	seen   int   // entries looked at
	bytes  int64 // size of the files taken
	lfs    bool  // a .gitattributes names Git LFS
	absent AbsentError
}

// build makes the context, or says which limit it passes.
func (b *contextBuilder) build(ctx context.Context) (*contextFS, error) {
	b.nodes = map[string]*node{}
	for dir := b.dir; dir != "."; {
		dir = path.Dir(dir)
		if err := b.attributes(path.Join(dir, ".gitattributes")); err != nil {
			return nil, err
		}
	}
	root := &node{fileInfo: fileInfo{name: ".", mode: fs.ModeDir | 0o755, time: b.time}, path: b.dir}
	b.nodes["."] = root
	if err := b.list(ctx, root, ".", patternmatcher.MatchInfo{}); err != nil {
		return nil, err
	}
	if b.lfs {
		if err := b.findLFS(); err != nil {
			return nil, err
		}
	}
	return &contextFS{b.base, b.nodes}, nil
}

// list takes what is in one directory. One that is left out itself is kept when something below it comes back in.
func (b *contextBuilder) list(ctx context.Context, dir *node, name string, parent patternmatcher.MatchInfo) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(b.base, dir.path)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return strings.Compare(x.Name(), y.Name()) })
	for _, e := range entries {
		if b.seen++; b.seen > b.opts.MaxFiles {
			return &LimitError{Option: "MaxFiles", Path: dir.path, Limit: int64(b.opts.MaxFiles), Found: int64(b.seen)}
		}
		if dir.path == "." && e.Name() == ".git" {
			continue
		}
		child := path.Join(name, e.Name())
		out, info, err := b.ignore.match(child, parent)
		if err != nil {
			return fmt.Errorf(".dockerignore: %w", err)
		}
		if out && (!e.IsDir() || b.ignore.prunes(child)) {
			continue
		}
		n, err := b.node(e, path.Join(dir.path, e.Name()))
		if err != nil {
			return err
		}
		if n.IsDir() && !n.submodule {
			if err := b.list(ctx, n, child, info); err != nil {
				return err
			}
			if out && len(n.children) == 0 {
				continue
			}
		}
		if n.submodule && !out {
			b.absent.Submodules = append(b.absent.Submodules, n.path)
		}
		b.nodes[child] = n
		dir.children = append(dir.children, &n.fileInfo)
	}
	return nil
}

// node describes an entry in git's words and counts it.
func (b *contextBuilder) node(e fs.DirEntry, name string) (*node, error) {
	info, err := e.Info()
	if err != nil {
		return nil, err
	}
	n := &node{fileInfo: fileInfo{name: e.Name(), time: b.time}, path: name}
	if git, ok := info.(*fileInfo); ok {
		n.submodule = git.submodule
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		n.mode = fs.ModeDir | 0o755
	case mode.Type() == fs.ModeSymlink:
		n.mode = fs.ModeSymlink | 0o777
		n.link, err = fs.ReadLink(b.base, name)
		n.size = int64(len(n.link))
	case mode.IsRegular():
		n.mode = 0o644
		if mode&0o100 != 0 {
			n.mode = 0o755
		}
		n.size = info.Size()
		err = b.count(n)
		if err == nil && e.Name() == ".gitattributes" {
			err = b.attributes(name)
		}
	default:
		err = fmt.Errorf("%s: %v is neither file, directory nor symbolic link", name, mode.Type())
	}
	return n, err
}

func (b *contextBuilder) count(n *node) error {
	if n.size > b.opts.MaxFile {
		return &LimitError{Option: "MaxFile", Path: n.path, Limit: b.opts.MaxFile, Found: n.size}
	}
	if b.bytes += n.size; b.bytes > b.opts.MaxBytes {
		return &LimitError{Option: "MaxBytes", Path: b.dir, Limit: b.opts.MaxBytes, Found: b.bytes}
	}
	return nil
}

// attributes notes whether a .gitattributes hands files to Git LFS.
func (b *contextBuilder) attributes(name string) error {
	content, err := readLimited(b.base, name, "MaxDockerfile", b.opts.MaxDockerfile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotRegular) {
		return nil
	}
	b.lfs = b.lfs || bytes.Contains(content, []byte("filter=lfs"))
	return err
}

// findLFS notes the files that are only pointers into Git LFS.
func (b *contextBuilder) findLFS() error {
	for _, n := range b.nodes {
		if !n.mode.IsRegular() || n.size > maxPointer {
			continue
		}
		content, err := fs.ReadFile(b.base, n.path)
		if err != nil {
			return err
		}
		if _, _, ok := lfsPointer(content); ok {
			b.absent.LFS = append(b.absent.LFS, n.path)
		}
	}
	slices.Sort(b.absent.LFS)
	return nil
}
