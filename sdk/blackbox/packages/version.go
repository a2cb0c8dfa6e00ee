package packages

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	apkversion "github.com/knqyf263/go-apk-version"
	debversion "github.com/knqyf263/go-deb-version"
	rpmversion "github.com/knqyf263/go-rpm-version"
)

// Compare returns -1, 0 or 1, as the package's version is older than the other one, the same or newer, in the order
// that the type of the package has. A version that can't be read is an error.
func (p Package) Compare(version string) (int, error) {
	switch p.Type {
	case "deb":
		return compare(p.Version, version, debversion.NewVersion, func(a, b debversion.Version) int { return a.Compare(b) })
	case "apk":
		return compare(p.Version, version, apkversion.NewVersion, apkversion.Version.Compare)
	case "rpm":
		return rpmversion.NewVersion(p.Version).Compare(rpmversion.NewVersion(version)), nil
	default:
		return compare(goVersion(p.Version), goVersion(version), semver.NewVersion, (*semver.Version).Compare)
	}
}

// goVersion takes the "go" off the version of Go itself.
func goVersion(v string) string { return strings.TrimPrefix(v, "go") }

func compare[V any](a, b string, parse func(string) (V, error), order func(V, V) int) (int, error) {
	x, err := parse(a)
	if err != nil {
		return 0, fmt.Errorf("version %q: %w", a, err)
	}
	y, err := parse(b)
	if err != nil {
		return 0, fmt.Errorf("version %q: %w", b, err)
	}
	return order(x, y), nil
}
