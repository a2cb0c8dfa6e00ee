package buildkit

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/bridge"
)

// TLS names the files for a buildkitd that wants a certificate of its clients.
type TLS struct {
	// CA is the file with the authority of the server's certificate, Cert and Key those of the client's.
	CA, Cert, Key string
	// ServerName is what the server's certificate is for. Default: the address' host.
	ServerName string
}

// Dial returns a builder over a buildkitd: "unix:///run/buildkit/buildkitd.sock" or "tcp://host:port", the latter with
// Options.TLS if it is set. An address where nothing answers is an error.
func Dial(ctx context.Context, address string, opt Options) (*Builder, error) {
	if !strings.HasPrefix(address, "unix://") && !strings.HasPrefix(address, "tcp://") {
		return nil, fmt.Errorf("buildkitd address %q: begins with neither unix:// nor tcp://", address)
	}
	var with []client.ClientOpt
	if t := opt.TLS; t != nil {
		with = append(with, client.WithCredentials(t.Cert, t.Key), client.WithServerConfig(t.ServerName, t.CA))
	}
	c, err := bridge.Connect(ctx, address, with...)
	if err != nil {
		return nil, fmt.Errorf("buildkitd at %s: %w", address, err)
	}
	home, err := inspect(ctx, c)
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("buildkitd at %s: %w", address, &engineError{text: plain(err.Error()), err: err})
	}
	return New(c, home, opt), nil
}

// inspect asks a buildkitd what it is.
func inspect(ctx context.Context, c *client.Client) (build.Home, error) {
	home := build.Home{Name: "buildkitd"}
	info, err := c.Info(ctx)
	switch {
	case grpcerrors.Code(err) == codes.Unimplemented: // before 0.11
	case err != nil:
		return home, err
	default:
		home.Version = info.BuildkitVersion.Version
	}
	workers, err := c.ListWorkers(ctx)
	if err != nil {
		return home, err
	}
	if len(workers) > 0 {
		home.Executor = workers[0].Labels["org.mobyproject.buildkit.worker.executor"]
	}
	if home.Enforces, err = enforces(ctx, c); err == nil && !home.Enforces {
		home.Weaknesses = []string{unenforced}
	}
	return home, err
}
