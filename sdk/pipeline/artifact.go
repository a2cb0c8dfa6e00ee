package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// annotate writes on a build's index and manifests, in its layout too, where they come from.
func annotate(result *build.Result, out *Delivered) (*build.Result, error) {
	annotated := *result
	var err error
	annotated.Index, err = registry.Annotate(result.Index, registry.Annotations{
		Index:    originOf(out),
		Manifest: func(platform string) map[string]string { return annotations(out, platform) },
	})
	if err != nil {
		return nil, err
	}
	store, err := layout.FromPath(result.Layout)
	if err != nil {
		return nil, err
	}
	everything := func(v1.Descriptor) bool { return true }
	if err := store.ReplaceIndex(annotated.Index, everything); err != nil {
		return nil, err
	}
	annotated.Digest, err = annotated.Index.Digest()
	return &annotated, err
}

// test runs the order's features, or else those that lie in the definition's own context, and those that the delivery
// requires. Without any there is no verdict.
func (d *Delivery) test(ctx context.Context, run *Run, order Order, out *Delivered) (*blackbox.Verdict, error) {
	features := blackbox.Folders{}
	own, err := order.features(out.Definition.Context)
	if err != nil {
		return nil, err
	}
	if own != nil {
		features[FeaturesDir] = own
	}
	if d.Required != nil {
		features[requiredDir] = d.Required
	}
	if len(features) == 0 {
		run.Progress("test", "not tested: the definition has no features")
		return nil, nil
	}
	suite := blackbox.Suite{
		Features: features,
		Index:    out.Build.Index,
		Runtime:  d.Sandbox,
		Options:  blackbox.Options{Now: run.now, Params: order.Params},
	}
	verdict, err := suite.Run(ctx)
	if err == nil {
		err = verdict.Err()
	}
	var untested *blackbox.UntestedError
	if d.AcceptUntested && errors.As(err, &untested) {
		return verdict, nil
	}
	return verdict, err
}

// requiredDir is the folder of the features that the delivery requires, as verdicts name it.
const requiredDir = "required"

func (o Order) features(context fs.FS) (fs.FS, error) {
	if o.Features != nil {
		return o.Features, nil
	}
	info, err := fs.Stat(context, FeaturesDir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir():
		return nil, nil
	case err != nil:
		return nil, err
	}
	return fs.Sub(context, FeaturesDir)
}

func (d *Delivery) publish(ctx context.Context, order Order, out *Delivered) (string, error) {
	if out.Verdict == nil {
		return "", fmt.Errorf("%w: give it features (a %q directory in its context), or publish from code of your own", ErrNotTested, FeaturesDir)
	}
	if out.Source.Dirty {
		return "", fmt.Errorf("%s has changes that are not committed: commit them, an image must name the commit it was made from", out.Source.Repository)
	}
	if out.Verdict.Digest != out.Build.Digest {
		return "", fmt.Errorf("%w: the verdict is about %s, the image is %s", ErrNotTested, out.Verdict.Digest, out.Build.Digest)
	}
	tags := order.Tags
	if d.Evidence != nil {
		tags = nil // not before the evidence is there
	}
	digest, err := d.Registry.Push(ctx, order.Publish, out.Build.Index, registry.PushOptions{Tags: tags})
	if err != nil {
		return "", err
	}
	return digest.Name(), nil
}

// The annotations beside those of the OCI image specification (annotations.md): what the definition asked for, where the
// catalog moved it to another base.
const (
	AnnotationRequestedName   = "dev.plimsoll.base.requested.name"
	AnnotationRequestedDigest = "dev.plimsoll.base.requested.digest"
)

// originOf says where an image comes from. A path means nothing on another machine, so only a URL is named as source.
func originOf(out *Delivered) map[string]string {
	origin := map[string]string{
		"org.opencontainers.image.revision": out.Source.Commit,
		"org.opencontainers.image.created":  out.Source.CommitTime.UTC().Format(time.RFC3339),
	}
	if scheme, _, ok := strings.Cut(out.Source.Repository, "://"); ok && scheme != "file" {
		origin["org.opencontainers.image.source"] = out.Source.Repository
	}
	return origin
}

// annotations say where the manifest for a platform comes from and what it stands on.
func annotations(out *Delivered, platform string) map[string]string {
	all := originOf(out)
	for _, decision := range out.Plan.Decisions {
		in := decision.Input
		if in.Role == catalog.RoleBase && in.Runtime && cmp.Or(in.BuiltFor, in.Platform) == platform {
			all["org.opencontainers.image.base.name"] = decision.Effective
			all["org.opencontainers.image.base.digest"] = decision.Digest
			all[AnnotationRequestedName] = in.Ref
			all[AnnotationRequestedDigest] = in.Digest
		}
	}
	return all
}
