package rebuild

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Annotations that a rebased manifest gets, beside those of the base (org.opencontainers.image.base.*).
const (
	// AnnotationFrom is the digest of the manifest that was rebased.
	AnnotationFrom = "dev.plimsoll.rebased.from"
	// AnnotationBecause is the id of the ban or campaign.
	AnnotationBecause = "dev.plimsoll.because-of"

	annotationBaseName   = "org.opencontainers.image.base.name"
	annotationBaseDigest = "org.opencontainers.image.base.digest"
)

// Rebased is a manifest on its new base. Its own layers are where they were, the new base's are to be mounted.
type Rebased struct {
	// Manifest and Config are the two blobs to push, MediaType is the manifest's.
	Manifest, Config []byte
	MediaType        types.MediaType
	// Digest is the manifest's.
	Digest v1.Hash
	// Base are the layers that come from the new base's repository.
	Base []v1.Descriptor
}

// Names say where an image was moved to and why; they end up in annotations.
type Names struct {
	// Base is the new base as a person writes it, "docker.io/library/debian:12.9".
	Base string
	// Because is the id of the ban or campaign; empty for none.
	Because string
}

// Rebase makes the manifest and configuration of an image on its new base. It does not judge: ask [Judge] first. manifest
// is the image's manifest as it is. Everything that is not named here stays as it is, byte for byte: annotations, unknown
// fields, platform, creation time. The same input gives the same digest.
func Rebase(img *Image, manifest []byte, change *Change, names Names) (*Rebased, error) {
	n := len(change.Old.Layers)
	if n > len(img.Layers) {
		return nil, fmt.Errorf("image %s has %d layers, its base %s has %d", img.Digest, len(img.Layers), change.Old.Digest, n)
	}
	config, err := rebaseConfig(img, change)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", img.Digest, err)
	}
	var whole object
	if err := json.Unmarshal(manifest, &whole); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", img.Digest, err)
	}
	mediaType := types.MediaType(decode[string](whole["mediaType"]))
	if mediaType == "" {
		mediaType = types.OCIManifestSchema1
	}
	configDescriptor := decode[object](whole["config"])
	hash, size := sha(config)
	configDescriptor["digest"], configDescriptor["size"] = encode(hash.String()), encode(size)
	delete(configDescriptor, "data") // a copy of the content that was
	whole["config"] = encode(configDescriptor)

	base := sameFamily(change.New.Layers, mediaType)
	layers := decode[[]json.RawMessage](whole["layers"])
	var all []json.RawMessage
	for _, layer := range base {
		all = append(all, encode(layer))
	}
	whole["layers"] = encode(slices.Concat(all, layers[n:]))
	whole["annotations"] = encode(annotate(decode[map[string]string](whole["annotations"]), img, change, names))

	out := &Rebased{Manifest: encode(whole), Config: config, MediaType: mediaType, Base: base}
	out.Digest, _ = sha(out.Manifest)
	return out, nil
}

func annotate(annotations map[string]string, img *Image, change *Change, names Names) map[string]string {
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationBaseName], annotations[annotationBaseDigest] = names.Base, change.New.Digest.String()
	annotations[AnnotationFrom] = img.Digest.String()
	if names.Because != "" {
		annotations[AnnotationBecause] = names.Because
	}
	return annotations
}

func rebaseConfig(img *Image, change *Change) ([]byte, error) {
	merged, conflicts, err := mergeConfig(change.Old.Raw, img.Raw, change.New.Raw)
	if err != nil {
		return nil, err
	}
	if len(conflicts) > 0 {
		return nil, fmt.Errorf("%s", conflicts[0])
	}
	var whole object
	if err := json.Unmarshal(img.Raw, &whole); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	own := img.Config.RootFS.DiffIDs[len(change.Old.Config.RootFS.DiffIDs):]
	rootfs := v1.RootFS{Type: "layers", DiffIDs: slices.Concat(change.New.Config.RootFS.DiffIDs, own)}
	whole["rootfs"], whole["config"] = encode(rootfs), merged
	delete(whole, "history")
	if history := mergeHistory(img.Config, change.Old.Config, change.New.Config); len(history) > 0 {
		whole["history"] = encode(history)
	}
	return encode(whole), nil
}

// sameFamily gives layers the media types of the manifest that lists them: an OCI manifest lists OCI layers, Docker's lists
// Docker's. The content of both kinds is the same.
func sameFamily(layers []v1.Descriptor, manifest types.MediaType) []v1.Descriptor {
	toOCI := map[types.MediaType]types.MediaType{
		types.DockerLayer: types.OCILayer, types.DockerUncompressedLayer: types.OCIUncompressedLayer,
	}
	toDocker := map[types.MediaType]types.MediaType{
		types.OCILayer: types.DockerLayer, types.OCIUncompressedLayer: types.DockerUncompressedLayer,
	}
	names := toOCI
	if manifest == types.DockerManifestSchema2 {
		names = toDocker
	}
	out := slices.Clone(layers)
	for i := range out {
		if name, ok := names[out[i].MediaType]; ok {
			out[i].MediaType = name
		}
		out[i].Data = nil
	}
	return out
}

func sha(content []byte) (v1.Hash, int64) {
	hash, size, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		panic(err) // reading from memory does not fail
	}
	return hash, size
}
