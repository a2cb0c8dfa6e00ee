package packages

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"io"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// Go returns what is written in a Go program about how it was built: the version of Go as the package "stdlib", the
// main module and all others.
func Go(ctx context.Context, files *imagefs.FS, path string) ([]Package, error) {
	data, err := files.ReadFile(ctx, path)
	if err != nil {
		return nil, err
	}
	return goProgram(data, path)
}

// GoPrograms returns the same of every Go program in an image, in one pass over its layers. Programs of other languages are
// left out; one of more than 256 MiB is an error.
func GoPrograms(ctx context.Context, files *imagefs.FS) ([]Package, error) {
	const limit = 256 << 20
	var all []Package
	for item, content := range files.Contents(ctx, func(e imagefs.Entry) bool { return e.Mode&0o111 != 0 }) {
		if item.Err != nil {
			return nil, item.Err
		}
		magic := make([]byte, 4)
		if _, err := io.ReadFull(content, magic); err != nil || string(magic) != "\x7fELF" {
			continue
		}
		rest, err := io.ReadAll(io.LimitReader(content, limit))
		if err != nil {
			return nil, err
		}
		if len(rest) == limit {
			return nil, &imagefs.LimitError{What: "bytes of " + item.Path, Limit: limit}
		}
		if found, err := goProgram(append(magic, rest...), item.Path); err == nil {
			all = append(all, found...)
		}
	}
	return all, nil
}

func goProgram(data []byte, path string) ([]Package, error) {
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: not a program built by Go: %w", path, err)
	}
	found := []Package{{Name: "stdlib", Version: info.GoVersion, Type: "golang", Path: path}}
	if info.Main.Path != "" {
		found = append(found, Package{Name: info.Main.Path, Version: info.Main.Version, Type: "golang", Path: path})
	}
	for _, m := range info.Deps {
		if m.Replace != nil && m.Replace.Version != "" && m.Replace.Version != "(devel)" { // one by a directory says nothing about the version
			m = m.Replace
		}
		found = append(found, Package{Name: m.Path, Version: m.Version, Type: "golang", Path: path})
	}
	return found, nil
}
