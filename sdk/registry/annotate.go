package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/containerd/platforms"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Annotations are what [Annotate] sets.
type Annotations struct {
	// Index is set on the index itself.
	Index map[string]string
	// Manifest returns what is set on the manifest for a platform ("linux/amd64"; "" when it has none). May be nil.
	Manifest func(platform string) map[string]string
}

// ErrAttested says that an index can't be annotated because it has attestations: they name the manifests' digests, which
// would change. Annotate first, attest afterwards.
var ErrAttested = errors.New("the index has attestations, which annotating would make wrong")

// Annotate returns an index with annotations added to it and to its manifests; the same key is overwritten. Configs,
// layers, media types, platforms, order and every other field stay as they are, byte for byte where they are not named
// here. Nothing is read but manifests.
func Annotate(idx v1.ImageIndex, add Annotations) (v1.ImageIndex, error) {
	list, err := idx.IndexManifest()
	if err != nil {
		return nil, err
	}
	out := &annotatedIndex{base: idx, images: map[v1.Hash]v1.Image{}, indexes: map[v1.Hash]v1.ImageIndex{}}
	var descriptors []map[string]any
	for _, desc := range list.Manifests {
		changes, err := out.child(desc, add)
		if err != nil {
			return nil, fmt.Errorf("manifest %s: %w", desc.Digest, err)
		}
		descriptors = append(descriptors, changes)
	}
	raw, err := idx.RawManifest()
	if err != nil {
		return nil, err
	}
	out.raw, err = patch(raw, add.Index, descriptors)
	return out, err
}

// child annotates one manifest and returns what changes in its descriptor.
func (x *annotatedIndex) child(desc v1.Descriptor, add Annotations) (map[string]any, error) {
	var changed partial.Describable
	switch {
	case desc.Annotations["vnd.docker.reference.type"] == "attestation-manifest":
		return nil, ErrAttested
	case desc.MediaType.IsIndex():
		below, err := x.base.ImageIndex(desc.Digest)
		if err != nil {
			return nil, err
		}
		idx, err := Annotate(below, add)
		if err != nil {
			return nil, err
		}
		digest, err := idx.Digest()
		if err != nil {
			return nil, err
		}
		x.indexes[digest], changed = idx, idx
	case desc.MediaType.IsImage() && add.Manifest != nil:
		img, err := x.base.Image(desc.Digest)
		if err != nil {
			return nil, err
		}
		annotated, err := annotateImage(img, add.Manifest(platformOf(desc)))
		if err != nil {
			return nil, err
		}
		digest, err := annotated.Digest()
		if err != nil {
			return nil, err
		}
		x.images[digest], changed = annotated, annotated
	default:
		return nil, nil
	}
	now, err := partial.Descriptor(changed)
	if err != nil {
		return nil, err
	}
	return map[string]any{"digest": now.Digest, "size": now.Size}, nil
}

func platformOf(desc v1.Descriptor) string {
	if desc.Platform == nil {
		return ""
	}
	return platforms.Format(platforms.Normalize(toOCI(*desc.Platform)))
}

func annotateImage(img v1.Image, annotations map[string]string) (v1.Image, error) {
	raw, err := img.RawManifest()
	if err != nil {
		return nil, err
	}
	raw, err = patch(raw, annotations, nil)
	return &annotatedImage{Image: img, raw: raw}, err
}

// patch merges annotations into a manifest, and the changes of each descriptor into the "manifests" of an index. It
// works on the JSON, so that fields that go-containerregistry does not know survive.
func patch(raw []byte, annotations map[string]string, descriptors []map[string]any) ([]byte, error) {
	var manifest map[string]json.RawMessage
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return nil, err
	}
	if len(annotations) > 0 {
		merged := map[string]string{}
		if old, ok := manifest["annotations"]; ok {
			if err := json.Unmarshal(old, &merged); err != nil {
				return nil, err
			}
		}
		maps.Copy(merged, annotations)
		if err := set(manifest, "annotations", merged); err != nil {
			return nil, err
		}
	}
	if len(descriptors) > 0 {
		var list []map[string]json.RawMessage
		if err := json.Unmarshal(manifest["manifests"], &list); err != nil {
			return nil, err
		}
		for i, changes := range descriptors {
			for field, value := range changes {
				if err := set(list[i], field, value); err != nil {
					return nil, err
				}
			}
		}
		if err := set(manifest, "manifests", list); err != nil {
			return nil, err
		}
	}
	return json.Marshal(manifest)
}

func set(object map[string]json.RawMessage, field string, value any) error {
	raw, err := json.Marshal(value)
	object[field] = raw
	return err
}

// annotatedImage is an image with another manifest.
type annotatedImage struct {
	v1.Image
	raw []byte
}

func (i *annotatedImage) RawManifest() ([]byte, error) { return i.raw, nil }
func (i *annotatedImage) Manifest() (*v1.Manifest, error) {
	return v1.ParseManifest(bytes.NewReader(i.raw))
}
func (i *annotatedImage) Digest() (v1.Hash, error) { return partial.Digest(i) }
func (i *annotatedImage) Size() (int64, error)     { return int64(len(i.raw)), nil }

// annotatedIndex is an index with another manifest, whose changed children are kept here.
type annotatedIndex struct {
	base    v1.ImageIndex
	raw     []byte
	images  map[v1.Hash]v1.Image
	indexes map[v1.Hash]v1.ImageIndex
}

func (x *annotatedIndex) MediaType() (types.MediaType, error) { return x.base.MediaType() }
func (x *annotatedIndex) RawManifest() ([]byte, error)        { return x.raw, nil }
func (x *annotatedIndex) Digest() (v1.Hash, error)            { return partial.Digest(x) }
func (x *annotatedIndex) Size() (int64, error)                { return int64(len(x.raw)), nil }
func (x *annotatedIndex) IndexManifest() (*v1.IndexManifest, error) {
	return v1.ParseIndexManifest(bytes.NewReader(x.raw))
}

func (x *annotatedIndex) Image(h v1.Hash) (v1.Image, error) {
	if img, ok := x.images[h]; ok {
		return img, nil
	}
	return x.base.Image(h)
}

func (x *annotatedIndex) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	if idx, ok := x.indexes[h]; ok {
		return idx, nil
	}
	return x.base.ImageIndex(h)
}

// Layer is how go-containerregistry reads what an index lists and is neither image nor index.
func (x *annotatedIndex) Layer(h v1.Hash) (v1.Layer, error) {
	if base, ok := x.base.(interface {
		Layer(v1.Hash) (v1.Layer, error)
	}); ok {
		return base.Layer(h)
	}
	return nil, fmt.Errorf("%s can't be read: it is neither an image nor an index", h)
}
