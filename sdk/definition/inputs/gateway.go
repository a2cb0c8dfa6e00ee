package inputs

import (
	"context"
	"io/fs"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// gateway stands in for a BuildKit daemon, which the conversion asks for named contexts. It has no files and solves
// nothing.
type gateway struct {
	client.Client // nil: what is not below is not asked for
	contexts      map[string]string
	images        *metaResolver
}

// imageScheme marks a named context that is an image.
const imageScheme = "docker-image://"

func newGateway(contexts map[string]string, images *metaResolver) (*dockerui.Client, error) {
	return dockerui.NewClient(&gateway{contexts: contexts, images: images})
}

// BuildOpts hands the named contexts over. Only images matter: any other context is an input as it stands, and what is
// in it changes none of the others. (BuildKit would also dial the host of a git context over SSH.)
func (g *gateway) BuildOpts() client.BuildOpts {
	opts := map[string]string{}
	for name, value := range g.contexts {
		if !strings.HasPrefix(value, imageScheme) {
			value = "local:" + name
		}
		opts["context:"+name] = value
	}
	return client.BuildOpts{Opts: opts, LLBCaps: pb.Caps.CapSet(pb.Caps.All()), Caps: gwpb.Caps.CapSet(gwpb.Caps.All())}
}

func (g *gateway) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return g.images.ResolveImageConfig(ctx, ref, opt)
}

func (g *gateway) Inputs(context.Context) (map[string]llb.State, error) { return nil, nil }

func (g *gateway) Solve(context.Context, client.SolveRequest) (*client.Result, error) {
	result := client.NewResult()
	result.SetRef(noFiles{})
	return result, nil
}

// noFiles is an empty directory: BuildKit looks for a .dockerignore in it.
type noFiles struct{ client.Reference }

func (noFiles) ReadFile(context.Context, client.ReadRequest) ([]byte, error) {
	return nil, fs.ErrNotExist
}

func (noFiles) StatFile(context.Context, client.StatRequest) (*fstypes.Stat, error) {
	return nil, fs.ErrNotExist
}
