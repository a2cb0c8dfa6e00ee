// Package installed says which packages images in a registry carry: what bans by package ask ("libssl3 below 3.0.14").
//
//	facts := installed.New(client)
//	carries, err := facts.Carries(ctx, "registry.example/app@sha256:...", "linux/amd64", pkg)
//
// [Facts] is a [catalog.PackageFacts]. It reads an image's layers once and remembers its packages; nothing is started.
package installed

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/rpm"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// Images reads images; *registry.Client does.
type Images interface {
	// Image returns what a reference names for a platform.
	Image(ctx context.Context, ref, platform string) (v1.Image, error)
}

// maxRemembered is how many images' packages are kept: some 50 kB each.
const maxRemembered = 1000

// Facts reads the packages of images. It is safe for concurrent use; an image that two ask about at the same time is read
// once.
type Facts struct {
	images Images

	mu    sync.Mutex
	cells map[string]*cell
}

type cell struct {
	once sync.Once
	list List
	err  error
}

var _ catalog.PackageFacts = (*Facts)(nil)

// New returns facts about images that are read from a registry.
func New(images Images) *Facts { return &Facts{images: images, cells: map[string]*cell{}} }

// List is what is installed in one image.
type List struct {
	// Distro is ID and VERSION_ID of os-release, "debian-12", or the ID alone; empty when the image does not say.
	Distro   string
	Packages []packages.Package
}

// Carries says whether an image ("repository@sha256:...") has a package on a platform. Images whose databases can't be read,
// and versions that can't be compared, are errors.
func (f *Facts) Carries(ctx context.Context, ref, platform string, pkg catalog.Package) (bool, error) {
	list, err := f.List(ctx, ref, platform, pkg.Type == "golang")
	if err != nil {
		return false, err
	}
	carries, err := list.Carries(pkg)
	if err != nil {
		return false, fmt.Errorf("%s: %w", ref, err)
	}
	return carries, nil
}

// List reads what is installed in an image, or remembers it; see [Read].
func (f *Facts) List(ctx context.Context, ref, platform string, programs bool) (List, error) {
	key := fmt.Sprintf("%s %s %t", ref, platform, programs)
	for {
		f.mu.Lock()
		c := f.cells[key]
		if c == nil {
			if len(f.cells) >= maxRemembered {
				clear(f.cells)
			}
			c = &cell{}
			f.cells[key] = c
		}
		f.mu.Unlock()
		first := false
		c.once.Do(func() {
			first = true
			if c.list, c.err = f.read(ctx, ref, platform, programs); c.err != nil {
				f.mu.Lock()
				defer f.mu.Unlock()
				if f.cells[key] == c {
					delete(f.cells, key) // ask again: it may pass
				}
			}
		})
		if !first && ctx.Err() == nil && (errors.Is(c.err, context.Canceled) || errors.Is(c.err, context.DeadlineExceeded)) {
			continue // the other one gave up, not the registry
		}
		return c.list, c.err
	}
}

func (f *Facts) read(ctx context.Context, ref, platform string, programs bool) (List, error) {
	image, err := f.images.Image(ctx, ref, platform)
	if err != nil {
		return List{}, err
	}
	list, err := Read(ctx, image, programs)
	if err != nil {
		return List{}, fmt.Errorf("the packages of %s (%s): %w", ref, platform, err)
	}
	return list, nil
}

// Read reads what is installed in an image: packages of the operating system (deb, apk, rpm), of Python, npm and Ruby, and
// with programs what Go programs are built of, for which all executable files are read.
func Read(ctx context.Context, image v1.Image, programs bool) (List, error) {
	files, err := imagefs.New(ctx, image, imagefs.Limits{})
	if err != nil {
		return List{}, err
	}
	var list List
	if list.Packages, err = packages.Read(ctx, files, append(packages.All(), rpm.Database{})...); err != nil {
		return List{}, err
	}
	if programs {
		found, err := packages.GoPrograms(ctx, files)
		if err != nil {
			return List{}, err
		}
		list.Packages = append(list.Packages, found...)
	}
	list.Distro, err = distro(ctx, files)
	return list, err
}

// distro reads os-release(5).
func distro(ctx context.Context, files *imagefs.FS) (string, error) {
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		data, err := files.ReadFile(ctx, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		values := map[string]string{}
		for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), "="); ok {
				values[strings.TrimSpace(name)] = strings.ToLower(strings.Trim(strings.TrimSpace(value), `"'`))
			}
		}
		if values["ID"] != "" && values["VERSION_ID"] != "" {
			return values["ID"] + "-" + values["VERSION_ID"], nil
		}
		return values["ID"], nil
	}
	return "", nil
}

// Carries says whether one of the packages is meant: by type and name, in the range of versions and the distribution. An
// image that does not say its distribution is meant by every one.
func (l List) Carries(pkg catalog.Package) (bool, error) {
	id, _, _ := strings.Cut(l.Distro, "-")
	if pkg.Distro != "" && l.Distro != "" && pkg.Distro != l.Distro && pkg.Distro != id {
		return false, nil
	}
	for _, p := range l.Packages {
		if p.Type != pkg.Type || !sameName(pkg.Type, p.Name, pkg.Name) {
			continue
		}
		in, err := within(p, pkg)
		if err != nil {
			return false, fmt.Errorf("package %s in %s: %w", p.Name, p.Path, err)
		}
		if in {
			return true, nil
		}
	}
	return false, nil
}

// sameName compares names as the type of the package does: PEP 503 takes "-", "_" and "." for the same.
func sameName(kind, a, b string) bool {
	if kind == "pypi" {
		normal := strings.NewReplacer("_", "-", ".", "-")
		return normal.Replace(strings.ToLower(a)) == normal.Replace(strings.ToLower(b))
	}
	return a == b
}

func within(p packages.Package, pkg catalog.Package) (bool, error) {
	if pkg.From != "" {
		if order, err := p.Compare(pkg.From); err != nil || order < 0 {
			return false, err
		}
	}
	if pkg.Below == "" {
		return true, nil
	}
	order, err := p.Compare(pkg.Below)
	return order < 0, err
}
