package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Artifact is something other than an image that is kept in a registry, as the OCI image specification 1.1 has it
// (manifest.md, "Guidelines for artifact usage"): a manifest with a type, an empty config and blobs.
type Artifact struct {
	// Type is the artifact's media type, "application/vnd.example.catalog.v1+yaml".
	Type string
	// Blobs are its content; at least one.
	Blobs []Blob
	// Annotations are those of the manifest.
	Annotations map[string]string
	// Subject makes it a referrer: it is found by asking what refers to that digest. Nil for none.
	Subject *v1.Descriptor
	// Descriptor is the manifest's own, when it was read.
	Descriptor v1.Descriptor
}

// Blob is one part of an artifact.
type Blob struct {
	MediaType   string
	Data        []byte
	Annotations map[string]string
	// Embed puts the data into the manifest too (the descriptor's "data" field), so that reading the artifact costs one
	// request. Manifests have to stay below 4 MiB, so larger data is not embedded although it was asked for.
	Embed bool
}

// maxEmbedded is how large an embedded blob may be; base64 makes it a third larger.
const maxEmbedded = 512 << 10

const emptyType types.MediaType = "application/vnd.oci.empty.v1+json"

var emptyConfig = []byte("{}")

// PushArtifact uploads an artifact and returns its reference by digest. Tags are set last, as with [Client.Push]. One that
// has a subject is listed among the subject's referrers when it returns, also in registries without the referrers API: see
// [Client.Referrers].
func (c *Client) PushArtifact(ctx context.Context, repository string, a Artifact, opts PushOptions) (name.Digest, error) {
	const op = "push"
	repo, err := c.parseRepository(op, repository)
	if err != nil {
		return name.Digest{}, err
	}
	tags, err := parseTags(repo, opts.Tags)
	if err != nil {
		return name.Digest{}, &Error{Op: op, Ref: repository, Kind: ErrInvalid, Err: err}
	}
	manifest, layers, err := a.manifest()
	if err != nil {
		return name.Digest{}, &Error{Op: op, Ref: repository, Kind: ErrInvalid, Err: err}
	}
	ref := repo.Digest(manifest.digest.String())
	pusher, err := remote.NewPusher(c.remoteOptions(c.opts.Jobs)...)
	if err != nil {
		return name.Digest{}, err
	}
	meter, err := newMeter(layers, opts.Progress)
	if err != nil {
		return name.Digest{}, err
	}
	for _, layer := range layers {
		if err := c.upload(ctx, pusher, repo, layer, meter); err != nil {
			return name.Digest{}, c.fail(ctx, op, repository, repo, err)
		}
	}
	err = c.transport.retry(ctx, "put "+ref.String(), func(int) error { return pusher.Put(ctx, ref, manifest) })
	if err != nil {
		return name.Digest{}, c.fail(ctx, op, repository, repo, err)
	}
	if a.Subject != nil {
		if err := c.list(ctx, pusher, repo.Digest(a.Subject.Digest.String()), a.descriptor(manifest)); err != nil {
			return name.Digest{}, err
		}
	}
	for i, tag := range tags {
		if err := pusher.Put(ctx, tag, manifest); err != nil {
			err = c.fail(ctx, "tag", repository+":"+tag.TagStr(), repo, err)
			return name.Digest{}, fmt.Errorf("%w; it is there as %s%s", err, manifest.digest, setBefore(tags[:i]))
		}
	}
	return ref, nil
}

