package docker_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// newRuntime returns a runtime that the test closes, and which must then have left nothing behind.
func newRuntime(t testing.TB) *docker.Runtime {
	t.Helper()
	testenv.NeedsDocker(t)
	t.Cleanup(func() {
		if left := leftBy(t, os.Getpid()); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	options, err := homes.DockerOptions()
	if err != nil {
		t.Fatal(err)
	}
	return newRuntimeOf(t, options)
}

func newRuntimeOf(t testing.TB, options docker.Options) *docker.Runtime {
	t.Helper()
	rt, err := docker.New(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	return rt
}

// start starts an instance that the test closes.
func start(t testing.TB, rt *docker.Runtime, spec sandbox.Spec) *docker.Instance {
	t.Helper()
	spec.Platform = sandboxtest.Platform()
	if spec.Image == nil {
		spec.Image = sandboxtest.Image(t, v1.Config{})
	}
	i, err := rt.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return i.(*docker.Instance)
}

// leftBy lists what a process has in the daemon.
func leftBy(t testing.TB, pid int) []string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	c, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var left []string
	note := func(kind, id, mark string) {
		if strings.Contains(mark, fmt.Sprintf("-%d-", pid)) {
			left = append(left, kind+" "+id)
		}
	}
	const label = "dev.plimsoll.sandbox.owner"
	ours := client.Filters{}.Add("label", label)
	containers, err := c.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range containers.Items {
		note("container", x.ID, x.Labels[label])
	}
	networks, err := c.NetworkList(ctx, client.NetworkListOptions{Filters: ours})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range networks.Items {
		note("network", x.Name, x.Labels[label])
	}
	volumes, err := c.VolumeList(ctx, client.VolumeListOptions{Filters: ours})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range volumes.Items {
		note("volume", x.Name, x.Labels[label])
	}
	images, err := c.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range images.Items {
		for _, tag := range x.RepoTags {
			if strings.HasPrefix(tag, "localhost/plimsoll-sandbox:") {
				note("image", x.ID, tag)
			}
		}
	}
	return left
}

func TestConformance(t *testing.T) {
	sandboxtest.Run(t, sandboxtest.Options{
		New: func(t *testing.T) sandbox.Runtime {
			t.Helper()
			return newRuntime(t)
		},
		Lacks: map[string]string{"Layers": "the daemon unpacks layers, and refuses a hard link to a file of a lower one"},
	})
}
