package scan

import (
	"encoding/json"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

const self = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// Whatever a registry answers, what is made of it is something that a store takes.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"`+self+`","size":2},"layers":[],"annotations":{"org.opencontainers.image.base.name":"debian:12"}}`),
		[]byte(`{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[]},"history":[{"empty_layer":true}]}`))
	f.Add([]byte(`{"manifests":[{"digest":"`+self+`","mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"os":"linux","architecture":"arm","variant":"v7"}}]}`), []byte(`{}`))
	f.Add([]byte(`{"layers":[{}]}`), []byte(`{"created":"2026-01-01T00:00:00Z","rootfs":{"diff_ids":["`+self+`"]}}`))
	f.Fuzz(func(t *testing.T, manifest, config []byte) {
		d, err := parseManifest(manifest)
		if err != nil {
			return
		}
		const digest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
		var b lineage.Batch
		index := lineage.Image{Digest: digest, Kind: lineage.KindIndex}
		for _, child := range d.children() {
			index.Manifests = append(index.Manifests, lineage.Child{Digest: child.Digest.String(), Platform: platformName(child.Platform)})
		}
		b.Images = append(b.Images, index)
		if valid(d.Config.Digest) {
			if img, err := d.image(digest, config); err == nil {
				b.Edges = annotated(&img, d.Annotations)
				b.Images = append(b.Images, img)
			}
		}
		if err := lineage.NewMemory().Put(t.Context(), b); err != nil {
			t.Errorf("%v\n%q\n%q", err, manifest, config)
		}
	})
}

func FuzzStatement(f *testing.F) {
	f.Add(uint8(0), []byte(`{"buildDefinition":{"buildType":"x","resolvedDependencies":[{"uri":"pkg:docker/debian@12?platform=linux%2Famd64","digest":{"sha256":"`+self[7:]+`"}}]},"runDetails":{"builder":{"id":"x"}}}`))
	f.Add(uint8(1), []byte(`{"materials":[{"uri":"pkg:docker/a/b@1","digest":{"sha256":"`+self[7:]+`"}}]}`))
	f.Add(uint8(2), []byte(`{"packages":[{"externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:rpm/rhel/openssl@3?epoch=1&distro=rhel-9"}]}]}`))
	f.Add(uint8(3), []byte(`{"components":[{"purl":"pkg:npm/%40scope/name@1.0.0"}]}`))
	f.Fuzz(func(t *testing.T, kind uint8, predicate []byte) {
		types := append([]string{provenance.Type}, predicateTypes()[1:]...)
		if !json.Valid(predicate) {
			return
		}
		s := &attest.Statement{PredicateType: types[int(kind)%len(types)], Predicate: predicate}
		img := lineage.Image{Digest: "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", Kind: lineage.KindManifest}
		says, err := understand(s, img, lineage.GradeUnsigned, "fuzz")
		if err != nil {
			return
		}
		img.Definition = says.definition
		b := lineage.Batch{Images: []lineage.Image{img}, Edges: says.edges}
		if says.inventory != nil {
			b.Inventories = append(b.Inventories, *says.inventory)
		}
		if err := lineage.NewMemory().Put(t.Context(), b); err != nil {
			t.Errorf("%v\n%q", err, predicate)
		}
	})
}
