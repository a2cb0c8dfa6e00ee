package scan_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/scan"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// shop is a registry and a graph, with names for digests.
type shop struct {
	*registrytest.Server

	client *registry.Client
	store  lineage.Store
	names  map[string]string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	srv, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	client := registry.New(registry.Options{Backoff: time.Millisecond})
	t.Cleanup(client.Close)
	return &shop{srv, client, lineage.NewMemory(), map[string]string{}}
}

func (s *shop) push(t *testing.T, ref string, what registrytest.Pushable) string {
	t.Helper()
	digest, err := s.Push(t.Context(), ref, what)
	if err != nil {
		t.Fatal(err)
	}
	s.names[digest] = ref
	return digest
}

func (s *shop) scan(t *testing.T, opts scan.Options) scan.Result {
	t.Helper()
	scanner := scan.Scanner{Registry: s.client, Store: s.store, Options: opts}
	result, err := scanner.Scan(t.Context(), scan.What{Registries: []string{s.Host}})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func image(content string, opts registrytest.ImageOptions) v1.Image {
	return must(registrytest.Image(map[string]string{content: content}, opts))
}

func layer(t *testing.T, level int, mediaType types.MediaType) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	body := strings.Repeat("the same text again ", 500)
	if err := w.WriteHeader(&tar.Header{Name: "file", Size: int64(len(body)), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return must(tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil },
		tarball.WithCompressionLevel(level), tarball.WithMediaType(mediaType)))
}

