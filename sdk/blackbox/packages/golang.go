package packages

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// Go returns what is written in a Go program about how it was built: the version of Go as the package "stdlib", the
// main module and all others.
func Go(ctx context.Context, files *imagefs.FS, path string) ([]Package, error) {
	data, err := files.ReadFile(ctx, path)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: not a program built by Go: %w", path, err)
	}
	found := []Package{{Name: "stdlib", Version: info.GoVersion, Type: "golang", Path: path}}
	if info.Main.Path != "" {
		found = append(found, Package{Name: info.Main.Path, Version: info.Main.Version, Type: "golang", Path: path})
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		found = append(found, Package{Name: m.Path, Version: m.Version, Type: "golang", Path: path})
	}
	return found, nil
}
