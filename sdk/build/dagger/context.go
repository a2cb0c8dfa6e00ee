package dagger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// writeTree writes a build context to a directory on this machine, from where the engine takes it: modes and times as they
// are, symbolic links as links.
func writeTree(ctx context.Context, files fs.FS, dir string) error {
	type dated struct {
		name string
		time time.Time
		mode fs.FileMode
	}
	var dirs []dated // whose times change when something is put into them
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		switch mode := info.Mode(); {
		case mode.IsDir():
			if name == "." {
				return nil
			}
			dirs = append(dirs, dated{path, info.ModTime(), mode.Perm()})
			return os.Mkdir(path, 0o700)
		case mode&fs.ModeSymlink != 0:
			target, err := fs.ReadLink(files, name)
			if err != nil {
				return err
			}
			return os.Symlink(target, path) //nolint:gosec // in a directory of our own, and only we write to it
		case mode.IsRegular():
			return writeFile(files, name, path, info)
		default:
			return fmt.Errorf("%s: a build context holds files, directories and symbolic links; this is %s", name, mode.Type())
		}
	})
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(dirs) {
		if err := errors.Join(os.Chmod(d.name, d.mode), os.Chtimes(d.name, d.time, d.time)); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(files fs.FS, name, path string, info fs.FileInfo) (err error) {
	from, err := files.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	return errors.Join(os.Chmod(path, info.Mode().Perm()), os.Chtimes(path, info.ModTime(), info.ModTime()))
}