// Each kind of image has its case, and what can honestly be said of it.
func TestEvidence(t *testing.T) {
	tests := []struct {
		name string
		push func(*testing.T, *shop)
		want []string // edges
		note string   // of app:1
	}{
		{name: "layers", push: func(t *testing.T, s *shop) {
			base := image("base", registrytest.ImageOptions{})
			s.push(t, "base:1", base)
			s.push(t, "app:1", image("app", registrytest.ImageOptions{Base: base}))
		}, want: []string{"app:1 on base:1: base, layer chain, its first 1 of 2 layers"}},
		{name: "equal layers and other configuration", push: func(t *testing.T, s *shop) {
			base := image("base", registrytest.ImageOptions{})
			s.push(t, "base:1", base)
			s.push(t, "app:1", must(mutate.Config(base, v1.Config{User: "1000"})))
		}, want: []string{"app:1 on base:1: twin, layer chain, the same 1 layers", "base:1 on app:1: twin, layer chain, the same 1 layers"}},
		{name: "without history", push: func(t *testing.T, s *shop) {
			base := image("base", registrytest.ImageOptions{})
			s.push(t, "base:1", base)
			app := image("app", registrytest.ImageOptions{Base: base})
			file := must(app.ConfigFile()).DeepCopy()
			file.History = nil
			s.push(t, "app:1", must(mutate.ConfigFile(app, file)))
		}, want: []string{"app:1 on base:1: base, layer chain, its first 1 of 2 layers"}, note: "no history"},
		{name: "squashed", push: func(t *testing.T, s *shop) {
			base := image("base", registrytest.ImageOptions{})
			s.push(t, "base:1", base)
			flat := image("flat", registrytest.ImageOptions{})
			file := must(flat.ConfigFile()).DeepCopy()
			file.History = []v1.History{{CreatedBy: "base"}, {CreatedBy: "app"}, {CreatedBy: "env", EmptyLayer: true}}
			s.push(t, "app:1", must(mutate.ConfigFile(flat, file)))
		}, note: "squashed: 2 steps in 1 layers"},
		{name: "squashed, and annotated", push: func(t *testing.T, s *shop) {
			digest := s.push(t, "base:1", image("base", registrytest.ImageOptions{}))
			s.push(t, "app:1", annotate(image("flat", registrytest.ImageOptions{}), map[string]string{
				"org.opencontainers.image.base.digest": digest, "org.opencontainers.image.base.name": "debian:12",
			}))
		}, want: []string{"app:1 on base:1 (docker.io/library/debian:12): base, base annotation, annotations"}},
		{name: "an annotation without digest", push: func(t *testing.T, s *shop) {
			s.push(t, "app:1", annotate(image("flat", registrytest.ImageOptions{}), map[string]string{"org.opencontainers.image.base.name": "registry.example/base:1"}))
		}, want: []string{"app:1 on  (registry.example/base:1): base, base annotation, annotations"}},
		{name: "labels of the base are not believed", push: func(t *testing.T, s *shop) {
			s.push(t, "app:1", image("flat", registrytest.ImageOptions{Config: v1.Config{Labels: map[string]string{"org.opencontainers.image.base.digest": "sha256:" + strings.Repeat("a", 64)}}}))
		}},
		{name: "recompressed layers", push: func(t *testing.T, s *shop) {
			base := must(mutate.AppendLayers(empty.Image, layer(t, gzip.BestSpeed, types.DockerLayer)))
			again := must(mutate.AppendLayers(empty.Image, layer(t, gzip.NoCompression, types.DockerLayer)))
			s.push(t, "base:1", base)
			s.push(t, "app:1", must(mutate.AppendLayers(again, static.NewLayer([]byte("app"), types.DockerLayer))))
		}, want: []string{"app:1 on base:1: base, layer chain, its first 1 of 2 layers"}},
		{name: "foreign layers", push: func(t *testing.T, s *shop) {
			s.push(t, "app:1", must(mutate.AppendLayers(empty.Image, layer(t, gzip.BestSpeed, types.DockerForeignLayer))))
		}, note: "foreign layers"},
		{name: "empty layers alone", push: func(t *testing.T, s *shop) {
			nothing := must(mutate.AppendLayers(empty.Image, static.NewLayer(make([]byte, 1024), types.DockerUncompressedLayer)))
			s.push(t, "base:1", nothing)
			s.push(t, "app:1", must(mutate.AppendLayers(nothing, layer(t, gzip.BestSpeed, types.DockerLayer))))
		}},
		{name: "no layers", push: func(t *testing.T, s *shop) {
			s.push(t, "base:1", must(registrytest.Image(nil, registrytest.ImageOptions{})))
			s.push(t, "app:1", must(registrytest.Image(nil, registrytest.ImageOptions{Config: v1.Config{User: "1"}})))
		}, note: "no layers"},
		{name: "schema 1", push: func(t *testing.T, s *shop) {
			s.raw(t, "app", "1", "application/vnd.docker.distribution.manifest.v1+json", `{"schemaVersion":1,"name":"app","tag":"1","fsLayers":[],"history":[]}`)
		}, note: "schema 1: it has no layers to compare"},
		{name: "an index, based on an index", push: func(t *testing.T, s *shop) {
			var bases, apps []v1.Image
			for _, p := range []string{"linux/amd64", "linux/arm64"} {
				bases = append(bases, image("base "+p, registrytest.ImageOptions{Platform: p}))
				apps = append(apps, image("app "+p, registrytest.ImageOptions{Platform: p}))
			}
			digest := s.push(t, "base:1", must(registrytest.Index(bases...)))
			idx := must(registrytest.Index(apps...))
			for i, p := range []string{"amd64", "arm64"} {
				s.names[must(apps[i].Digest()).String()] = "app " + p
			}
			s.push(t, "app:1", mutate.Annotations(idx, map[string]string{"org.opencontainers.image.base.digest": digest}).(v1.ImageIndex))
		}, want: []string{"app amd64 on base:1: base, base annotation, annotations", "app arm64 on base:1: base, base annotation, annotations"}},
		{name: "provenance of BuildKit, signed by nobody", push: func(t *testing.T, s *shop) {
			digest := s.push(t, "base:1", image("base", registrytest.ImageOptions{}))
			app := image("app", registrytest.ImageOptions{})
			s.names[must(app.Digest()).String()] = "app"
			statement := must(attest.NewStatement("https://slsa.dev/provenance/v0.2", map[string]any{"materials": []provenance.Resource{
				{URI: "pkg:docker/debian@12?platform=linux%2Famd64", Digest: map[string]string{"sha256": strings.TrimPrefix(digest, "sha256:")}},
				{URI: "https://git.example/app.git#main", Digest: map[string]string{"sha1": "c0ffee"}},
			}}, attest.NewSubject("", must(app.Digest()))))
			s.push(t, "app:1", attached(app, statement))
		}, want: []string{"app on base:1 (docker.io/library/debian:12): input, unsigned provenance, attestation"}},
		{name: "a chart is no image", push: func(t *testing.T, s *shop) {
			s.push(t, "app:1", mutate.ConfigMediaType(image("chart", registrytest.ImageOptions{}), "application/vnd.cncf.helm.config.v1+json"))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShop(t)
			tt.push(t, s)
			result := s.scan(t, scan.Options{})
			if result.Failed > 0 {
				t.Fatalf("problems: %+v", result.Problems)
			}
			if diff := cmp.Diff(tt.want, s.edges(t)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			for tag, err := range s.store.Tags(t.Context(), lineage.TagFilter{Repository: s.Host + "/app"}) {
				if err != nil {
					t.Fatal(err)
				}
				for img, err := range s.store.Images(t.Context(), []string{tag.Digest}) {
					if err != nil || img.Note != tt.note {
						t.Errorf("note %q, %v, want %q", img.Note, err, tt.note)
					}
				}
			}
		})
	}
}

// edges writes all edges between what was pushed.
func (s *shop) edges(t *testing.T) []string {
	t.Helper()
	var lines []string
	for digest, name := range s.names {
		for e, err := range s.store.Under(t.Context(), []lineage.Image{{Digest: digest}}) {
			if err != nil {
				t.Fatal(err)
			}
			called := ""
			if e.Name != "" {
				called = " (" + e.Name + ")"
			}
			source, _, _ := strings.Cut(e.Source, " sha256:")
			lines = append(lines, fmt.Sprintf("%s on %s%s: %s, %s, %s", name, s.names[e.Base], called, e.Role, e.Grade, source))
		}
	}
	slices.Sort(lines)
	return lines
}

func annotate(img v1.Image, annotations map[string]string) v1.Image {
	return mutate.Annotations(img, annotations).(v1.Image)
}

// raw puts a manifest as it is.
func (s *shop) raw(t *testing.T, repository, tag, mediaType, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+s.Host+"/v2/"+repository+"/manifests/"+tag, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	resp, err := (&http.Transport{}).RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
}

// attached is an index with an image and a statement about it, as BuildKit makes them.
func attached(img v1.Image, statement *attest.Statement) v1.ImageIndex {
	raw := must(json.Marshal(statement))
	manifest := must(mutate.Append(empty.Image, mutate.Addendum{
		Layer:       static.NewLayer(raw, attest.StatementMediaType),
		Annotations: map[string]string{"in-toto.io/predicate-type": statement.PredicateType},
	}))
	idx := must(registrytest.Index(img))
	return mutate.AppendManifests(idx, mutate.IndexAddendum{Add: manifest, Descriptor: v1.Descriptor{
		Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
		Annotations: map[string]string{
			"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": must(img.Digest()).String(),
		},
	}})
}

// What somebody trusted has signed is the best evidence, and the same of a stranger no better than unsigned.
func TestSignedProvenance(t *testing.T) {
	s := newShop(t)
	base := s.push(t, "base:1", image("base", registrytest.ImageOptions{}))
	compiler := s.push(t, "compiler:1", image("compiler", registrytest.ImageOptions{}))
	app := image("app", registrytest.ImageOptions{})
	s.push(t, "app:1", app)
	p := provenance.Provenance{
		BuildDefinition: provenance.BuildDefinition{
			BuildType: provenance.BuildType,
			External:  provenance.External{Repository: "https://git.example/app", Commit: "c0ffee", Dockerfile: "Dockerfile"},
			Internal: provenance.Internal{Bases: []provenance.Base{
				{Stage: "build", Platform: "linux/amd64", Effective: provenance.Image{Ref: "docker.io/library/golang:1.26", Digest: compiler}},
				{Stage: "1", Platform: "linux/amd64", Runtime: true, Effective: provenance.Image{Ref: "docker.io/library/debian:12", Digest: base}},
				{Stage: "1", Platform: "linux/arm64", Runtime: true, Effective: provenance.Image{Ref: "docker.io/library/other:12", Digest: compiler}},
			}},
		},
		RunDetails: provenance.RunDetails{Builder: provenance.Builder{ID: "https://build.example"}},
	}
	sbom := map[string]any{"packages": []any{map[string]any{"externalRefs": []any{map[string]any{
		"referenceType": "purl", "referenceLocator": "pkg:deb/debian/openssl@3.0.11-1~deb12u2?arch=amd64&distro=debian-12",
	}}}}}
	key, stranger := must(attest.GenerateKey(attest.ECDSA)), must(attest.GenerateKey(attest.ECDSA))
	evidence := attest.NewStore(s.client, attest.StoreOptions{})
	about := must(evidence.Image(t.Context(), s.Ref("app:1")))
	for predicateType, predicate := range map[string]any{provenance.Type: p, "https://spdx.dev/Document": sbom} {
		statement := must(attest.NewStatement(predicateType, predicate, attest.NewSubject("", must(app.Digest()))))
		if err := evidence.Attach(t.Context(), about, must(statement.Sign(t.Context(), key))); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name  string
		trust attest.Verifier
		grade lineage.Grade
	}{
		{"trusted", attest.Keys{{Name: "builder", Key: key.Public()}}, lineage.GradeSigned},
		{"of a stranger", attest.Keys{{Name: "builder", Key: stranger.Public()}}, lineage.GradeUnsigned},
		{"nobody is trusted", nil, lineage.GradeUnsigned},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.store = lineage.NewMemory()
			if result := s.scan(t, scan.Options{Evidence: evidence, Trust: tt.trust}); result.Failed > 0 {
				t.Fatalf("problems: %+v", result.Problems)
			}
			got := map[string]string{}
			for v, err := range lineage.Bases(t.Context(), s.store, lineage.Of{Digests: []string{must(app.Digest()).String()}}, lineage.Options{}) {
				if err != nil {
					t.Fatal(err)
				}
				got[s.names[v.Image.Digest]] = fmt.Sprintf("%s %s %s", v.Edge.Role, v.Edge.Name, v.Grade)
			}
			want := map[string]string{
				"base:1":     "base docker.io/library/debian:12 " + tt.grade.String(),
				"compiler:1": "stage docker.io/library/golang:1.26 " + tt.grade.String(),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			for img, err := range s.store.Images(t.Context(), []string{must(app.Digest()).String()}) {
				want := lineage.Definition{Repository: "https://git.example/app", Commit: "c0ffee", Path: "Dockerfile", Grade: tt.grade}
				if diff := cmp.Diff(want, img.Definition); err != nil || diff != "" {
					t.Errorf("definition %v (-want +got)\n%s", err, diff)
				}
			}
			for inv, err := range s.store.Packages(t.Context(), []string{must(app.Digest()).String()}) {
				want := []lineage.Package{{Type: "deb", Name: "openssl", Version: "3.0.11-1~deb12u2"}}
				if diff := cmp.Diff(want, inv.Packages); err != nil || diff != "" || inv.Distro != "debian-12" || inv.Grade != tt.grade {
					t.Errorf("packages %v %+v (-want +got)\n%s", err, inv, diff)
				}
			}
		})
	}
}

