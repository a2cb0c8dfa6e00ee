package scan

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Index returns what an index says that is at hand, such as a build's, and its images with what their annotations say.
func Index(idx v1.ImageIndex) (lineage.Batch, error) {
	var b lineage.Batch
	raw, err := idx.RawManifest()
	if err != nil {
		return b, err
	}
	d, err := parseManifest(raw)
	if err != nil {
		return b, err
	}
	digest, err := idx.Digest()
	if err != nil {
		return b, err
	}
	index := lineage.Image{Digest: digest.String(), Kind: lineage.KindIndex}
	for _, child := range d.children() {
		if child.MediaType.IsIndex() {
			return b, fmt.Errorf("index %s: it has another index in it, %s", digest, child.Digest)
		}
		img, edges, err := local(idx, child, d.Annotations)
		if err != nil {
			return b, fmt.Errorf("manifest %s: %w", child.Digest, err)
		}
		b.Images, b.Edges = append(b.Images, img), append(b.Edges, edges...)
		index.Manifests = append(index.Manifests, lineage.Child{Digest: child.Digest.String(), Platform: platformName(child.Platform)})
	}
	b.Images = append(b.Images, index)
	return b, nil
}

func local(idx v1.ImageIndex, child v1.Descriptor, above map[string]string) (lineage.Image, []lineage.Edge, error) {
	image, err := idx.Image(child.Digest)
	if err != nil {
		return lineage.Image{}, nil, err
	}
	raw, err := image.RawManifest()
	if err != nil {
		return lineage.Image{}, nil, err
	}
	d, err := parseManifest(raw)
	if err != nil {
		return lineage.Image{}, nil, err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return lineage.Image{}, nil, err
	}
	img, err := d.image(child.Digest.String(), config)
	if err != nil {
		return img, nil, err
	}
	return img, annotated(&img, d.Annotations, child.Annotations, above), nil
}
