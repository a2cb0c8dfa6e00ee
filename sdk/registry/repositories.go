package registry

import (
	"context"
	"errors"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Repositories lists the repositories of a registry ("registry.example:5000"), a page at a time, in full:
// "registry.example:5000/team/app". It asks "_catalog" of the distribution specification without naming a page size,
// since some refuse sizes of their own accord (ECR above 1000) and others end silently at it; it follows what each page
// says of the next. Who may list at all is up to the registry: ACR wants a token for "*", Docker Hub and GHCR list nothing.
// An error of page ends the list.
func (c *Client) Repositories(ctx context.Context, registry string, page func([]string) error) error {
	const op = "list repositories"
	reg, err := name.NewRegistry(registry)
	if err == nil && c.plainHTTP(reg.RegistryStr()) {
		reg, err = name.NewRegistry(registry, name.Insecure)
	}
	if err != nil {
		return &Error{Op: op, Ref: registry, Help: `write it as "host" or "host:port"`, Err: err}
	}
	var stopped error
	err = c.read(ctx, op, registry, authn.Resource(reg), func(p *remote.Puller) error {
		pages, err := p.Catalogger(ctx, reg)
		if err != nil {
			return err
		}
		for pages.HasNext() {
			got, err := pages.Next(ctx)
			if err != nil {
				return err
			}
			full := make([]string, 0, len(got.Repos))
			for _, repository := range got.Repos {
				full = append(full, reg.Name()+"/"+repository)
			}
			if stopped = page(full); stopped != nil {
				return nil //nolint:nilerr // the caller stopped it; that is told below
			}
		}
		return nil
	})
	if stopped != nil {
		return stopped
	}
	if e, ok := errors.AsType[*Error](err); ok && (errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnauthorized)) {
		e.Help = "it lists no repositories, or not to these credentials: name the repositories instead"
	}
	return err
}
