package docker

import (
	"context"
	"strings"

	"github.com/moby/moby/client"
)

// sweep removes what runtimes left behind that are no more. It does what it can: what remains does not keep anybody from
// starting, so errors are only logged.
func (r *Runtime) sweep(ctx context.Context) {
	ours := client.Filters{}.Add("label", ownerLabel)
	log := r.options.Log
	containers, err := r.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		log.WarnContext(ctx, "sweep: list containers", "error", err)
	}
	for _, c := range containers.Items {
		if r.owner.stale(c.Labels[ownerLabel]) {
			_, err := r.client.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			log.InfoContext(ctx, "sweep: removed a container that an ended process left", "id", c.ID, "error", err)
		}
	}
	volumes, err := r.client.VolumeList(ctx, client.VolumeListOptions{Filters: ours})
	if err != nil {
		log.WarnContext(ctx, "sweep: list volumes", "error", err)
	}
	for _, v := range volumes.Items {
		if r.owner.stale(v.Labels[ownerLabel]) {
			_, err := r.client.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{Force: true})
			log.InfoContext(ctx, "sweep: removed a volume that an ended process left", "name", v.Name, "error", err)
		}
	}
	networks, err := r.client.NetworkList(ctx, client.NetworkListOptions{Filters: ours})
	if err != nil {
		log.WarnContext(ctx, "sweep: list networks", "error", err)
	}
	for _, n := range networks.Items {
		if r.owner.stale(n.Labels[ownerLabel]) {
			_, err := r.client.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
			log.InfoContext(ctx, "sweep: removed a network that an ended process left", "name", n.Name, "error", err)
		}
	}
	images, err := r.client.ImageList(ctx, client.ImageListOptions{Filters: client.Filters{}.Add("reference", repository)})
	if err != nil {
		log.WarnContext(ctx, "sweep: list images", "error", err)
	}
	for _, image := range images.Items {
		for _, ref := range image.RepoTags {
			tag, ours := strings.CutPrefix(ref, repository+":")
			if ours && r.owner.stale(tag) {
				_, err := r.client.ImageRemove(ctx, ref, client.ImageRemoveOptions{Force: true, PruneChildren: true})
				log.InfoContext(ctx, "sweep: removed an image that an ended process left", "tag", ref, "error", err)
			}
		}
	}
}
