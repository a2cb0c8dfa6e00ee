package scan

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// maxPackages limits what one list may have.
const maxPackages = 100_000

// parseSBOM reads the packages of an SPDX document (https://spdx.github.io/spdx-spec/v2.3) or a CycloneDX BOM
// (https://cyclonedx.org/docs/1.6/json): those that have a package URL, which alone says what kind a package is.
func parseSBOM(predicateType string, predicate []byte) (lineage.Inventory, error) {
	var doc struct {
		Packages []struct { // SPDX
			Refs []struct {
				Type    string `json:"referenceType"`
				Locator string `json:"referenceLocator"`
			} `json:"externalRefs"`
		} `json:"packages"`
		Components []struct { // CycloneDX
			URL string `json:"purl"`
		} `json:"components"`
	}
	if err := json.Unmarshal(predicate, &doc); err != nil {
		return lineage.Inventory{}, fmt.Errorf("%s: %w", predicateType, err)
	}
	var inv lineage.Inventory
	add := func(locator string) {
		if p, distro, ok := parsePURL(locator); ok {
			inv.Packages = append(inv.Packages, p)
			if inv.Distro == "" {
				inv.Distro = distro
			}
		}
	}
	if len(doc.Packages)+len(doc.Components) > maxPackages {
		return inv, fmt.Errorf("%s: it lists more than %d packages", predicateType, maxPackages)
	}
	for _, p := range doc.Packages {
		for _, ref := range p.Refs {
			if ref.Type == "purl" {
				add(ref.Locator)
			}
		}
	}
	for _, c := range doc.Components {
		add(c.URL)
	}
	return inv, nil
}

// parsePURL reads a package URL (https://github.com/package-url/purl-spec): "pkg:deb/debian/openssl@3.0.14-1?distro=debian-12".
// The namespace is part of the name where package managers have it there, as with npm and Go.
func parsePURL(s string) (p lineage.Package, distro string, ok bool) {
	rest, ok := strings.CutPrefix(s, "pkg:")
	if !ok {
		return p, "", false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	kind, path, _ := strings.Cut(strings.Trim(rest, "/"), "/")
	at := strings.LastIndexByte(path, '@')
	if at <= 0 {
		return p, "", false // without a version nothing can be said
	}
	version, err1 := url.PathUnescape(path[at+1:])
	name, err2 := url.PathUnescape(path[:at])
	values, err3 := url.ParseQuery(strings.ReplaceAll(query, "+", "%2B"))
	if err1 != nil || err2 != nil || err3 != nil {
		return p, "", false
	}
	kind = strings.ToLower(kind)
	switch kind {
	case "deb", "rpm", "apk":
		name = name[strings.LastIndexByte(name, '/')+1:]
		if epoch := values.Get("epoch"); epoch != "" && kind == "rpm" {
			version = epoch + ":" + version
		}
		distro = values.Get("distro")
	}
	if name == "" || version == "" {
		return p, "", false
	}
	return lineage.Package{Type: cut(kind), Name: cut(name), Version: cut(version)}, cut(distro), true
}
