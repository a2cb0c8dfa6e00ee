package packages

import (
	"context"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// apk reads the installed database of Alpine and Wolfi (apk-installed(5)): P is the name, V the version.
type apk struct{}

func (apk) Type() string { return "apk" }

func (apk) Read(ctx context.Context, files *imagefs.FS) ([]Package, error) {
	var found []Package
	for _, path := range []string{"/lib/apk/db/installed", "/usr/lib/apk/db/installed"} {
		e, err := files.Lookup(path)
		if err != nil || e.Path != path { // gone, or the other one by a link
			continue
		}
		data, err := files.ReadFile(ctx, path)
		if err != nil {
			return nil, err
		}
		err = paragraphs(data, path, ":", func(fields map[string]string) {
			if fields["P"] != "" {
				found = append(found, Package{Name: fields["P"], Version: fields["V"], Type: "apk", Path: path})
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
