package pipeline_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/features/image"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// open is a shop for one test, with a delivery from it.
func open(t *testing.T) (*shop, pipeline.Delivery, pipeline.Order) {
	t.Helper()
	s, err := newShop()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	cat, err := catalog.Load("catalog.yaml", s.catalog)
	if err != nil {
		t.Fatal(err)
	}
	return s, pipeline.Delivery{Catalog: cat, Registry: s.client, Builder: s.builder(), Sandbox: s.runtime()}, pipeline.Order{
		Repository: s.repository, Ref: "v1.2.3", Layout: filepath.Join(s.dir, "layout"), Publish: s.server.Ref("team/app"),
	}
}

func run(t *testing.T, d pipeline.Delivery, order pipeline.Order) (*pipeline.Delivered, error) {
	t.Helper()
	return d.Run(t.Context(), pipeline.NewRun(pipeline.Options{}), order)
}

// stageOf is the stage that an error names.
func stageOf(err error) string {
	if stage, ok := errors.AsType[*pipeline.Error](err); ok {
		return stage.Stage
	}
	return ""
}

func TestDeliveryPublishesWhatItTested(t *testing.T) {
	s, d, order := open(t)
	order.Tags = []string{"1.2.3"}
	got, err := run(t, d, order)
	if err != nil {
		t.Fatal(err)
	}
	index, err := s.client.Index(t.Context(), got.Reference)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if digest != got.Verdict.Digest || got.Reference != s.server.Ref("team/app@"+digest.String()) {
		t.Errorf("published %s, tested %s", got.Reference, got.Verdict.Digest)
	}
	if tagged, err := s.client.Resolve(t.Context(), s.server.Ref("team/app:1.2.3")); err != nil || tagged != digest.String() {
		t.Errorf("the tag means %s, %v; want %s", tagged, err, digest)
	}
	onDisk, err := registry.LoadLayout(order.Layout)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := onDisk.Digest(); err != nil || h != digest {
		t.Errorf("the layout has %s, %v; want %s", h, err, digest)
	}
	requested, err := s.client.Resolve(t.Context(), s.server.Ref("base/demo:1.4.8"))
	if err != nil {
		t.Fatal(err)
	}
	effective, err := s.client.Resolve(t.Context(), s.server.Ref("base/demo:1.4.9"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"org.opencontainers.image.revision":    got.Source.Commit,
		"org.opencontainers.image.created":     "2026-01-02T03:04:05Z",
		"org.opencontainers.image.base.name":   s.server.Ref("base/demo:1.4.9"),
		"org.opencontainers.image.base.digest": effective,
		pipeline.AnnotationRequestedName:       s.server.Ref("base/demo:1.4.8"),
		pipeline.AnnotationRequestedDigest:     requested,
	}
	if diff := cmp.Diff(want, manifest(t, index, "linux/amd64").Annotations); diff != "" {
		t.Errorf("annotations of the manifest (-want +got):\n%s", diff)
	}
	if !strings.Contains(got.Diff, s.at("+FROM HOST/base/demo:1.4.9@"+effective)) {
		t.Errorf("the diff does not show the move:\n%s", got.Diff)
	}
	wantSources := []build.Source{{Kind: "image", Ref: s.server.Ref("base/demo:1.4.9@" + effective)}}
	if diff := cmp.Diff(wantSources, s.requests[0].Sources); diff != "" {
		t.Errorf("sources that the builder may read (-want +got):\n%s", diff)
	}
}

func manifest(t *testing.T, index v1.ImageIndex, platform string) *v1.Manifest {
	t.Helper()
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, desc := range list.Manifests {
		if desc.Platform.String() == platform {
			image, err := index.Image(desc.Digest)
			if err != nil {
				t.Fatal(err)
			}
			m, err := image.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatalf("no manifest for %s", platform)
	return nil
}

func TestDeliveryStopsAtTheGate(t *testing.T) {
	s, d, order := open(t)
	if err := s.push("contrib/toolbox:7", "7", "linux/amd64"); err != nil {
		t.Fatal(err)
	}
	if err := s.commit(map[string]string{
		"Dockerfile": "ARG VENDOR=HOST/contrib\nFROM ${VENDOR}/toolbox:7\nCOPY --from=HOST/contrib/toolbox:7 /version /v\n",
	}); err != nil {
		t.Fatal(err)
	}
	d.Rules = []lint.Rule{{
		ID: "XX0001", Name: "example", Severity: finding.Warning,
		Run: func(p *lint.Pass) { p.Report(p.File.Stages[0].Base, "example") },
	}}
	got, err := run(t, d, order)
	var gate *finding.GateError
	if !errors.As(err, &gate) || len(gate.Findings) != 2 {
		t.Fatalf("the error is %v, want two findings at the gate", err)
	}
	var places []string
	for _, f := range got.Findings {
		places = append(places, f.Place.String()+" "+f.Rule)
	}
	want := []string{"Dockerfile:2:6 DF1001", "Dockerfile:2:6 XX0001", "Dockerfile:3:13 DF1001"}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if len(s.requests) != 0 || got.Build != nil {
		t.Error("something was built")
	}
}

// What Ops requires of every image is judged beside what its developers wrote, and also where they wrote nothing.
func TestDeliveryRequiresFeatures(t *testing.T) {
	ready, err := image.Select("hardening", "hygiene")
	if err != nil {
		t.Fatal(err)
	}
	titled := fstest.MapFS{"ops.feature": {Data: []byte("Feature: Ops\n  Scenario: It has a file\n    Then the file \"${file}\" exists\n")}}
	for name, test := range map[string]struct {
		required fs.FS
		params   map[string]string
		want     string // in the error; "" is none
	}{
		"ready-made ones":  {ready, nil, "required/hygiene.feature:7"},
		"one that fails":   {titled, map[string]string{"file": "/nowhere"}, "required/ops.feature:3"},
		"one that passes":  {titled, map[string]string{"file": "/greeting"}, ""},
		"a parameter lost": {titled, nil, "file"},
	} {
		t.Run(name, func(t *testing.T) {
			s, d, order := open(t)
			if err := s.commit(map[string]string{"bare/Dockerfile": "FROM HOST/base/demo:1.4.9\nCOPY greeting /greeting\nUSER 65534\n", "bare/greeting": "ahoy\n"}); err != nil {
				t.Fatal(err)
			}
			order.Ref, order.Load.Dir = "HEAD", "bare"
			d.Required, order.Params = test.required, test.params
			got, err := run(t, d, order)
			switch {
			case test.want == "" && (err != nil || got.Reference == ""):
				t.Errorf("it was not published: %v", err)
			case test.want != "" && (stageOf(err) != "test" || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want one of the stage test with %q", err, test.want)
			case test.want != "" && got.Reference != "":
				t.Errorf("it was published as %s", got.Reference)
			}
		})
	}
}

func TestDeliveryNamesTheStageThatFailed(t *testing.T) {
	boom := errors.New("boom")
	for name, test := range map[string]struct {
		stage string
		spoil func(*shop, *pipeline.Delivery, *pipeline.Order)
		want  error // nil: any
	}{
		"no such commit": {"checkout", func(_ *shop, _ *pipeline.Delivery, o *pipeline.Order) { o.Ref = "v9" }, nil},
		"no such base": {"inputs", func(s *shop, _ *pipeline.Delivery, _ *pipeline.Order) {
			_ = s.commit(map[string]string{"Dockerfile": "FROM HOST/base/none:1\n"})
		}, registry.ErrNotFound},
		"the registry is down": {"inputs", func(s *shop, _ *pipeline.Delivery, _ *pipeline.Order) { _ = s.server.Close() }, registry.ErrUnavailable},
		"the build fails": {"build", func(_ *shop, d *pipeline.Delivery, _ *pipeline.Order) {
			d.Builder = build.Func(func(context.Context, build.Request) (*build.Result, error) { return nil, boom })
		}, boom},
		"a test fails": {"test", func(s *shop, _ *pipeline.Delivery, _ *pipeline.Order) {
			_ = s.commit(map[string]string{"features/image.feature": strings.ReplaceAll(shopFeature, "65534", "root")})
		}, nil},
		"nothing tests it": {"publish", func(_ *shop, _ *pipeline.Delivery, o *pipeline.Order) {
			o.Load.Dir = "bare"
		}, pipeline.ErrNotTested},
		"the upload is refused": {"publish", func(s *shop, _ *pipeline.Delivery, _ *pipeline.Order) {
			s.server.Inject(registrytest.Rule{Method: "PUT", Path: "/team/app/manifests/", Fault: registrytest.Status(401, nil)})
		}, registry.ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			s, d, order := open(t)
			if err := s.commit(map[string]string{"bare/Dockerfile": "FROM HOST/base/demo:1.4.9\nUSER 65534\n"}); err != nil {
				t.Fatal(err)
			}
			test.spoil(s, &d, &order)
			got, err := run(t, d, order)
			if stageOf(err) != test.stage || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("the stage is %q and the error %v, want the stage %q and the error %v", stageOf(err), err, test.stage, test.want)
			}
			if last := got.Records[len(got.Records)-1]; last.Stage != test.stage || last.Error == "" {
				t.Errorf("the last record is %v, want a failed %s", last, test.stage)
			}
			if got.Reference != "" {
				t.Errorf("it claims to have published %s", got.Reference)
			}
		})
	}
}

func TestDeliveryDoesNotPublishUncommittedChanges(t *testing.T) {
	s, d, order := open(t)
	if err := os.WriteFile(filepath.Join(s.repository, "greeting"), []byte("changed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	order.Ref = ""
	var dirty *source.DirtyError
	if _, err := run(t, d, order); !errors.As(err, &dirty) {
		t.Errorf("the error is %v, want a DirtyError", err)
	}
	order.Load.AllowDirty = true
	got, err := run(t, d, order)
	if stageOf(err) != "publish" || !got.Source.Dirty {
		t.Errorf("the error is %v and dirty %v, want a refusal to publish", err, got.Source.Dirty)
	}
}

func TestDeliveryBuildsPlatformsFromTheirOwnText(t *testing.T) {
	s, d, order := open(t)
	for _, arch := range []string{"amd64", "arm64"} {
		if err := s.push("base/demo-"+arch+":1.5.0", arch, "linux/"+arch); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if d.Catalog, err = catalog.Load("catalog.yaml", []byte(s.at(`version: 1
owner: base-images@example.com
bases:
  - {repository: HOST/base/demo-amd64, versions: "1.x"}
  - {repository: HOST/base/demo-arm64, versions: "1.x"}
`))); err != nil {
		t.Fatal(err)
	}
	if err := s.commit(map[string]string{"Dockerfile": "ARG TARGETARCH\nFROM HOST/base/demo-${TARGETARCH}:1.5.0\nUSER 65534\n"}); err != nil {
		t.Fatal(err)
	}
	order.Platforms = []string{"linux/amd64", "linux/arm64"}
	got, err := run(t, d, order)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.requests) != 2 {
		t.Fatalf("%d builds, want one for each platform", len(s.requests))
	}
	index, err := s.client.Index(t.Context(), got.Reference)
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		base := manifest(t, index, "linux/"+arch).Annotations["org.opencontainers.image.base.name"]
		if want := s.server.Ref("base/demo-" + arch + ":1.5.0"); base != want {
			t.Errorf("the base on %s is %s, want %s", arch, base, want)
		}
	}
}

func TestDeliveryEndsWhenCancelled(t *testing.T) {
	_, d, order := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d.Builder = build.Func(func(ctx context.Context, _ build.Request) (*build.Result, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	})
	_, err := d.Run(ctx, pipeline.NewRun(pipeline.Options{}), order)
	if !errors.Is(err, context.Canceled) || stageOf(err) != "build" {
		t.Errorf("the error is %v, want the cancelled build", err)
	}
	if _, err := os.Stat(order.Layout); err == nil {
		t.Error("a layout was left behind")
	}
}

func TestDeliveryStopsAfterTheBuild(t *testing.T) {
	_, d, order := open(t)
	order.BuildOnly = true
	if _, err := run(t, d, order); err == nil || !strings.Contains(err.Error(), "publishes nothing") {
		t.Errorf("with Publish: %v", err)
	}
	order.Publish, order.Tags = "", nil
	out, err := run(t, d, order)
	if err != nil {
		t.Fatal(err)
	}
	if out.Build == nil || out.Verdict != nil {
		t.Errorf("build %v, verdict %v", out.Build, out.Verdict)
	}
}

// Files that come from no repository are built, and the record says so; they are not published.
func TestDeliveryOfFiles(t *testing.T) {
	s, d, order := open(t)
	order.Files, order.Repository, order.Ref = os.DirFS(s.repository), "a directory", ""
	out, err := run(t, d, order)
	if stageOf(err) != "publish" || out.Build == nil || !out.Source.Dirty || out.Source.Commit != "" {
		t.Errorf("source %+v, error %v", out.Source, err)
	}
}
