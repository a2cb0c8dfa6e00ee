// Package sbom lists the software in an image as SPDX 2.3 or CycloneDX, for statements about it and for who asks later
// which images carry a package.
//
//	list, err := installed.Read(ctx, image, true)
//	document := sbom.SPDX(list, sbom.About{Name: "registry.example/team/app", Digest: digest, Version: version})
//
// The packages are those that the image's own databases name (dpkg, apk, rpm, Python, npm, Ruby) and that Go programs were
// built of; what somebody copied in without a database is not seen. [Attached] reads the list that BuildKit's scanner put
// beside an image, and [Parse] the packages of either format.
package sbom

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/package-url/packageurl-go"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/installed"
)

// About is what a list is about and who made it.
type About struct {
	// Name is the image's repository, Platform "linux/amd64"; Digest is that of the platform's manifest.
	Name, Platform string
	Digest         v1.Hash
	// Created is when the list was made; the image's own time keeps it reproducible.
	Created time.Time
	// Version is the version of this program.
	Version string
}

// Format is a format of lists.
type Format string

// The formats.
const (
	FormatSPDX      Format = "spdx"
	FormatCycloneDX Format = "cyclonedx"
)

// Document makes a list in a format, and says what its predicate type is.
func (f Format) Document(list installed.List, about About) (predicateType string, document any, err error) {
	switch f {
	case FormatSPDX:
		return attest.SPDXType, SPDX(list, about), nil
	case FormatCycloneDX:
		return attest.CycloneDXType, CycloneDX(list, about), nil
	}
	return "", nil, fmt.Errorf("%q is not a format of package lists: use %s or %s", f, FormatSPDX, FormatCycloneDX)
}

// Attest returns what pipeline.Evidence takes as Packages: it reads the packages of each platform's image, Go programs
// too.
func Attest(format Format, name, version string) func(ctx context.Context, platform string, image v1.Image) (string, any, error) {
	return func(ctx context.Context, platform string, image v1.Image) (string, any, error) {
		about, err := aboutImage(image, name, platform, version)
		if err != nil {
			return "", nil, err
		}
		list, err := installed.Read(ctx, image, true)
		if err != nil {
			return "", nil, err
		}
		return format.Document(list, about)
	}
}

func aboutImage(image v1.Image, name, platform, version string) (About, error) {
	digest, err := image.Digest()
	if err != nil {
		return About{}, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return About{}, err
	}
	if platform == "" {
		platform = config.Platform().String()
	}
	return About{Name: name, Platform: platform, Digest: digest, Created: config.Created.Time, Version: version}, nil
}

// url is a package's package URL (https://github.com/package-url/purl-spec).
func url(p packages.Package, distro string) string {
	u := packageurl.PackageURL{Type: p.Type, Name: p.Name, Version: p.Version}
	switch p.Type {
	case packageurl.TypeDebian, packageurl.TypeApk, packageurl.TypeRPM:
		u.Namespace, _, _ = strings.Cut(distro, "-")
		if distro != "" {
			u.Qualifiers = packageurl.Qualifiers{{Key: "distro", Value: distro}}
		}
		if epoch, version, ok := strings.Cut(p.Version, ":"); ok && p.Type == packageurl.TypeRPM {
			u.Version = version
			u.Qualifiers = append(u.Qualifiers, packageurl.Qualifier{Key: "epoch", Value: epoch})
		}
	case packageurl.TypeGolang, packageurl.TypeNPM:
		if i := strings.LastIndex(p.Name, "/"); i > 0 {
			u.Namespace, u.Name = p.Name[:i], p.Name[i+1:]
		}
	case packageurl.TypePyPi:
		u.Name = strings.ToLower(strings.ReplaceAll(p.Name, "_", "-"))
	}
	return u.ToString()
}

// fromURL is the package that a package URL names, and its distribution.
func fromURL(text string) (p packages.Package, distro string, err error) {
	u, err := packageurl.FromString(text)
	if err != nil {
		return p, "", err
	}
	p = packages.Package{Name: u.Name, Version: u.Version, Type: u.Type}
	qualifiers := u.Qualifiers.Map()
	switch u.Type {
	case packageurl.TypeGolang, packageurl.TypeNPM:
		if u.Namespace != "" {
			p.Name = u.Namespace + "/" + u.Name
		}
	case packageurl.TypeRPM:
		if epoch := qualifiers["epoch"]; epoch != "" && epoch != "0" {
			p.Version = epoch + ":" + p.Version
		}
	}
	return p, cmp.Or(qualifiers["distro"], ""), nil
}

// Parse reads the packages of a list: the predicate of a statement, in JSON. What has no package URL is left out.
func Parse(predicateType string, predicate json.RawMessage) (installed.List, error) {
	switch {
	case predicateType == attest.SPDXType || strings.HasPrefix(predicateType, attest.SPDXType+"/"):
		return parseSPDX(predicate)
	case predicateType == attest.CycloneDXType || strings.HasPrefix(predicateType, attest.CycloneDXType+"/"):
		return parseCycloneDX(predicate)
	}
	return installed.List{}, fmt.Errorf("%q is not the type of a package list", predicateType)
}

// add puts a package into a list.
func add(list *installed.List, purl, path string) {
	p, distro, err := fromURL(purl)
	if err != nil || p.Name == "" {
		return
	}
	p.Path = path
	list.Packages = append(list.Packages, p)
	if list.Distro == "" {
		list.Distro = distro
	}
}
