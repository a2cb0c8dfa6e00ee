package inputs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// This file and gateway.go are all that touches BuildKit's conversion, whose API changes from release to release.

// conversion is one question to BuildKit: what does it read to build this for a platform?
type conversion struct {
	text            []byte
	target          string
	args            map[string]string
	contexts        map[string]string
	platform, build ocispec.Platform
	// image answers for an image; it is called by several goroutines.
	image func(ref, platform string) (*image, error)
}

// answer is what BuildKit said.
type answer struct {
	// images are all images whose config BuildKit asked for.
	images map[imageKey]bool
	// probes are the values that the words of the probes have, by number. One has several where stages differ.
	probes map[string][]string
	// others are sources in the graph that are neither of the two.
	others []string
}

// imageKey is an image reference, "docker.io/library/debian:12", for a platform.
type imageKey struct{ ref, platform string }

// convert has BuildKit turn a Dockerfile into its build graph. Both sides count: an image without layers is asked for
// and not in the graph, and what is in the graph was perhaps not asked for.
func convert(ctx context.Context, c conversion) (*answer, error) {
	r := &metaResolver{image: c.image, images: map[imageKey]bool{}, graph: map[string]bool{}}
	// Without a resolver BuildKit asks registries itself; without capabilities it panics on RUN --mount.
	caps := pb.Caps.CapSet(pb.Caps.All())
	opt := dockerfile2llb.ConvertOpt{
		Config: dockerui.Config{
			BuildArgs:      maps.Clone(c.args), // BuildKit writes to it
			Target:         c.target,
			BuildPlatforms: []ocispec.Platform{c.build},
		},
		TargetPlatform: &c.platform,
		MetaResolver:   r,
		LLBCaps:        &caps,
	}
	if len(c.contexts) > 0 {
		client, err := newGateway(c.contexts, r)
		if err != nil {
			return nil, err
		}
		opt.Client = client
	}
	// Much of the conversion does not look at the context. What is left behind ends by itself and touches nothing.
	done := make(chan error, 1)
	var a *answer
	go func() {
		result, err := dockerfile2llb.Dockerfile2LLB(ctx, c.text, opt)
		if err != nil {
			done <- err
			return
		}
		def, err := result.State.Marshal(ctx)
		if err == nil {
			a, err = r.read(def.Def)
		}
		done <- err
	}()
	select {
	case err := <-done:
		return a, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// read goes through the operations of the graph.
func (r *metaResolver) read(ops [][]byte) (*answer, error) {
	a := &answer{images: r.images, probes: map[string][]string{}}
	for _, raw := range ops {
		var op pb.Op
		if err := op.UnmarshalVT(raw); err != nil {
			return nil, err
		}
		if exec := op.GetExec(); exec != nil {
			if number, ok := probeNumber(exec.Meta.Args); ok {
				a.probes[number] = append(a.probes[number], exec.Meta.User)
			}
		}
		if source := op.GetSource(); source != nil {
			id := source.Identifier
			name, isImage := strings.CutPrefix(id, "docker-image://")
			if !strings.HasPrefix(id, "local://") && (!isImage || !r.graph[name]) {
				a.others = append(a.others, id)
			}
		}
	}
	return a, nil
}

// maxImages limits how often one conversion asks for an image. BuildKit never ends on an image whose ONBUILD trigger
// names the image itself, directly or by way of others.
const maxImages = 1000

// ErrTooManyImages says that a definition reads more than 1000 images, most likely for ever.
var ErrTooManyImages = fmt.Errorf("more than %d images are read: if there are not so many, the ONBUILD trigger of an image names that image", maxImages)

// metaResolver answers BuildKit's questions for images and keeps them.
type metaResolver struct {
	image func(ref, platform string) (*image, error)

	mu     sync.Mutex
	calls  int
	images map[imageKey]bool
	graph  map[string]bool // the same as the graph has them
}

// ResolveImageConfig implements sourceresolver.ImageMetaResolver.
func (r *metaResolver) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	if opt.ImageOpt == nil || opt.ImageOpt.Platform == nil {
		return "", "", nil, errors.New("only images from registries can be read")
	}
	key := imageKey{ref, formatPlatform(*opt.ImageOpt.Platform)}
	image, err := r.image(key.ref, key.platform)
	if err != nil {
		return "", "", nil, err
	}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", "", nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls++; r.calls > maxImages {
		return "", "", nil, &imageError{ref: ref, err: fmt.Errorf("%w, the last is %s", ErrTooManyImages, ref)}
	}
	r.images[key] = true
	r.graph[ref] = true
	if image.Digest == "" {
		return ref, "", image.seen, nil
	}
	pinned, err := reference.WithDigest(named, digest.Digest(image.Digest))
	if err != nil {
		return "", "", nil, err
	}
	r.graph[pinned.String()] = true
	return ref, digest.Digest(image.Digest), image.seen, nil
}

// formatPlatform writes "linux/amd64", the same for all spellings.
func formatPlatform(p ocispec.Platform) string { return platforms.Format(platforms.Normalize(p)) }

// syntax returns the frontend that BuildKit would hand the file to.
func syntax(src []byte) (frontend string, ok bool) {
	frontend, _, _, ok = parser.DetectSyntax(src)
	return frontend, ok
}

// remoteSource says what BuildKit's ADD makes of a source after expansion, as its dispatchCopy does. The kind is "" for a
// local path.
func remoteSource(value string) (kind catalog.Kind, pin string, err error) {
	git, isGit, err := dfgitutil.ParseGitRef(value)
	switch {
	case err != nil && isGit:
		return "", "", err
	case err == nil && !git.IndistinguishableFromLocal:
		pin = git.Checksum
		if pin == "" && isCommit(git.Ref) {
			pin = git.Ref
		}
		return catalog.KindGit, pin, nil
	case strings.HasPrefix(value, "http://"), strings.HasPrefix(value, "https://"):
		return catalog.KindHTTP, "", nil
	}
	return "", "", nil
}

// isCommit says whether a git ref is a full commit id, of SHA-1 or SHA-256.
func isCommit(ref string) bool {
	return (len(ref) == 40 || len(ref) == 64) && strings.Trim(ref, "0123456789abcdef") == ""
}

// located takes the line and the cause out of BuildKit's error.
func located(err error) (line int, cause error) {
	var at *parser.LocationError
	if !errors.As(err, &at) {
		return 0, err
	}
	for _, ranges := range at.Locations {
		for _, r := range ranges {
			return r.Start.Line, at.Unwrap()
		}
	}
	return 0, at.Unwrap()
}
