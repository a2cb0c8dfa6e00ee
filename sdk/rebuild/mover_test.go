package rebuild_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// recorder notes the requests of a client.
type recorder struct {
	mu   sync.Mutex
	sent []string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path != "/v2/" { // how to talk to a registry is asked once for all images
		r.mu.Lock()
		r.sent = append(r.sent, req.Method+" "+req.URL.Path)
		r.mu.Unlock()
	}
	return http.DefaultTransport.RoundTrip(req)
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.sent
	r.sent = nil
	return sent
}

// yard is a registry with both bases and a client that counts.
type yard struct {
	host, from, to string
	client         *registry.Client
	requests       *recorder
	old, renewed   v1.Image
}

func newYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{host: testenv.DockerRegistry(t, ""), requests: &recorder{}}
	y.client = registry.New(registry.Options{Transport: y.requests})
	y.old, y.renewed = bases(t)
	y.from = y.push(t, "base", index(t, y.old))
	y.to = y.push(t, "base", index(t, y.renewed))
	return y
}

func index(t *testing.T, images ...v1.Image) v1.ImageIndex {
	t.Helper()
	idx := v1.ImageIndex(empty.Index)
	for _, img := range images {
		c, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: c.Platform()}})
	}
	return idx
}

func (y *yard) push(t *testing.T, repository string, idx v1.ImageIndex, tags ...string) string {
	t.Helper()
	ref, err := y.client.Push(t.Context(), y.host+"/"+repository, idx, registry.PushOptions{Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

// app pushes a single manifest on the old base under a tag, and returns the order to move it.
func (y *yard) app(t *testing.T, name string, steps ...step) rebuild.Order {
	t.Helper()
	img := imageOf(t, y.old, nil, steps...)
	y.push(t, name, index(t, img))
	manifest, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	mediaType, err := img.MediaType()
	if err != nil {
		t.Fatal(err)
	}
	w, err := y.client.Writer(t.Context(), y.host+"/"+name)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := w.Manifest(t.Context(), "1", mediaType, manifest)
	if err != nil {
		t.Fatal(err)
	}
	return y.order(name, ref.DigestStr())
}

func (y *yard) order(name, digest string) rebuild.Order {
	return rebuild.Order{
		Repository: y.host + "/" + name, Digest: digest, Tags: []string{"1"}, From: y.from, To: y.to,
		Evidence: func(context.Context, v1.Hash) (rebuild.Evidence, error) { return proven, nil },
		Names:    rebuild.Names{Base: y.host + "/base:12.9", Because: "ban-7"},
	}
}

func (y *yard) move(t *testing.T, m *rebuild.Mover, o rebuild.Order) *rebuild.Moved {
	t.Helper()
	plan, err := m.Plan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	moved, err := m.Rebase(t.Context(), o, plan)
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// valid pulls an image and has everything in it compared with what says so.
func (y *yard) valid(t *testing.T, ref string) v1.Image {
	t.Helper()
	img, err := y.client.Image(t.Context(), ref, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	return img
}

// The number of requests is what a storm costs: here it is counted, and written down where Rebase is documented.
func TestRequestsForOneImage(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	m := rebuild.NewMover(y.client, nil)
	first := y.app(t, "team/first", copied(file{name: "app", content: "a"}))
	y.move(t, m, first) // bases are read now

	second := y.app(t, "team/second", copied(file{name: "app", content: "b"}))
	y.requests.take()
	y.move(t, m, second)
	cold := y.requests.take()
	if len(cold) > 8 {
		t.Errorf("%d requests for an image that was never seen: %q", len(cold), cold)
	}
	y.valid(t, y.host+"/team/second:1")

	third := y.app(t, "team/third", copied(file{name: "app", content: "c"}))
	if _, err := m.Plan(t.Context(), third); err != nil { // as a preview does
		t.Fatal(err)
	}
	y.requests.take()
	y.move(t, m, third)
	warm := y.requests.take()
	if len(warm) > 6 {
		t.Errorf("%d requests for an image that was planned before: %q", len(warm), warm)
	}
}

func TestRebaseMovesTheTagAndKeepsTheOldImage(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	o := y.app(t, "team/app", copied(file{name: "app", content: "a"}))
	m := rebuild.NewMover(y.client, nil)
	moved := y.move(t, m, o)
	if now, err := y.client.Resolve(t.Context(), o.Repository+":1"); err != nil || o.Repository+"@"+now != moved.Reference {
		t.Errorf("the tag points to %s (%v), the new image is %s", now, err, moved.Reference)
	}
	y.valid(t, moved.From)
	got := y.valid(t, moved.Reference)
	want, err := imageOf(t, y.renewed, nil, copied(file{name: "app", content: "a"})).Layers()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := got.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != len(want) {
		t.Fatalf("%d layers, want %d", len(layers), len(want))
	}
	for i := range want {
		a, errA := layers[i].Digest()
		b, errB := want[i].Digest()
		if a != b || errA != nil || errB != nil {
			t.Errorf("layer %d is %s, want %s", i+1, a, b)
		}
	}
	again := y.move(t, m, o)
	if diff := cmp.Diff(moved, again); diff != "" {
		t.Errorf("done again, it is something else:\n%s", diff)
	}
}

func TestRebaseOfAnIndex(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	arm := func(c *v1.ConfigFile) { c.Architecture, c.Variant = "arm64", "v8" }
	oldArm := imageOf(t, nil, arm, step{"ADD rootfs.tar /", oldFiles})
	newArm := imageOf(t, nil, arm, step{"ADD rootfs.tar /", newFiles})
	y.from, y.to = y.push(t, "base", index(t, y.old, oldArm)), y.push(t, "base", index(t, y.renewed, newArm))
	idx := index(t, imageOf(t, y.old, nil, copied(file{name: "app", content: "amd"})), imageOf(t, oldArm, nil, copied(file{name: "app", content: "arm"})))
	idx = mutate.Annotations(idx, map[string]string{"org.opencontainers.image.revision": "abc"}).(v1.ImageIndex)
	digest, err := idx.Digest()
	if err != nil {
		t.Fatal(err)
	}
	y.push(t, "team/app", idx, "1")
	moved := y.move(t, rebuild.NewMover(y.client, nil), y.order("team/app", digest.String()))
	got, err := y.client.Index(t.Context(), moved.Reference)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(got); err != nil {
		t.Error(err)
	}
	list, err := got.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, d := range list.Manifests {
		platforms = append(platforms, d.Platform.String())
	}
	if want := []string{"linux/amd64", "linux/arm64/v8"}; !slices.Equal(platforms, want) {
		t.Errorf("platforms %q, want %q", platforms, want)
	}
	if list.Annotations["org.opencontainers.image.revision"] != "abc" || list.Annotations[rebuild.AnnotationFrom] != digest.String() {
		t.Errorf("annotations of the index: %q", list.Annotations)
	}
}

func TestTagThatMovedMeanwhileWins(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	o := y.app(t, "team/app", copied(file{name: "app", content: "a"}))
	m := rebuild.NewMover(y.client, nil)
	plan, err := m.Plan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	newer := y.app(t, "team/app", copied(file{name: "app", content: "newer"}))
	moved, err := m.Rebase(t.Context(), o, plan)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(moved.Kept, map[string]string{"1": newer.Digest}) || len(moved.Tags) > 0 || moved.Reference != "" {
		t.Errorf("moved %+v", moved)
	}
	if now, err := y.client.Resolve(t.Context(), o.Repository+":1"); err != nil || now != newer.Digest {
		t.Errorf("the tag points to %s (%v)", now, err)
	}
}

func TestFailedTestLeavesTheTag(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	o := y.app(t, "team/app", copied(file{name: "app", content: "a"}))
	failed := errors.New("the service does not answer")
	var tested string
	o.Test = func(_ context.Context, ref string) error { tested = ref; return failed }
	m := rebuild.NewMover(y.client, nil)
	plan, err := m.Plan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	moved, err := m.Rebase(t.Context(), o, plan)
	if !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	if tested != moved.Reference {
		t.Errorf("tested %q, made %q", tested, moved.Reference)
	}
	y.valid(t, tested)
	if now, err := y.client.Resolve(t.Context(), o.Repository+":1"); err != nil || now != o.Digest {
		t.Errorf("the tag points to %s (%v)", now, err)
	}
}

func TestPlanThatSaysRebuildIsNotRebased(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	o := y.app(t, "team/app", step{"RUN make", []file{{name: "app", content: "a"}}})
	m := rebuild.NewMover(y.client, nil)
	plan, err := m.Plan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	y.requests.take()
	if _, err := m.Rebase(t.Context(), o, plan); !errors.Is(err, rebuild.ErrNotRebasable) {
		t.Errorf("error %v", err)
	}
	if sent := y.requests.take(); len(sent) > 0 {
		t.Errorf("and asked the registry: %q", sent)
	}
}

// A layer whose content is not what the configuration says would make the plan about something else.
func TestLyingDiffIDIsAnError(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	img := imageOf(t, y.old, nil, copied(file{name: "app", content: "a"}))
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	c.RootFS.DiffIDs[1] = v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%064d", 7)}
	lying, err := mutate.ConfigFile(img, c)
	if err != nil {
		t.Fatal(err)
	}
	idx := index(t, lying)
	digest, err := idx.Digest()
	if err != nil {
		t.Fatal(err)
	}
	y.push(t, "team/app", idx)
	if _, err := rebuild.NewMover(y.client, nil).Plan(t.Context(), y.order("team/app", digest.String())); err == nil {
		t.Error("the lie was believed")
	}
}
