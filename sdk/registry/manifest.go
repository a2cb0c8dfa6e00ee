package registry

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Manifest is a manifest or an index as it is in a registry.
type Manifest struct {
	// Repository is where it was read, in full: "registry.example/team/app".
	Repository string
	Descriptor v1.Descriptor
	Raw        []byte
}

// Manifest reads the manifest or index that a reference names, byte for byte. It is checked against the reference's digest.
func (c *Client) Manifest(ctx context.Context, ref string) (*Manifest, error) {
	const op = "read"
	r, err := c.parse(op, ref)
	if err != nil {
		return nil, err
	}
	var m *Manifest
	err = c.read(ctx, op, ref, r.Context(), func(p *remote.Puller) error {
		desc, err := p.Get(ctx, r)
		if err == nil {
			m = &Manifest{Repository: r.Context().Name(), Descriptor: desc.Descriptor, Raw: desc.Manifest}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}
