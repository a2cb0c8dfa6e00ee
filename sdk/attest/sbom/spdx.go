package sbom

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/installed"
)

const noAssertion = "NOASSERTION"

// SPDX makes a document of SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/): the image, and the packages that it contains,
// each with its package URL. The same list always gives the same document.
func SPDX(list installed.List, about About) *spdx.Document {
	image := &spdx.Package{
		PackageName: about.Name, PackageSPDXIdentifier: "Image", PackageVersion: about.Digest.String(),
		PackageDownloadLocation: noAssertion, PackageLicenseConcluded: noAssertion, PackageLicenseDeclared: noAssertion,
		PackageCopyrightText: noAssertion, PrimaryPackagePurpose: "CONTAINER",
		PackageChecksums: []common.Checksum{{Algorithm: common.SHA256, Value: about.Digest.Hex}},
	}
	d := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      about.Name + "@" + about.Digest.String(),
		DocumentNamespace: "https://plimsoll.dev/spdx/" + about.Digest.Algorithm + "-" + about.Digest.Hex,
		CreationInfo: &spdx.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: tool(about.Version)}},
			Created:  about.Created.UTC().Format(time.RFC3339),
		},
		Packages: []*spdx.Package{image},
		Relationships: []*spdx.Relationship{{
			RefA: common.MakeDocElementID("", "DOCUMENT"), RefB: common.MakeDocElementID("", "Image"), Relationship: common.TypeRelationshipDescribe,
		}},
	}
	for i, p := range list.Packages {
		id := common.ElementID(fmt.Sprintf("Package-%d", i+1))
		d.Packages = append(d.Packages, &spdx.Package{
			PackageName: p.Name, PackageSPDXIdentifier: id, PackageVersion: p.Version, PackageSourceInfo: "listed in " + p.Path,
			PackageDownloadLocation: noAssertion, PackageLicenseConcluded: noAssertion, PackageLicenseDeclared: noAssertion,
			PackageCopyrightText: noAssertion,
			PackageExternalReferences: []*spdx.PackageExternalReference{{
				Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: url(p, list.Distro),
			}},
		})
		d.Relationships = append(d.Relationships, &spdx.Relationship{
			RefA: common.MakeDocElementID("", "Image"), RefB: common.MakeDocElementID("", string(id)), Relationship: common.TypeRelationshipContains,
		})
	}
	return d
}

func tool(version string) string {
	if version == "" {
		return "plimsoll"
	}
	return "plimsoll-" + version
}

func parseSPDX(raw json.RawMessage) (installed.List, error) {
	var d spdx.Document
	if err := json.Unmarshal(raw, &d); err != nil {
		return installed.List{}, fmt.Errorf("SPDX document: %w: %w", attest.ErrMalformed, err)
	}
	var list installed.List
	for _, p := range d.Packages {
		if p == nil {
			continue
		}
		for _, ref := range p.PackageExternalReferences {
			if ref != nil && ref.RefType == common.TypePackageManagerPURL {
				add(&list, ref.Locator, p.PackageSourceInfo)
				break
			}
		}
	}
	return list, nil
}
