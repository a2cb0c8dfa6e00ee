package nri_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/containerd/nri/pkg/api"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/nri"
)

var (
	bad   = admissiontest.Digest("bad")
	good  = admissiontest.Digest("good")
	index = admissiontest.Digest("an index with a banned platform")
)

func newGate() *admission.Gate {
	deny := admissiontest.New("test")
	deny.Ban("BAN-7", "build on base/debian:12.9", bad, index)
	deny.Know(good)
	return admission.NewGate(admission.Options{Bundles: deny})
}

func container(digest, config string) *api.Container {
	return &api.Container{Id: "1", Name: "app", State: api.ContainerState_CONTAINER_RUNNING, Image: &api.Image{Name: "registry.example/pay:1", Digest: digest, ConfigDigest: config}}
}

func Example() {
	gate := newGate()
	plugin := nri.New(gate, nri.Options{})
	_, _, err := plugin.CreateContainer(context.Background(), &api.PodSandbox{Namespace: "shop"}, container(index, bad))
	fmt.Println(errors.Is(err, admission.ErrDenied))
	// Output: true
}

func TestCreateContainer(t *testing.T) {
	tests := []struct {
		name string
		c    *api.Container
		want string
	}{
		{"good", container(good, good), ""},
		{"banned by its config", container(admissiontest.Digest("x"), bad), "BAN-7"},
		{"banned by its manifest", container(bad, ""), "BAN-7"},
		{"index with a banned platform, which is this one", container(index, bad), "BAN-7"},
		{"index with a banned platform, which is another", container(index, good), ""},
		{"index with a banned platform, and nobody says which", container(index, ""), "BAN-7"},
		{"unknown", container(admissiontest.Digest("x"), admissiontest.Digest("y")), "AD1003"},
		{"no image, as of a restored container", &api.Container{Name: "app"}, "AD1005"},
		{"an image without digests", container("", ""), "AD1005"},
		{"a digest that is none", container("latest", ""), "AD1005"},
		{"nothing at all", nil, "AD1005"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gate := newGate()
			_, _, err := nri.New(gate, nri.Options{Exempt: []string{"kube-system"}}).CreateContainer(t.Context(), &api.PodSandbox{Namespace: "shop"}, tt.c)
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestExemptNamespace(t *testing.T) {
	gate := newGate()
	p := nri.New(gate, nri.Options{Exempt: []string{"kube-system", ""}})
	if _, _, err := p.CreateContainer(t.Context(), &api.PodSandbox{Namespace: "kube-system"}, container(bad, bad)); err != nil {
		t.Error(err)
	}
	if _, _, err := p.CreateContainer(t.Context(), nil, container(bad, bad)); err == nil {
		t.Error("a container without a pod was let through")
	}
}

func TestSynchronizeTellsWhatRuns(t *testing.T) {
	gate := newGate()
	var told []string
	p := nri.New(gate, nri.Options{Running: func(i admission.Instance, d admission.Decision) { told = append(told, i.Name+" "+string(d.Outcome)) }})
	stopped := container(bad, bad)
	stopped.State = api.ContainerState_CONTAINER_STOPPED
	old := container(bad, bad)
	old.PodSandboxId = "p"
	updates, err := p.Synchronize(t.Context(), []*api.PodSandbox{{Id: "p", Namespace: "shop", Name: "pay"}}, []*api.Container{container(good, good), stopped, old})
	if err != nil || updates != nil || len(told) != 1 || told[0] != "shop/pay/app denied" {
		t.Errorf("%v, %v, %v", told, updates, err)
	}
}

func TestNobodyListens(t *testing.T) {
	gate := newGate()
	if err := nri.New(gate, nri.Options{Socket: t.TempDir() + "/nri.sock"}).Run(t.Context()); err == nil {
		t.Error("no error")
	}
}

func FuzzCreateContainer(f *testing.F) {
	seed, err := container(index, bad).MarshalVT()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	gate := newGate()
	p := nri.New(gate, nri.Options{})
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &api.Container{}
		if c.UnmarshalVT(data) != nil {
			return
		}
		_, _, err := p.CreateContainer(t.Context(), &api.PodSandbox{}, c)
		config, digest := c.GetImage().GetConfigDigest(), c.GetImage().GetDigest()
		if err == nil && config != good && (digest != good || config == bad) {
			t.Errorf("%q, %q was let in", config, digest)
		}
	})
}
