package move_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/bake"
	"github.com/plimsoll-dev/plimsoll/sdk/move"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

func TestSurveyOfMany(t *testing.T) {
	y := newYard(t)
	var targets []move.Target
	for i := range 20 {
		text := "FROM HOST/base/demo:1.4.8\n"
		if i%2 == 0 {
			text = "FROM HOST/base/demo:1.4.9\n"
		}
		targets = append(targets, move.Target{Repository: y.repo(fmt.Sprint("r", i), map[string]string{"Dockerfile": text})})
	}
	targets = append(targets,
		move.Target{Repository: filepath.Join(y.dir, "nowhere")},
		move.Target{Repository: y.repo("broken", map[string]string{"Dockerfile": "FORM x\n"})},
		move.Target{Repository: y.repo("gone", map[string]string{"Dockerfile": "FROM HOST/base/demo:7\n"})},
		move.Target{Repository: y.repo("refused", map[string]string{"Dockerfile": "FROM HOST/evil:1\nFROM HOST/base/demo:1.4.8\nCOPY --from=0 / /\n"})},
	)
	y.push("evil:1")
	y.server.Reset()
	moved, failed, refused, still := 0, 0, 0, 0
	err := y.survey().Run(t.Context(), slices.Values(targets), func(r move.Result) error {
		switch {
		case r.Err != nil:
			failed++
		case len(r.Refused) > 0:
			refused++
		case r.Move != nil:
			moved++
		default:
			still++
		}
		return nil
	})
	if err != nil || moved != 10 || still != 10 || failed != 3 || refused != 1 {
		t.Errorf("%d moved, %d still, %d failed, %d refused, %v", moved, still, failed, refused, err)
	}
	// The registry is asked for an image as often as for one definition.
	asked := map[string]int{}
	for _, r := range y.server.Requests() {
		if strings.Contains(r.Path, "/manifests/1.4.9") {
			asked[r.Method+" "+r.Path]++
		}
	}
	for what, n := range asked {
		if n > 2 {
			t.Errorf("%s: %d times", what, n)
		}
	}
}

func TestSurveyEnds(t *testing.T) {
	y := newYard(t)
	dir := y.repo("app", map[string]string{"Dockerfile": "FROM HOST/base/demo:1.4.8\n"})
	endless := func(yield func(move.Target) bool) {
		for yield(move.Target{Repository: dir}) {
		}
	}
	enough := errors.New("enough")
	if err := y.survey().Run(t.Context(), endless, func(move.Result) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := y.survey().Run(ctx, endless, func(move.Result) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A registry that does not answer costs each definition its time limit, all at once, and no definition another's.
func TestSurveyOfADeadRegistry(t *testing.T) {
	y := newYard(t)
	y.server.Inject(registrytest.Rule{Fault: registrytest.Hang()})
	s := y.survey()
	s.Timeout = 200 * time.Millisecond
	dir := y.repo("app", map[string]string{"Dockerfile": "FROM HOST/base/demo:1.4.8\n"})
	n := 0
	err := s.Run(t.Context(), slices.Values(slices.Repeat([]move.Target{{Repository: dir}}, 8)), func(r move.Result) error {
		n++
		if !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Error(r.Err)
		}
		return nil
	})
	if err != nil || n != 8 {
		t.Errorf("%d, %v", n, err)
	}
}

// world answers from memory.
type world struct{}

func (world) Resolve(_ context.Context, ref string) (string, error) {
	return "sha256:" + fmt.Sprintf("%064x", len(ref)*1000+int(ref[len(ref)-1])), nil
}

func (world) Tags(context.Context, string) ([]string, error) { return []string{"12.9"}, nil }

func (w world) Config(ctx context.Context, ref, platform string) (catalog.ImageConfig, error) {
	digest, err := w.Resolve(ctx, ref)
	return catalog.ImageConfig{Ref: ref, Digest: digest, Manifest: digest, Platform: platform, Config: []byte(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers"}}`)}, err
}

func ExampleSurvey() {
	cat, err := catalog.Load("catalog.yaml", []byte(`version: 1
owner: base-images@example.com
bases: [{repository: docker.io/library/debian, versions: ">=12.9 <13"}]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	survey := move.Survey{Catalog: cat, Registry: world{}} // a *registry.Client
	targets := []move.Target{{Repository: "/no/such/repository"}}
	err = survey.Run(context.Background(), slices.Values(targets), func(r move.Result) error {
		switch {
		case r.Err != nil:
			fmt.Println(r.Target, "has no answer") // r.Err says why; the others go on
		case r.Move != nil:
			fmt.Print(r.Move.Diff)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// /no/such/repository has no answer
	// <nil>
}

// TestSurveyOfHigherLevelDefinitions looks at each image that a file describes.
func TestSurveyOfHigherLevelDefinitions(t *testing.T) {
	y := newYard(t)
	dir := y.repo("baked", map[string]string{
		"docker-bake.hcl": `group "default" { targets = ["old", "new", "inline"] }
target "old" { args = { VERSION = "1.4.8" } }
target "new" { args = { VERSION = "1.4.9" } }
target "inline" { dockerfile-inline = "FROM HOST/evil:1" }
`,
		"Dockerfile": "ARG VERSION\nFROM HOST/base/demo:${VERSION}\n",
	})
	y.push("evil:1")
	s := y.survey()
	s.Load.Compilers = []definition.Compiler{bake.Compiler{}}
	got := map[string]string{}
	err := s.Run(t.Context(), slices.Values([]move.Target{{Repository: dir, Dockerfile: "docker-bake.hcl"}}), func(r move.Result) error {
		switch {
		case r.Err != nil:
			got[r.Target.Image] = r.Err.Error()
		case len(r.Refused) > 0:
			got[r.Target.Image] = "refused at " + r.Refused[0].Place.String()
		case r.Move != nil:
			got[r.Target.Image] = "moved"
		default:
			got[r.Target.Image] = "unchanged"
		}
		return nil
	})
	want := map[string]string{"old": "moved", "new": "unchanged", "inline": "refused at docker-bake.hcl:4:39"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// BenchmarkSurvey looks at 1000 repositories, half of which are moved. It reports the time for each, and how often the
// registry is asked in all.
func BenchmarkSurvey(b *testing.B) {
	const repositories = 1000
	y := newYard(b)
	var targets []move.Target
	for _, version := range []string{"1.4.8", "1.4.9"} {
		original := y.repo("app-"+version, map[string]string{"Dockerfile": "FROM HOST/base/demo:" + version + "\nRUN true\n", "main.go": "package main\n"})
		for i := range repositories / 2 {
			dir := fmt.Sprintf("%s-%d", original, i)
			if err := os.CopyFS(dir, os.DirFS(original)); err != nil {
				b.Fatal(err)
			}
			targets = append(targets, move.Target{Repository: dir})
		}
	}
	y.server.Reset()
	for b.Loop() {
		moved := 0
		err := y.survey().Run(b.Context(), slices.Values(targets), func(r move.Result) error {
			if r.Move != nil {
				moved++
			}
			return r.Err
		})
		if err != nil || moved != repositories/2 {
			b.Fatalf("%d moved: %v", moved, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*repositories)/1000, "ms/repository")
	b.ReportMetric(float64(len(y.server.Requests()))/float64(b.N), "registry-requests")
}
