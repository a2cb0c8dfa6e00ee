package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/campaign"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// label marks the rehearsal's containers, so that one that was killed is cleared away by the next.
const label = "dev.plimsoll.rehearsal"

// host has the rehearsal's containers on the Docker host.
type host struct {
	client *client.Client
	engine *docker.Engine

	mu      sync.Mutex
	running map[int]string // container id by the image's number
	digest  map[int]string // of the image that it runs
	// by container id: those that a remedy holds, and those that were started from a new image
	remedied map[string]string
	fresh    map[string]bool
}

// newHost returns nil when no Docker answers.
func newHost(ctx context.Context) *host {
	c, err := client.New(client.FromEnv)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	engine, err := docker.Dial("")
	if err != nil {
		return nil
	}
	if _, err := c.Ping(ctx, client.PingOptions{}); err != nil {
		_ = engine.Close()
		return nil
	}
	f := &host{client: c, engine: engine, running: map[int]string{}, digest: map[int]string{}, remedied: map[string]string{}, fresh: map[string]bool{}}
	if f.clear(ctx) != nil {
		return nil
	}
	return f
}

// clear removes what is there of this rehearsal or an earlier one.
func (f *host) clear(ctx context.Context) error {
	list, err := f.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", label)})
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range list.Items {
		if _, err := f.client.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
			errs = append(errs, err)
		}
		_, _ = f.client.ImageRemove(ctx, c.ImageID, client.ImageRemoveOptions{Force: true, PruneChildren: true}) // another container may need it
	}
	return errors.Join(errs...)
}

func (f *host) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(f.clear(ctx), f.engine.Close(), f.client.Close())
}

// Instances lists the rehearsal's containers alone: others on this host are none of its business.
func (f *host) Instances(ctx context.Context) ([]admission.Instance, error) {
	f.mu.Lock()
	var ids []string
	for _, id := range f.running {
		ids = append(ids, id)
	}
	f.mu.Unlock()
	var all []admission.Instance
	for _, id := range ids {
		instance, err := f.engine.Container(ctx, id)
		if errors.Is(err, docker.ErrNotFound) {
			continue
		}
		if err != nil {
			return all, err
		}
		all = append(all, instance)
	}
	return all, nil
}

// start pulls what a tag means now, judges that very image, and starts it.
func (s *stage) start(ctx context.Context, i int) error {
	repository := s.registry.Host + "/team/" + name(i%s.images)
	desc, err := s.client.Head(ctx, repository+":1.0")
	if err != nil {
		return err
	}
	pinned := repository + "@" + desc.Digest.String()
	if d := s.gate.Decide(ctx, admission.Image{Ref: pinned, Digests: []string{desc.Digest.String()}}); d.Outcome == admission.Denied {
		return d.Err()
	}
	f := s.host
	pull, err := f.client.ImagePull(ctx, pinned, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, pull)
	if err := errors.Join(err, pull.Close()); err != nil {
		return err
	}
	made, err := f.client.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name:       fmt.Sprintf("plimsoll-ban-%02d-%d", i, time.Now().UnixNano()),
		Config:     &container.Config{Image: pinned, Labels: map[string]string{label: "1"}},
		HostConfig: &container.HostConfig{NetworkMode: "none"},
	})
	if err != nil {
		return err
	}
	if _, err := f.client.ContainerStart(ctx, made.ID, client.ContainerStartOptions{}); err != nil {
		return err
	}
	f.mu.Lock()
	old := f.running[i]
	f.running[i], f.digest[i] = made.ID, desc.Digest.String()
	f.fresh[made.ID] = old != ""
	f.mu.Unlock()
	if old != "" {
		_, err = f.client.ContainerRemove(ctx, old, client.ContainerRemoveOptions{Force: true})
	}
	return err
}

// inventory tells the lineage what runs.
func (s *stage) inventory(ctx context.Context) error {
	f := s.host
	f.mu.Lock()
	defer f.mu.Unlock()
	var batch lineage.Batch
	for i, id := range f.running {
		batch.Instances = append(batch.Instances, lineage.Instance{
			Place: "docker://" + strings.TrimPrefix(f.engine.Host(), "unix://"), ID: id, Name: name(i % s.images), Digest: f.digest[i], Since: time.Now(),
		})
	}
	return s.lineage.Put(ctx, batch)
}

// deploy replaces the containers whose image was replaced, once the start check knows the new one.
func (s *stage) deploy(ctx context.Context, state *campaign.State) error {
	if s.host == nil || !state.Step(campaign.StepReplace).Over() {
		return nil
	}
	instances, err := s.host.Instances(ctx)
	if err != nil {
		return err
	}
	old := map[string]bool{}
	for _, instance := range instances {
		old[instance.ID] = s.gate.Decide(ctx, instance.Image).Outcome == admission.Denied
	}
	s.host.mu.Lock()
	var stale []int
	for i, id := range s.host.running {
		if old[id] {
			stale = append(stale, i)
		}
	}
	s.host.mu.Unlock()
	for _, i := range stale {
		if err := s.start(ctx, i); err != nil {
			return err
		}
	}
	return nil
}
