package docker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// What the image asks the daemon for, and an instance must not get.
func TestImageDoesNotLoosenTheLock(t *testing.T) {
	rt := newRuntime(t)
	image := sandboxtest.Image(t, v1.Config{
		Volumes:      map[string]struct{}{"/data": {}},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Healthcheck:  &v1.HealthConfig{Test: []string{"CMD", "/probe", "exit", "0"}, Interval: time.Second},
	})
	i := start(t, rt, sandbox.Spec{Image: image, Network: "private", Args: []string{"serve", "8080"}})
	c, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := c.ContainerInspect(t.Context(), i.ID(), client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if mounts := got.Container.Mounts; len(mounts) > 0 {
		t.Errorf("volumes were made: %+v", mounts)
	}
	for port, bindings := range got.Container.NetworkSettings.Ports {
		if len(bindings) > 0 {
			t.Errorf("port %s is published: %+v", port, bindings)
		}
	}
	if health := got.Container.State.Health; health != nil && health.Status != "none" {
		t.Errorf("the health check runs: %+v", health)
	}
	if path := got.Container.LogPath; path != "" {
		t.Errorf("the daemon keeps the log in %s", path)
	}
	write, err := i.Exec(t.Context(), sandbox.Command{Args: []string{"/probe", "write", "/data", "x"}})
	if err != nil || !strings.Contains(string(write.Logs.Stderr), "read-only file system") {
		t.Errorf("write to the place of a volume: %v %+v", err, write)
	}
}

// The daemon answers names in a network; it must not ask others for those that it does not know.
func TestNamesOutsideAreNotAskedFor(t *testing.T) {
	rt := newRuntime(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	i := start(t, rt, sandbox.Spec{Network: "private", Args: []string{"dial", "name.example:80"}})
	exit, err := i.Wait(ctx)
	if err != nil || exit.Code != 1 {
		t.Fatalf("%+v, %v", exit, err)
	}
	logs, err := i.Logs(ctx)
	if err != nil || !strings.Contains(string(logs.Stderr), "lookup name.example") {
		t.Errorf("%s, %v", logs.Stderr, err)
	}
}