// stopping ends a scan when it has read some images.
type stopping struct {
	*registry.Client

	after int
	stop  context.CancelFunc
}

func (s *stopping) Blob(ctx context.Context, repository string, desc v1.Descriptor) ([]byte, error) {
	if s.after--; s.after == 0 {
		s.stop()
	}
	return s.Client.Blob(ctx, repository, desc)
}

// many pushes images with the tags 1.0.0 to 1.0.n-1, and latest.
func (s *shop) many(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		s.push(t, fmt.Sprintf("app:1.0.%d", i), image(fmt.Sprint(i), registrytest.ImageOptions{}))
	}
	s.push(t, "app:latest", image("0", registrytest.ImageOptions{}))
}

func TestSecondScanAsksForWhatMayHaveChanged(t *testing.T) {
	s := newShop(t)
	s.many(t, 20)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	opts := scan.Options{Now: func() time.Time { return now }}
	if first := s.scan(t, opts); first.Images != 20 {
		t.Errorf("first scan: %+v, want 20 images", first)
	}
	now = now.Add(time.Hour)
	if again := s.scan(t, opts); again.Requests != 3 || again.Images != 0 || again.Tags != 21 { // _catalog, tags/list, latest
		t.Errorf("second scan: %+v, want 3 requests", again)
	}
	moved := s.push(t, "app:latest", image("new", registrytest.ImageOptions{}))
	s.push(t, "app:1.0.20", image("20", registrytest.ImageOptions{}))
	if again := s.scan(t, opts); again.Images != 2 {
		t.Errorf("after a push and a move: %+v, want 2 images", again)
	}
	for tag, err := range s.store.Tags(t.Context(), lineage.TagFilter{Repository: s.Host + "/app", Digests: []string{moved}, Current: true}) {
		if err != nil || tag.Name != "latest" {
			t.Errorf("latest points to %+v, %v", tag, err)
		}
	}
	s.push(t, "app:1.0.7", image("forged", registrytest.ImageOptions{}))
	if again := s.scan(t, opts); again.Images != 0 {
		t.Errorf("an exact tag is believed for a day: %+v", again)
	}
	now = now.Add(24 * time.Hour)
	if again := s.scan(t, opts); again.Images != 1 || again.Requests < 22 {
		t.Errorf("after a day all are asked about: %+v", again)
	}
}

