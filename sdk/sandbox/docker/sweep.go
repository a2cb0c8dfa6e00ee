package docker

import (
	"context"
	"strings"
	"sync"

	"github.com/moby/moby/client"
)

// sweep removes what runtimes left behind that are no more. It does what it can: what remains does not keep anybody from
// starting, so errors are only logged.
func (r *Runtime) sweep(ctx context.Context) {
	ours := client.Filters{}.Add("label", ownerLabel)
	var containers client.ContainerListResult
	var networks client.NetworkListResult
	var images client.ImageListResult
	var lists sync.WaitGroup
	list := func(what string, get func() error) {
		lists.Go(func() {
			if err := get(); err != nil {
				r.options.Log.WarnContext(ctx, "sweep: list "+what, "error", err)
			}
		})
	}
	list("containers", func() (err error) {
		containers, err = r.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
		return err
	})
	list("networks", func() (err error) {
		networks, err = r.client.NetworkList(ctx, client.NetworkListOptions{Filters: ours})
		return err
	})
	list("images", func() (err error) {
		images, err = r.client.ImageList(ctx, client.ImageListOptions{Filters: client.Filters{}.Add("reference", repository)})
		return err
	})
	lists.Wait()
	// Containers use what comes after them, and take their volumes along. Volumes are not listed: a daemon that has a broken
	// volume plugin needs 15 seconds to answer.
	for _, c := range containers.Items {
		r.sweepOne(ctx, "container", c.ID, c.Labels[ownerLabel], func() error {
			_, err := r.client.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			return err
		})
	}
	for _, n := range networks.Items {
		r.sweepOne(ctx, "network", n.Name, n.Labels[ownerLabel], func() error {
			_, err := r.client.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
			return err
		})
	}
	for _, image := range images.Items {
		for _, ref := range image.RepoTags {
			if mark, ok := strings.CutPrefix(ref, repository+":"); ok {
				r.sweepOne(ctx, "image", ref, mark, func() error {
					_, err := r.client.ImageRemove(ctx, ref, client.ImageRemoveOptions{Force: true, PruneChildren: true})
					return err
				})
			}
		}
	}
}

// sweepOne removes a thing if its owner is no more.
func (r *Runtime) sweepOne(ctx context.Context, kind, name, mark string, remove func() error) {
	if r.owner.stale(mark) {
		r.options.Log.InfoContext(ctx, "sweep: removed what an ended process left", "kind", kind, "name", name, "error", remove())
	}
}
