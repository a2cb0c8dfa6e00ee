package lineage

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// Carrying returns the images that have a package, in one of the versions meant. Versions are compared as the package's
// own manager does: Debian's "1:2.0~rc1" is before "1:2.0". A carrier whose version can't be compared comes too, with a
// Doubt: it must not be missed.
//
// It knows only of images whose packages are known; [Store.Packages] says whether one's are.
func Carrying(ctx context.Context, store Store, pkg catalog.Package) iter.Seq2[Carrier, error] {
	return func(yield func(Carrier, error) bool) {
		if pkg.Type == "" || pkg.Name == "" {
			yield(Carrier{}, fmt.Errorf("%w: package %q of type %q: both are needed", ErrInvalid, pkg.Name, pkg.Type))
			return
		}
		type verdict struct {
			meant bool
			doubt string
		}
		verdicts := map[string]verdict{} // by version: many images have the same one
		for c, err := range store.Carriers(ctx, pkg.Type, pkg.Name) {
			if err != nil {
				yield(Carrier{}, err)
				return
			}
			v, known := verdicts[c.Package.Version]
			if !known {
				v.meant, v.doubt = meant(c.Package, pkg)
				verdicts[c.Package.Version] = v
			}
			if c.Doubt = v.doubt; v.meant && inDistro(c.Distro, pkg.Distro) && !yield(c, nil) {
				return
			}
		}
	}
}

// meant says whether a package's version is one of those wanted. What can't be compared is meant, with a doubt.
func meant(have Package, want catalog.Package) (yes bool, doubt string) {
	p := packages.Package{Name: have.Name, Version: have.Version, Type: have.Type}
	for _, bound := range []struct {
		version string
		outside func(order int) bool
	}{
		{want.From, func(order int) bool { return order < 0 }},
		{want.Below, func(order int) bool { return order >= 0 }},
	} {
		if bound.version == "" {
			continue
		}
		order, err := p.Compare(bound.version)
		if err != nil {
			return true, strings.TrimSpace(err.Error())
		}
		if bound.outside(order) {
			return false, ""
		}
	}
	return true, ""
}

// inDistro says whether a package of "debian-12" is meant by "debian-12" or "debian". What is not known is meant.
func inDistro(have, want string) bool {
	return want == "" || have == "" || have == want || strings.HasPrefix(have, want+"-")
}
