package sbom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/installed"
)

// CycloneDX makes a bill of materials of CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): the image as the component
// that it is about, and a component for each package. The same list always gives the same document.
func CycloneDX(list installed.List, about About) *cyclonedx.BOM {
	bom := cyclonedx.NewBOM()
	bom.SpecVersion, bom.JSONSchema = cyclonedx.SpecVersion1_6, "http://cyclonedx.org/schema/bom-1.6.schema.json"
	bom.SerialNumber = serial(about)
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: about.Created.UTC().Format(time.RFC3339),
		Tools: &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{{
			Type: cyclonedx.ComponentTypeApplication, Name: "plimsoll", Version: about.Version,
		}}},
		Component: &cyclonedx.Component{
			BOMRef: "image", Type: cyclonedx.ComponentTypeContainer, Name: about.Name, Version: about.Digest.String(),
			Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: about.Digest.Hex}},
		},
	}
	components := []cyclonedx.Component{}
	for i, p := range list.Packages {
		components = append(components, cyclonedx.Component{
			BOMRef: fmt.Sprintf("package-%d", i+1), Type: cyclonedx.ComponentTypeLibrary,
			Name: p.Name, Version: p.Version, PackageURL: url(p, list.Distro),
			Properties: &[]cyclonedx.Property{{Name: "plimsoll:path", Value: p.Path}},
		})
	}
	bom.Components = &components
	return bom
}

// serial is a UUID of version 8 (RFC 9562) made of the image's digest.
func serial(about About) string {
	h := fmt.Sprintf("%032.32s", about.Digest.Hex)
	return fmt.Sprintf("urn:uuid:%s-%s-8%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
}

func parseCycloneDX(raw json.RawMessage) (installed.List, error) {
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(raw), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return installed.List{}, fmt.Errorf("CycloneDX document: %w: %w", attest.ErrMalformed, err)
	}
	var list installed.List
	var walk func(components *[]cyclonedx.Component)
	walk = func(components *[]cyclonedx.Component) {
		if components == nil {
			return
		}
		for _, c := range *components {
			path := ""
			if c.Properties != nil {
				for _, p := range *c.Properties {
					if p.Name == "plimsoll:path" {
						path = p.Value
					}
				}
			}
			if c.PackageURL != "" {
				add(&list, c.PackageURL, path)
			}
			walk(c.Components)
		}
	}
	walk(bom.Components)
	return list, nil
}
