package scan

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// document is what a scan reads of a manifest or an index
// (https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md, image-index.md).
type document struct {
	SchemaVersion int               `json:"schemaVersion"`
	Config        v1.Descriptor     `json:"config"`
	Layers        []v1.Descriptor   `json:"layers"`
	Manifests     []v1.Descriptor   `json:"manifests"`
	Annotations   map[string]string `json:"annotations"`
}

// config is what a scan reads of an image's config.
type config struct {
	OS           string    `json:"os"`
	Architecture string    `json:"architecture"`
	Variant      string    `json:"variant"`
	Created      time.Time `json:"created"`
	RootFS       struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []struct {
		Empty bool `json:"empty_layer"`
	} `json:"history"`
}

// maxManifests limits what one index may list.
const maxManifests = 1000

// errNoImage says that a manifest is of something else than an image: a chart, a signature, a package list.
var errNoImage = errors.New("not an image")

func parseManifest(raw []byte) (document, error) {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, fmt.Errorf("manifest: %w", err)
	}
	if len(d.Manifests) > maxManifests {
		return d, fmt.Errorf("index: it lists %d manifests, more than %d", len(d.Manifests), maxManifests)
	}
	return d, nil
}

// isImage says whether the config's type is that of an image.
func (d *document) isImage() bool {
	return d.Config.MediaType == types.OCIConfigJSON || d.Config.MediaType == types.DockerConfigJSON
}

// attestation says whether a manifest of an index is BuildKit's, with statements about another of the index
// (https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md).
func attestation(d v1.Descriptor) bool {
	return d.Annotations["vnd.docker.reference.type"] == "attestation-manifest"
}

// children are the images that an index lists.
func (d *document) children() []v1.Descriptor {
	var list []v1.Descriptor
	for _, m := range d.Manifests {
		unknown := m.Platform != nil && m.Platform.OS == "unknown"
		if !attestation(m) && !unknown && (m.MediaType.IsImage() || m.MediaType.IsIndex()) && valid(m.Digest) {
			list = append(list, m)
		}
	}
	return list
}

func valid(h v1.Hash) bool { return h.Hex != "" }

// image is what the manifest and its config say of the image.
func (d *document) image(digest string, rawConfig []byte) (lineage.Image, error) {
	img := lineage.Image{Digest: digest, Kind: lineage.KindManifest, Config: d.Config.Digest.String()}
	var c config
	if err := json.Unmarshal(rawConfig, &c); err != nil {
		return img, fmt.Errorf("config %s: %w", d.Config.Digest, err)
	}
	img.Platform = platformOf(c.OS, c.Architecture, c.Variant)
	if c.Created.Year() >= 2000 { // reproducible builds say 1970 or so
		img.Created = c.Created.UTC()
	}
	diffIDs := c.RootFS.DiffIDs
	for _, id := range diffIDs {
		if _, err := v1.NewHash(id); err != nil {
			return img, fmt.Errorf("config %s: diff ID %.80q: %w", d.Config.Digest, id, err)
		}
	}
	if len(diffIDs) != len(d.Layers) {
		img.Note, img.Layers = fmt.Sprintf("%d layers and %d diff IDs: its layers say nothing", len(d.Layers), len(diffIDs)), len(d.Layers)
		return img, nil
	}
	img.SetLayers(diffIDs)
	img.Note = d.note(c)
	return img, nil
}

// note says what makes the evidence of layers poorer than usual.
func (d *document) note(c config) string {
	steps := 0
	for _, h := range c.History {
		if !h.Empty {
			steps++
		}
	}
	switch n := len(d.Layers); {
	case n == 0:
		return "no layers"
	case len(c.History) == 0:
		return "no history"
	case steps > n:
		return fmt.Sprintf("squashed: %d steps in %d layers", steps, n)
	case steps < n:
		return "history of other layers"
	}
	for _, layer := range d.Layers {
		if !layer.MediaType.IsDistributable() {
			return "foreign layers"
		}
	}
	return ""
}

func platformOf(os, arch, variant string) string {
	if os == "" || arch == "" {
		return ""
	}
	return cut(platforms.Format(platforms.Normalize(platforms.Platform{OS: os, Architecture: arch, Variant: variant})))
}

func platformName(p *v1.Platform) string {
	if p == nil {
		return ""
	}
	return platformOf(p.OS, p.Architecture, p.Variant)
}

// The annotations that say what an image stands on and comes from
// (https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md). Labels are not believed: an image inherits
// those of its base, with what they say of that.
const (
	annotationBaseName   = "org.opencontainers.image.base.name"
	annotationBaseDigest = "org.opencontainers.image.base.digest"
	annotationSource     = "org.opencontainers.image.source"
	annotationRevision   = "org.opencontainers.image.revision"
	annotationOwner      = "dev.plimsoll.owner"
)

// annotated adds what annotations say: of the manifest, and where that says nothing, of the index above.
func annotated(img *lineage.Image, of ...map[string]string) (edges []lineage.Edge) {
	first := func(key string) string {
		for _, annotations := range of {
			if value := cut(annotations[key]); value != "" {
				return value
			}
		}
		return ""
	}
	img.Owner = first(annotationOwner)
	if source := first(annotationSource); source != "" {
		img.Definition = lineage.Definition{Repository: source, Commit: first(annotationRevision), Grade: lineage.GradeAnnotation}
	}
	for _, annotations := range of {
		base, named := annotations[annotationBaseDigest], canonical(annotations[annotationBaseName])
		if _, err := v1.NewHash(base); err != nil || base == img.Digest {
			base = "" // a name is still worth something
		}
		if base != "" || named != "" {
			return append(edges, lineage.Edge{
				Image: lineage.Image{Digest: img.Digest}, Base: base, Name: named, Role: lineage.RoleBase,
				Grade: lineage.GradeAnnotation, Source: "annotations",
			})
		}
	}
	return edges
}

// canonical spells a reference out as catalogs do: "debian:12" is "docker.io/library/debian:12". What is none is "".
func canonical(ref string) string {
	if ref == "" || len(ref) > 512 {
		return ""
	}
	body, _, _ := strings.Cut(ref, "@")
	r, err := name.NewTag(body, name.WithDefaultTag(""))
	if err != nil {
		return ""
	}
	s := canonicalRepository(r.Context().Name())
	if r.TagStr() != "" {
		s += ":" + r.TagStr()
	}
	return s
}

func canonicalRepository(repository string) string {
	if path, ok := strings.CutPrefix(repository, name.DefaultRegistry+"/"); ok {
		return "docker.io/" + path
	}
	return repository
}

// cut makes a text of a stranger one that a store takes.
func cut(s string) string {
	const limit = 512
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
	if len(s) <= limit {
		return s
	}
	s = s[:limit]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}
