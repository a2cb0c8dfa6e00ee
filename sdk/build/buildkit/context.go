package buildkit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
)

// tree shows an fs.FS to BuildKit. Symbolic links are sent as links, modes and times as they are, everything as root's.
type tree struct{ fs.FS }

// Walk calls fn for everything below target, parents first and in lexical order, as fsutil.FS wants it.
func (t tree) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	target = path.Clean("/" + target)[1:]
	if target == "" {
		target = "."
	}
	return fs.WalkDir(t.FS, target, func(name string, entry fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			return fn(name, nil, err)
		}
		if name == "." {
			return nil
		}
		stat, err := t.stat(name, entry)
		if err != nil {
			return err
		}
		return fn(name, &fsutil.DirEntryInfo{Stat: stat}, nil)
	})
}

func (t tree) stat(name string, entry fs.DirEntry) (*types.Stat, error) {
	info, err := entry.Info()
	if err != nil {
		return nil, err
	}
	stat := &types.Stat{Path: name, Mode: uint32(info.Mode()), ModTime: info.ModTime().UnixNano()}
	switch mode := info.Mode(); {
	case mode.IsDir():
	case mode.IsRegular():
		stat.Size = info.Size()
	case mode&fs.ModeSymlink != 0:
		if stat.Linkname, err = fs.ReadLink(t.FS, name); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%s: a build context holds files, directories and symbolic links; this is %s", name, mode.Type())
	}
	return stat, nil
}

// Open opens a regular file.
func (t tree) Open(name string) (io.ReadCloser, error) { return t.FS.Open(path.Clean("/" + name)[1:]) }

// digest is the hash of everything that BuildKit would receive. BuildKit keeps the last context it got under a key and
// asks only for files whose size or time changed; in a context from git every file has its commit's time, so two
// commits of the same second could be mixed up. With this hash as the key, only an equal context is used again.
func (t tree) digest(ctx context.Context) (string, error) {
	h := sha256.New()
	err := t.Walk(ctx, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		stat := entry.(*fsutil.DirEntryInfo).Stat
		h.Write(fmt.Appendf(nil, "%q %o %d %d %q\n", name, stat.Mode, stat.ModTime, stat.Size, stat.Linkname))
		if !fs.FileMode(stat.Mode).IsRegular() {
			return nil
		}
		f, err := t.FS.Open(name)
		if err != nil {
			return err
		}
		n, err := io.Copy(h, f)
		if err == nil && n != stat.Size {
			err = fmt.Errorf("%s: %d bytes long, but %d were read: the build context changed while it was read", name, stat.Size, n)
		}
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}
