package buildservice

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/store"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// attempt stands between a delivery and its builder and registry for one run. It sees to it that the same inputs are
// published once: whatever was pushed for them, by this build before its worker died or by another build, is taken instead
// of being built again.
type attempt struct {
	Registry
	builder build.Builder
	lease   *lease
	run     *store.Run
	order   pipeline.Order
	scope   string
	log     *logger

	inputs string // a hash of all that the build was made of; empty where it is made of several
}

// Build implements [build.Builder].
func (a *attempt) Build(ctx context.Context, req build.Request) (*build.Result, error) {
	req.CacheScope = a.scope
	req.Progress = a.log.progress(req.Progress)
	if req.Layout != a.order.Layout { // one of several platforms, each with a text of its own
		return a.builder.Build(ctx, req)
	}
	a.inputs = a.hash(req)
	made, err := a.run.Made(ctx, a.inputs)
	if err != nil {
		return nil, err
	}
	for _, digest := range made {
		result, err := a.take(ctx, digest, req.Layout)
		if err != nil {
			return nil, err
		}
		if result != nil {
			a.log.line("build", "the same inputs were built before: "+digest)
			return result, nil
		}
	}
	return a.builder.Build(ctx, req)
}

// hash is equal for builds that read the same.
func (a *attempt) hash(req build.Request) string {
	h := sha256.New()
	// The names of secrets count, their content does not: it must not end up in what is published.
	secrets := map[string]bool{}
	for id := range req.Secrets {
		secrets[id] = true
	}
	_ = json.NewEncoder(h).Encode([]any{ // plain data, into a hash
		a.order.Repository, a.order.Ref, a.order.Load.Dir, req.Name, req.Dockerfile, req.Platforms, req.Target, req.Args, secrets,
		req.Sources, req.Created, req.Network, a.order.Publish,
	})
	return hex.EncodeToString(h.Sum(nil))
}

// take returns an image that the registry has already, or nil if it has not.
func (a *attempt) take(ctx context.Context, digest, layout string) (*build.Result, error) {
	ref := a.order.Publish + "@" + digest
	if _, err := a.Resolve(ctx, ref); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if isFault(err) {
			return nil, err
		}
		return nil, nil // it was not pushed, or removed since
	}
	index, err := a.Index(ctx, ref)
	if err != nil {
		return nil, err
	}
	if err := registry.SaveLayout(layout, index); err != nil {
		return nil, err
	}
	result := &build.Result{Layout: layout, Home: build.Home{Name: "registry"}}
	if result.Index, err = registry.LoadLayout(layout); err != nil {
		return nil, err
	}
	result.Digest, err = result.Index.Digest()
	return result, err
}

// Push implements [pipeline.Registry]. What will be there is recorded before it is, and nothing is pushed once another
// worker may have taken over.
func (a *attempt) Push(ctx context.Context, repository string, index v1.ImageIndex, opts registry.PushOptions) (name.Digest, error) {
	digest, err := index.Digest()
	if err != nil {
		return name.Digest{}, err
	}
	if err := a.run.Publishing(ctx, a.inputs, digest.String()); err != nil {
		return name.Digest{}, fmt.Errorf("not published: %w", err)
	}
	ctx, done := a.lease.hold(ctx)
	defer done()
	pushed, err := a.Registry.Push(ctx, repository, index, opts)
	if err != nil && ctx.Err() != nil {
		return pushed, context.Cause(ctx)
	}
	return pushed, err
}

// Tag implements [pipeline.Registry]. Tags come last, and only from the worker that still has the build.
func (a *attempt) Tag(ctx context.Context, ref string, tags []string) error {
	if err := a.run.InStage(ctx, "tag"); err != nil {
		return fmt.Errorf("not tagged: %w", err)
	}
	ctx, done := a.lease.hold(ctx)
	defer done()
	if err := a.Registry.Tag(ctx, ref, tags); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	return nil
}