func TestStoppedScanGoesOn(t *testing.T) {
	s := newShop(t)
	s.many(t, 30)
	ctx, cancel := context.WithCancel(t.Context())
	scanner := scan.Scanner{Registry: &stopping{s.client, 12, cancel}, Store: s.store, Options: scan.Options{Connections: 1}}
	if _, err := scanner.Scan(ctx, scan.What{Registries: []string{s.Host}}); err == nil {
		t.Fatal("it was stopped and says nothing")
	}
	counts := must(s.store.Counts(t.Context()))
	if counts.Images < 8 || counts.Images > 15 {
		t.Fatalf("%d images are kept, want those that were read", counts.Images)
	}
	result := s.scan(t, scan.Options{})
	if result.Images > 31-counts.Images { // latest is one of them again
		t.Errorf("it reads %d images after %d, of 30", result.Images, counts.Images)
	}
	if after := must(s.store.Counts(t.Context())); after.Images != 30 || after.Tags != 31 {
		t.Errorf("%+v, want 30 images and 31 tags", after)
	}
}

func TestProblemsDoNotStopAScan(t *testing.T) {
	s := newShop(t)
	s.many(t, 5)
	s.push(t, "other:1", image("other", registrytest.ImageOptions{}))
	s.raw(t, "odd", "1", string(types.OCIManifestSchema1), `{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json"`)
	s.Inject(registrytest.Rule{Method: http.MethodGet, Path: "/v2/app/manifests/1.0.3", Fault: registrytest.Status(http.StatusForbidden, nil)})
	s.Inject(registrytest.Rule{Path: "/v2/other/tags/list", Fault: registrytest.Status(http.StatusNotFound, nil)})
	result := s.scan(t, scan.Options{})
	if result.Failed != 3 || result.Images != 4 {
		t.Errorf("%+v, want 4 images and 3 problems", result)
	}
	for _, p := range result.Problems {
		if !strings.HasPrefix(p.Ref, s.Host) || p.Error == "" {
			t.Errorf("problem %+v does not name its place", p)
		}
	}
	s.Reset()
	if again := s.scan(t, scan.Options{}); again.Failed != 1 || again.Images != 2 {
		t.Errorf("what failed is read by the next scan: %+v, want 2 images", again)
	}
}

