package main

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/internal/baseimage"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// pushBases fills the registry with what the two definitions ask for: a userland in two versions, Go on top of it, and
// something that no catalog lists.
func pushBases(ctx context.Context, client *registry.Client, host string) error {
	userland := map[string]v1.Image{}
	for _, version := range []string{"1.4.8", "1.4.9", "7"} {
		image, err := baseimage.Userland(ctx, version)
		if err != nil {
			return err
		}
		userland[version] = image
	}
	golang, err := baseimage.Golang(ctx, userland["1.4.9"], "net/http", "encoding/json", "log/slog", "os/signal")
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	push := func(repository, tag string, image v1.Image) {
		group.Go(func() error {
			index, err := registrytest.Index(image)
			if err != nil {
				return err
			}
			_, err = client.Push(ctx, host+"/"+repository, index, registry.PushOptions{Tags: []string{tag}})
			return err
		})
	}
	push("base/userland", "1.4.8", userland["1.4.8"])
	push("base/userland", "1.4.9", userland["1.4.9"])
	push("base/golang", "1.26", golang)
	push("contrib/toolbox", "7", userland["7"])
	return group.Wait()
}
