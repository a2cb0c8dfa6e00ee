package buildkit

import (
	"context"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
)

// enforces tries to read a source that the policy denies, since an engine that does not know source policies takes them
// without a word. The source is a port of the engine's own host on which nothing answers.
func enforces(ctx context.Context, c *client.Client) (bool, error) {
	def, err := llb.HTTP("http://127.0.0.1:9/plimsoll").Marshal(ctx)
	if err != nil {
		return false, err
	}
	policy, err := sourcePolicy(nil, nil)
	if err != nil {
		return false, err
	}
	_, err = c.Solve(ctx, def, client.SolveOpt{SourcePolicy: policy, Internal: true}, nil)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return err != nil && denied(err.Error()), nil
}

// denied says whether an engine's error is that of its source policy.
func denied(text string) bool { return strings.Contains(text, "denied by policy") }
