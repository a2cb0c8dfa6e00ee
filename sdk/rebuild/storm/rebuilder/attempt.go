package rebuilder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// attempt stands between a delivery and its builder and registry. It sees to it that the same inputs are built once:
// whatever was published of them, before a process died or for another image, is taken instead.
type attempt struct {
	Registry
	builder build.Builder
	order   pipeline.Order
	request runner.Request

	inputs string
}

// Build implements [build.Builder].
func (a *attempt) Build(ctx context.Context, req build.Request) (*build.Result, error) {
	if req.Layout != a.order.Layout { // one of several platforms, each with a text of its own
		return a.builder.Build(ctx, req)
	}
	a.inputs = a.hash(req)
	made, err := a.request.Made(ctx, a.inputs)
	if err != nil {
		return nil, err
	}
	for _, reference := range made {
		result, err := a.take(ctx, reference, req.Layout)
		if err != nil || result != nil {
			return result, err
		}
	}
	return a.builder.Build(ctx, req)
}

// hash is equal for builds that read the same.
func (a *attempt) hash(req build.Request) string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode([]any{ // plain data, into a hash
		a.order.Repository, a.order.Ref, a.order.Load.Dir, req.Name, req.Dockerfile, req.Platforms, req.Target, req.Args, req.Sources, req.Created, req.Network,
	})
	return hex.EncodeToString(h.Sum(nil))
}

// take returns an image that the registry has already, or nil if it has not.
func (a *attempt) take(ctx context.Context, reference, layout string) (*build.Result, error) {
	index, err := a.Index(ctx, reference)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil, nil // it was not pushed, or removed since
	case err != nil:
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
	if err := a.request.Publishing(ctx, a.inputs, strings.TrimSuffix(repository, "/")+"@"+digest.String()); err != nil {
		return name.Digest{}, fmt.Errorf("not published: %w", err)
	}
	return a.Registry.Push(ctx, repository, index, opts)
}
