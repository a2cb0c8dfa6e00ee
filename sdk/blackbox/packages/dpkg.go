package packages

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// dpkg reads /var/lib/dpkg/status, and status.d, where distroless images have a file for each package.
type dpkg struct{}

func (dpkg) Type() string { return "deb" }

func (dpkg) Read(ctx context.Context, files *imagefs.FS) ([]Package, error) {
	const status, dir = "/var/lib/dpkg/status", "/var/lib/dpkg/status.d"
	data, err := readIfThere(ctx, files, status)
	if err != nil {
		return nil, err
	}
	found, err := debs(data, status)
	if err != nil {
		return nil, err
	}
	entries, err := files.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if !e.Mode.IsRegular() || strings.HasSuffix(e.Path, ".md5sums") {
			continue
		}
		data, err := files.ReadFile(ctx, e.Path)
		if err != nil {
			return nil, err
		}
		more, err := debs(data, e.Path)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// debs reads paragraphs of "Field: value" lines (deb-control(5)). Packages that were removed stay listed with a status
// that does not end in "installed".
func debs(data []byte, path string) ([]Package, error) {
	var found []Package
	err := paragraphs(data, path, ":", func(fields map[string]string) {
		status := strings.Fields(fields["Status"])
		if fields["Package"] != "" && (len(status) == 0 || status[len(status)-1] == "installed") {
			found = append(found, Package{Name: fields["Package"], Version: fields["Version"], Type: "deb", Path: path})
		}
	})
	return found, err
}

// paragraphs calls yield for each group of lines between blank ones. Lines that continue a field are left out.
func paragraphs(data []byte, path, separator string, yield func(map[string]string)) error {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, max(len(data)+1, bufio.MaxScanTokenSize))
	fields := map[string]string{}
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch name, value, ok := strings.Cut(line, separator); {
		case strings.TrimSpace(line) == "":
			yield(fields)
			fields = map[string]string{}
		case line[0] == ' ' || line[0] == '\t' || line[0] == '#':
		case !ok:
			return fmt.Errorf("%s:%d: %q is no field", path, n, line)
		default:
			fields[name] = strings.TrimSpace(value)
		}
	}
	yield(fields)
	return lines.Err()
}
