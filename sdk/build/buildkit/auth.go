package buildkit

import (
	"context"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"
)

// credentials answers the engine's questions for registry credentials from a keychain. They go to the engine for the
// time of a build, over the build's own session, and are not stored there.
type credentials struct {
	auth.UnimplementedAuthServer

	keychain authn.Keychain
}

// Register implements session.Attachable.
func (c credentials) Register(s *grpc.Server) { auth.RegisterAuthServer(s, c) }

// Credentials returns empty ones where the keychain has none: the registry then decides what is public.
func (c credentials) Credentials(ctx context.Context, req *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	host := req.GetHost()
	if host == "registry-1.docker.io" {
		host = name.DefaultRegistry // where Docker Hub's credentials are kept
	}
	registry, err := name.NewRegistry(host)
	if err != nil {
		return nil, err
	}
	authenticator, err := authn.Resolve(ctx, c.keychain, registry)
	if err != nil {
		return nil, err
	}
	config, err := authn.Authorization(ctx, authenticator)
	if err != nil {
		return nil, err
	}
	if config.IdentityToken != "" {
		return &auth.CredentialsResponse{Secret: config.IdentityToken}, nil
	}
	return &auth.CredentialsResponse{Username: config.Username, Secret: config.Password}, nil
}