// Artifact reads the artifact that a reference names, with all its blobs, which together must not be larger than limit
// bytes. Manifest and blobs are checked against their digests, embedded data too. An image or an index is an error that
// wraps [ErrInvalid].
func (c *Client) Artifact(ctx context.Context, ref string, limit int64) (*Artifact, error) {
	const op = "read"
	r, err := c.parse(op, ref)
	if err != nil {
		return nil, err
	}
	var a *Artifact
	err = c.read(ctx, op, ref, r.Context(), func(p *remote.Puller) error {
		desc, err := p.Get(ctx, r)
		if err != nil {
			return err
		}
		a, err = c.artifact(ctx, p, r.Context(), desc, limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (c *Client) artifact(ctx context.Context, p *remote.Puller, repo name.Repository, desc *remote.Descriptor, limit int64) (*Artifact, error) {
	if desc.MediaType != types.OCIManifestSchema1 {
		return nil, fmt.Errorf("%s is %s, not an artifact", desc.Digest, desc.MediaType)
	}
	var m v1.Manifest
	if err := json.Unmarshal(desc.Manifest, &m); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", desc.Digest, err)
	}
	a := &Artifact{Type: m.ArtifactType, Annotations: m.Annotations, Subject: m.Subject, Descriptor: desc.Descriptor}
	if a.Type == "" { // before image-spec 1.1 the config's type said it
		a.Type = string(m.Config.MediaType)
	}
	a.Descriptor.ArtifactType = a.Type
	for _, layer := range m.Layers {
		if layer.MediaType.IsLayer() {
			return nil, fmt.Errorf("%s is an image, not an artifact", desc.Digest)
		}
		if layer.Size < 0 || layer.Size > limit {
			return nil, &tooLargeError{limit: limit}
		}
		limit -= layer.Size
		data, err := content(ctx, p, repo, layer)
		if err != nil {
			return nil, err
		}
		a.Blobs = append(a.Blobs, Blob{
			MediaType: string(layer.MediaType), Data: data, Annotations: layer.Annotations, Embed: layer.Data != nil,
		})
	}
	return a, nil
}

// content returns what a descriptor names, from the descriptor itself where it is embedded.
func content(ctx context.Context, p *remote.Puller, repo name.Repository, desc v1.Descriptor) ([]byte, error) {
	data := desc.Data
	if data == nil {
		layer, err := p.Layer(ctx, repo.Digest(desc.Digest.String()))
		if err != nil {
			return nil, err
		}
		body, err := layer.Compressed()
		if err != nil {
			return nil, err
		}
		defer body.Close()
		if data, err = io.ReadAll(io.LimitReader(body, desc.Size+1)); err != nil {
			return nil, err
		}
	}
	got, size, err := v1.SHA256(bytes.NewReader(data))
	switch {
	case err != nil:
		return nil, err
	case size != desc.Size:
		return nil, fmt.Errorf("blob %s has %s%d bytes, the manifest says %d", desc.Digest, map[bool]string{true: "at least "}[size > desc.Size], size, desc.Size)
	case got != desc.Digest:
		return nil, fmt.Errorf("blob %s has the content of %s", desc.Digest, got)
	}
	return data, nil
}

// artifactManifest is what is put into the registry.
type artifactManifest struct {
	raw       []byte
	digest    v1.Hash
	mediaType types.MediaType
}

func (m *artifactManifest) RawManifest() ([]byte, error)        { return m.raw, nil }
func (m *artifactManifest) MediaType() (types.MediaType, error) { return m.mediaType, nil }

// descriptor is how a list of referrers names the artifact.
func (a Artifact) descriptor(m *artifactManifest) v1.Descriptor {
	return v1.Descriptor{
		MediaType: m.mediaType, Digest: m.digest, Size: int64(len(m.raw)), ArtifactType: a.Type, Annotations: a.Annotations,
	}
}

// manifest returns the artifact's manifest and the blobs that it refers to.
func (a Artifact) manifest() (*artifactManifest, []v1.Layer, error) {
	if a.Type == "" || len(a.Blobs) == 0 {
		return nil, nil, errors.New("an artifact has a type and at least one blob")
	}
	config := static.NewLayer(emptyConfig, emptyType)
	configDigest, err := config.Digest()
	if err != nil {
		return nil, nil, err
	}
	m := v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  a.Type,
		Config:        v1.Descriptor{MediaType: emptyType, Digest: configDigest, Size: int64(len(emptyConfig)), Data: emptyConfig},
		Annotations:   a.Annotations,
		Subject:       a.Subject,
	}
	layers := []v1.Layer{config}
	for _, b := range a.Blobs {
		layer := static.NewLayer(b.Data, types.MediaType(b.MediaType))
		digest, err := layer.Digest()
		if err != nil {
			return nil, nil, err
		}
		desc := v1.Descriptor{
			MediaType: types.MediaType(cmp.Or(b.MediaType, a.Type)), Digest: digest, Size: int64(len(b.Data)), Annotations: b.Annotations,
		}
		if b.Embed && len(b.Data) <= maxEmbedded {
			desc.Data = b.Data
		}
		m.Layers = append(m.Layers, desc)
		layers = append(layers, layer)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, nil, err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return nil, nil, err
	}
	layers, err = unique(layers)
	return &artifactManifest{raw: raw, digest: digest, mediaType: types.OCIManifestSchema1}, layers, err
}
