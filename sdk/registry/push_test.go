package registry_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// intact reads an index back, every layer of it, and fails the test if anything is not as its digest says.
func intact(t *testing.T, srv *registrytest.Server, ref string) v1.ImageIndex {
	t.Helper()
	idx, err := fast(t, registry.Options{}).Index(t.Context(), srv.Ref(ref))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(idx); err != nil {
		t.Error(err)
	}
	return idx
}

func TestPush(t *testing.T) {
	srv := start(t, registrytest.Options{Dir: t.TempDir()})
	idx, err := random.Index(10<<10, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	var last, total int64
	c := fast(t, registry.Options{})
	ref, err := c.Push(t.Context(), srv.Ref("team/app"), idx, registry.PushOptions{
		Tags:     []string{"1.2.3", "latest"},
		Progress: func(done, all int64) { last, total = done, all },
	})
	if err != nil {
		t.Fatal(err)
	}
	digest, _ := idx.Digest()
	if want := srv.Ref("team/app@" + digest.String()); ref.String() != want {
		t.Errorf("got %s, want %s", ref, want)
	}
	if last != total || total < 6*10<<10 {
		t.Errorf("progress ended with %d of %d bytes", last, total)
	}
	for _, tag := range []string{"1.2.3", "latest"} {
		if got, err := c.Resolve(t.Context(), srv.Ref("team/app:"+tag)); err != nil || got != digest.String() {
			t.Errorf("tag %s is %s, %v", tag, got, err)
		}
	}
	intact(t, srv, "team/app@"+digest.String())
}

func TestPushSetsTagsLast(t *testing.T) {
	srv := start(t, registrytest.Options{})
	_, err := fast(t, registry.Options{}).Push(t.Context(), srv.Ref("team/app"), index(t, "linux/amd64", "linux/arm64"), registry.PushOptions{Tags: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, r := range srv.Requests() {
		if r.Method == http.MethodPut || r.Method == http.MethodHead {
			order = append(order, r.String())
		}
	}
	if diff := cmp.Diff([]string{"PUT /v2/team/app/manifests/a", "PUT /v2/team/app/manifests/b"}, order[len(order)-2:]); diff != "" {
		t.Error(diff)
	}
	if before := order[len(order)-3]; !strings.HasPrefix(before, "HEAD /v2/team/app/manifests/sha256:") {
		t.Errorf("the index was not read back before the tags: %s", before)
	}
}

func TestPushSkipsWhatIsThere(t *testing.T) {
	srv := start(t, registrytest.Options{})
	idx := index(t, "linux/amd64", "linux/arm64")
	c := fast(t, registry.Options{})
	if _, err := c.Push(t.Context(), srv.Ref("team/app"), idx, registry.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	srv.Reset()
	var calls []int64
	if _, err := c.Push(t.Context(), srv.Ref("team/app"), idx, registry.PushOptions{Progress: func(done, total int64) { calls = append(calls, total-done) }}); err != nil {
		t.Fatal(err)
	}
	for _, r := range srv.Requests() {
		if r.Method != http.MethodHead && r.Method != http.MethodGet {
			t.Errorf("%s, though everything was there", r)
		}
	}
	if len(calls) == 0 || calls[len(calls)-1] != 0 {
		t.Errorf("progress: %v left", calls)
	}
}

func TestPushFaults(t *testing.T) {
	for _, tc := range []struct {
		name string
		rule registrytest.Rule
		want error
		says string
	}{
		{"upload cut half way, once for each of two", registrytest.Rule{Method: "PATCH", Times: 2, Fault: registrytest.CutRequest(512)}, nil, ""},
		{"upload always cut", registrytest.Rule{Method: "PATCH", Fault: registrytest.CutRequest(512)}, registry.ErrUnavailable, "tried 4 times"},
		{"upload stands still once", registrytest.Rule{Method: "PATCH", Times: 1, Fault: registrytest.Hang()}, nil, ""},
		{"start of upload busy twice", registrytest.Rule{Method: "POST", Times: 2, Fault: registrytest.Status(429, nil)}, nil, ""},
		{"upload refused with 500 three times", registrytest.Rule{Method: "PATCH", Times: 3, Fault: registrytest.Status(500, nil)}, nil, ""},
		{"end of upload fails once", registrytest.Rule{Method: "PUT", Path: "/uploads/", Times: 1, Fault: registrytest.Status(502, nil)}, nil, ""},
		{"end of upload cut once", registrytest.Rule{Method: "PUT", Path: "/uploads/", Times: 1, Fault: registrytest.CutRequest(0)}, nil, ""},
		{"manifest busy twice", registrytest.Rule{Method: "PUT", Path: "/manifests/", Times: 2, Fault: registrytest.Status(503, nil)}, nil, ""},
		{"manifest always refused", registrytest.Rule{Method: "PUT", Path: "/manifests/", Fault: registrytest.Status(500, nil)}, registry.ErrUnavailable, "500 internal server error"},
		{"tag always refused", registrytest.Rule{Method: "PUT", Path: "/manifests/latest", Fault: registrytest.Status(500, nil)}, registry.ErrUnavailable, "tagged 1.0"},
		{"not allowed to write", registrytest.Rule{Method: "POST", Fault: registrytest.Status(403, nil)}, registry.ErrUnauthorized, "anonymous"},
		{"accepted and lost", registrytest.Rule{Method: "PUT", Path: "/manifests/sha256", Fault: registrytest.Status(201, nil)}, registry.ErrNotFound, "read back"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := start(t, registrytest.Options{})
			idx, err := random.Index(64<<10, 2, 1)
			if err != nil {
				t.Fatal(err)
			}
			srv.Inject(tc.rule)
			c := fast(t, registry.Options{Stall: 200 * time.Millisecond})
			opts := registry.PushOptions{Tags: []string{"1.0", "latest"}, Progress: func(done, total int64) {
				if done < 0 || done > total {
					t.Errorf("progress says %d of %d", done, total)
				}
			}}
			ref, err := c.Push(t.Context(), srv.Ref("team/app"), idx, opts)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if tc.want == nil {
				intact(t, srv, "team/app@"+ref.DigestStr())
				return
			}
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%q does not say %q", err, tc.says)
			}
			if tags, _ := c.Tags(t.Context(), srv.Ref("team/app")); slices.Contains(tags, "latest") || len(tags) > 0 && tc.says != "tagged 1.0" {
				t.Errorf("it failed and left the tags %v", tags)
			}
			// Pushing again, when the fault has passed, completes it.
			srv.Reset()
			if _, err := c.Push(t.Context(), srv.Ref("team/app"), idx, opts); err != nil {
				t.Fatal(err)
			}
			intact(t, srv, "team/app:latest")
		})
	}
}

func TestPushEndsWithTheContext(t *testing.T) {
	srv := start(t, registrytest.Options{})
	arrived := make(chan struct{}, 16)
	srv.Inject(registrytest.Rule{Method: "PATCH", Fault: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		arrived <- struct{}{}
		registrytest.Hang()(w, r, next)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := fast(t, registry.Options{}).Push(ctx, srv.Ref("team/app"), index(t, "linux/amd64"), registry.PushOptions{Tags: []string{"1"}})
		done <- err
	}()
	<-arrived
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if tags, err := fast(t, registry.Options{}).Tags(t.Context(), srv.Ref("team/app")); err == nil {
		t.Errorf("cancelled, and left the tags %v", tags)
	}
}

func TestConcurrentPushes(t *testing.T) {
	srv := start(t, registrytest.Options{Dir: t.TempDir()})
	c := fast(t, registry.Options{})
	idx, err := random.Index(32<<10, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, repo := range []string{"team/a", "team/a", "team/b", "team/b"} {
		wg.Go(func() {
			if _, err := c.Push(t.Context(), srv.Ref(repo), idx, registry.PushOptions{Tags: []string{"1"}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	intact(t, srv, "team/a:1")
	intact(t, srv, "team/b:1")
}

func TestPushRefusesBadInput(t *testing.T) {
	srv := start(t, registrytest.Options{})
	c := fast(t, registry.Options{})
	good := index(t, "linux/amd64")
	for _, tc := range []struct {
		name string
		repo string
		idx  v1.ImageIndex
		tags []string
	}{
		{"tag with a slash", "team/app", good, []string{"1.0", "a/b"}},
		{"empty tag", "team/app", good, []string{""}},
		{"repository in capitals", "Team/app", good, nil},
		{"layer with other content", "team/app", damaged(t, good, "tar"), nil},
		{"config with other content", "team/app", damaged(t, good, "rootfs"), nil},
		{"manifest with other content", "team/app", damaged(t, good, `"config":{"mediaType"`), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := c.Push(t.Context(), srv.Ref(tc.repo), tc.idx, registry.PushOptions{Tags: tc.tags})
			if err == nil {
				t.Fatal("accepted")
			}
			t.Log(err)
			if _, err := c.Tags(t.Context(), srv.Ref("team/app")); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("something was left behind: %v", err)
			}
		})
	}
}

// damaged returns the index from a layout on disk in which one blob was changed: the layer ("tar"), or the first blob
// that contains a text.
func damaged(t *testing.T, idx v1.ImageIndex, which string) v1.ImageIndex {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	if err := registry.SaveLayout(dir, idx); err != nil {
		t.Fatal(err)
	}
	loaded, err := registry.LoadLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		content, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		if isLayer := content[0] != '{'; which == "tar" && isLayer || !isLayer && strings.Contains(string(content), which) {
			content[len(content)-2] ^= 1
			if !isLayer { // it is still JSON, and says the same
				content[len(content)-2] ^= 1
				content = append(content, '\n')
			}
			if err := os.WriteFile(blob, content, 0o600); err != nil {
				t.Fatal(err)
			}
			return loaded
		}
	}
	t.Fatalf("no blob with %s", which)
	return nil
}