// A registry that has had enough is left alone by all, not only by the request that it refused.
func TestPolite(t *testing.T) {
	s := newShop(t)
	s.many(t, 10)
	client := registry.New(registry.Options{Transport: scan.Polite(&http.Transport{})})
	defer client.Close()
	s.Reset()
	s.Inject(registrytest.Rule{Path: "/manifests/", Times: 1, Fault: registrytest.Status(http.StatusTooManyRequests, http.Header{"Retry-After": {"1"}})})
	began := time.Now()
	result, err := (&scan.Scanner{Registry: client, Store: s.store}).Scan(t.Context(), scan.What{Repositories: []string{s.Ref("app")}})
	if err != nil || result.Failed > 0 || result.Images != 10 {
		t.Fatalf("%+v, %v", result, err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("it took %s, and was asked to wait for a second", took)
	}
	refused := slices.IndexFunc(s.Requests(), func(r registrytest.Request) bool { return r.Status == http.StatusTooManyRequests })
	if sent := len(s.Requests()[refused:]); sent > 40 {
		t.Errorf("%d requests after it was refused", sent)
	}
}

func TestGoneTag(t *testing.T) {
	s := newShop(t)
	digest := s.push(t, "app:1.0.0", image("0", registrytest.ImageOptions{}))
	err := s.store.Put(t.Context(), lineage.Batch{Tags: []lineage.Tag{{Repository: s.Host + "/app", Name: "0.9.0", Digest: digest}}})
	if err != nil {
		t.Fatal(err)
	}
	s.scan(t, scan.Options{})
	for tag, err := range s.store.Tags(t.Context(), lineage.TagFilter{Repository: s.Host + "/app"}) {
		if err != nil || tag.Until.IsZero() != (tag.Name == "1.0.0") {
			t.Errorf("%+v, %v", tag, err)
		}
	}
}

func TestOwner(t *testing.T) {
	s := newShop(t)
	s.push(t, "team/app:1", image("0", registrytest.ImageOptions{}))
	s.push(t, "team/own:1", annotate(image("1", registrytest.ImageOptions{}), map[string]string{"dev.plimsoll.owner": "others"}))
	s.push(t, "x:1", image("2", registrytest.ImageOptions{}))
	s.scan(t, scan.Options{Owner: func(repository string) string {
		if strings.HasPrefix(repository, s.Host+"/team/") {
			return "team"
		}
		return ""
	}})
	owners := map[string]string{}
	for digest, name := range s.names {
		for img, err := range s.store.Images(t.Context(), []string{digest}) {
			if err != nil {
				t.Fatal(err)
			}
			owners[name] = img.Owner
		}
	}
	if diff := cmp.Diff(map[string]string{"team/app:1": "team", "team/own:1": "others", "x:1": ""}, owners); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
