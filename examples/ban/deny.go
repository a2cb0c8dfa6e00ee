package main

import (
	"bytes"
	"context"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/compile"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/keys"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/sweep"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// deny compiles and signs the bundle, and hands it to this host's agent: on more hosts each agent fetches it from the
// registry.
func (s *stage) deny(ctx context.Context, cat *catalog.Catalog) (uint64, error) {
	version, now := s.version.Add(1), time.Now()
	b := bundle.NewBuilder(bundle.Header{Name: "rehearsal", Version: version, Issued: now, Expires: now.Add(time.Hour), Catalog: cat.Digest()})
	if _, err := compile.Compile(ctx, b, cat, s.lineage, compile.Options{At: now}); err != nil {
		return 0, err
	}
	var data bytes.Buffer
	if err := b.Write(ctx, &data, keys.Signer(s.key)); err != nil {
		return 0, err
	}
	_, err := s.store.Adopt(ctx, data.Bytes())
	return version, err
}

// sweep judges what runs; without Docker that is nothing.
func (s *stage) sweep(ctx context.Context) (*sweep.Report, error) {
	if s.host == nil {
		return sweep.Sweep(ctx, s.gate)
	}
	return sweep.Sweep(ctx, s.gate, s.host)
}

// runningOrBuilt is an image that somebody wants to start.
func (s *stage) runningOrBuilt(ctx context.Context) (admission.Image, error) {
	desc, err := s.client.Head(ctx, s.registry.Host+"/team/"+name(0)+":1.0")
	return admission.Image{Ref: "team/" + name(0) + ":1.0", Digests: []string{desc.Digest.String()}}, err
}
