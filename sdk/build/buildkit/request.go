package buildkit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/util/entitlements"
	"github.com/moby/buildkit/util/staticfs"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/check"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/lines"
)

// request is a checked build.Request.
type request struct {
	build.Request
	// key identifies the content of the context.
	key string
	// lines knows the places of steps.
	lines lines.Lines
}

func newRequest(ctx context.Context, req build.Request) (*request, error) {
	if req.Name == "" {
		req.Name = "Dockerfile"
	}
	if err := check.Request(req); err != nil {
		return nil, err
	}
	key, err := tree{req.Context}.digest(ctx)
	if err != nil {
		return nil, fmt.Errorf("build context: %w", err)
	}
	return &request{Request: req, key: key, lines: lines.New(req.Name, req.Dockerfile)}, nil
}

// solve is what the engine is asked for.
func (r *request) solve(export export, attachables ...session.Attachable) (client.SolveOpt, error) {
	policy, err := sourcePolicy(r.Sources, r.Contexts)
	if err != nil {
		return client.SolveOpt{}, err
	}
	opt := client.SolveOpt{
		Frontend:      "dockerfile.v0",
		FrontendAttrs: r.attrs(),
		LocalMounts:   r.mounts(),
		SharedKey:     r.key,
		Session:       append(attachables, secretsprovider.FromMap(r.Secrets)),
		SourcePolicy:  policy,
		Exports:       []client.ExportEntry{export.entry},
	}
	if export.single {
		opt.FrontendAttrs["multi-platform"] = "false"
	}
	if r.Network == build.NetworkHost {
		opt.AllowedEntitlements = []string{entitlements.EntitlementNetworkHost.String()}
	}
	return opt, nil
}

func (r *request) attrs() map[string]string {
	attrs := map[string]string{
		"filename":                          "Dockerfile",
		"target":                            r.Target,
		"platform":                          strings.Join(r.Platforms, ","),
		"multi-platform":                    "true", // an index even for one platform
		"force-network-mode":                "none",
		"build-arg:SOURCE_DATE_EPOCH":       r.epoch(),
		"build-arg:BUILDKIT_CACHE_MOUNT_NS": r.CacheScope,
	}
	if r.Network == build.NetworkHost {
		attrs["force-network-mode"] = "host"
	}
	if r.NoCache {
		attrs["no-cache"] = ""
	}
	for name, value := range r.Args {
		attrs["build-arg:"+name] = value
	}
	for name, value := range r.Labels {
		attrs["label:"+name] = value
	}
	for name, c := range r.Contexts {
		if c.Dir != nil {
			attrs["context:"+name] = "local:" + namedContext(name)
		} else {
			attrs["context:"+name] = "docker-image://" + c.Image
		}
	}
	return attrs
}

// mounts are the directories that the engine may ask for.
func (r *request) mounts() map[string]fsutil.FS {
	mounts := map[string]fsutil.FS{contextName: tree{r.Context}, dockerfileName: r.dockerfile()}
	for name, c := range r.Contexts {
		if c.Dir != nil {
			mounts[namedContext(name)] = tree{c.Dir}
		}
	}
	return mounts
}

// namedContext is the name under which a named context is sent: never that of the build's own files.
func namedContext(name string) string { return "context-" + name }

// epoch is Created in seconds since 1970, which is also what a zero Created means.
func (r *request) epoch() string {
	if r.Created.IsZero() {
		return "0"
	}
	return strconv.FormatInt(r.Created.Unix(), 10)
}

// dockerfile is a directory with the Dockerfile alone: a Dockerfile.dockerignore beside it has no say here. Its time comes
// from its content, as old engines take a file of the same size and time for the one that they have. Without it, a
// definition moved to another base would be built on the old one.
func (r *request) dockerfile() fsutil.FS {
	sum := sha256.Sum256(r.Dockerfile)
	time := int64(binary.BigEndian.Uint64(sum[:]) >> 4) // 60 bits fit, and stand for a day before 2007
	dir := staticfs.NewFS()
	dir.Add("Dockerfile", &types.Stat{Mode: 0o644, ModTime: time}, r.Dockerfile)
	return dir
}
