package lineage_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

func digest(name string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(name))) }

func manifest(name string, layers ...string) lineage.Image {
	img := lineage.Image{Digest: digest(name), Kind: lineage.KindManifest, Platform: "linux/amd64", Config: digest("config of " + name)}
	for i, layer := range layers {
		layers[i] = digest(layer)
	}
	img.SetLayers(layers)
	return img
}

// graph puts images and edges, which are written "image role grade base [name]".
func graph(t *testing.T, images []lineage.Image, edges ...string) (*lineage.Memory, func(string) string) {
	t.Helper()
	grades := map[string]lineage.Grade{"signed": lineage.GradeSigned, "build": lineage.GradeBuild, "claimed": lineage.GradeAnnotation}
	names := map[string]string{"": ""}
	b := lineage.Batch{Images: images}
	name := func(n string) string { names[digest(n)] = n; return digest(n) }
	for _, e := range edges {
		f := strings.Fields(e + " -")
		edge := lineage.Edge{Image: lineage.Image{Digest: name(f[0])}, Role: lineage.Role(f[1]), Grade: grades[f[2]]}
		if f[3] != "-" {
			edge.Base = name(f[3])
		}
		if f[4] != "-" {
			edge.Name = f[4]
		}
		b.Edges = append(b.Edges, edge)
	}
	store := lineage.NewMemory()
	if err := store.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return store, func(d string) string {
		if n, ok := names[d]; ok {
			return n
		}
		return d[:12]
	}
}

func visits(t *testing.T, seq iter.Seq2[lineage.Visit, error], name func(string) string) string {
	t.Helper()
	var b strings.Builder
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		how := "build"
		if v.Runtime {
			how = "runtime"
		}
		fmt.Fprintf(&b, "%s %s %d %s %s\n", name(v.Image.Digest), how, v.Depth, v.Grade, v.Edge.Name)
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

func TestDerived(t *testing.T) {
	store, name := graph(t, nil,
		"middle base signed base", "app base build middle", "late base claimed app",
		"tool stage signed base", "ontool base signed tool", "copied copy build ontool",
		"both stage signed base", "both base claimed base", // at work in its build for sure, and it says that it stands on it
		"detour base signed middle", "detour base claimed base", // the long way has the better evidence
		"x base signed y", "y base signed x", // a circle, which only a forger makes
	)
	for _, tt := range []struct {
		of, want string
		opts     lineage.Options
	}{
		{of: "base", want: `middle runtime 1 signed provenance
detour runtime 2 signed provenance
app runtime 2 build record
both runtime 1 base annotation
late runtime 3 base annotation
tool build 1 signed provenance
ontool build 2 signed provenance
copied build 3 build record
`},
		{of: "base", opts: lineage.Options{Runtime: true, AtLeast: lineage.GradeBuild, Self: true}, want: `base runtime 0 signed provenance
middle runtime 1 signed provenance
detour runtime 2 signed provenance
app runtime 2 build record
`},
		{of: "base", opts: lineage.Options{Direct: true, AtLeast: lineage.GradeBuild}, want: `middle runtime 1 signed provenance
tool build 1 signed provenance
both build 1 signed provenance
`},
		{of: "x", want: "y runtime 1 signed provenance\n"},
		{of: "late", want: ""},
		{of: "nobody has seen this", want: ""},
	} {
		got := visits(t, lineage.Derived(t.Context(), store, lineage.Of{Digests: []string{digest(tt.of)}}, tt.opts), name)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("of %s %+v (-want +got)\n%s", tt.of, tt.opts, diff)
		}
	}
}

func TestBases(t *testing.T) {
	store, name := graph(t, []lineage.Image{manifest("base", "1"), manifest("app", "1", "2")},
		"app base build middle docker.io/x/middle:1", "middle base claimed - docker.io/library/debian:12", "app stage signed compiler",
	)
	want := `middle runtime 1 build record docker.io/x/middle:1
 runtime 2 base annotation docker.io/library/debian:12
base runtime 1 layer chain
compiler build 1 signed provenance
`
	name("")
	got := visits(t, lineage.Bases(t.Context(), store, lineage.Of{Digests: []string{digest("app")}}, lineage.Options{}),
		func(d string) string {
			if d == digest("base") {
				return "base"
			}
			return name(d)
		})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A base by its name: what its tags point to, what they pointed to once, and what evidence calls by the name.
func TestOfRepository(t *testing.T) {
	store, name := graph(t, nil,
		"app base build debian12.8", "older base build debian12.7", "newer base build debian12.9",
		"said base claimed unknown docker.io/library/debian:12.8", "nodigest base claimed - docker.io/library/debian:12.8",
		"onsaid base build said", "bare base claimed unknown2 docker.io/library/debian",
		"other base claimed unknown docker.io/library/debian-slim:12.8",
	)
	var b lineage.Batch
	for i, tag := range []string{"12.7", "12.8", "12.9"} {
		b.Tags = append(b.Tags,
			lineage.Tag{Repository: "docker.io/library/debian", Name: tag, Digest: digest("debian" + tag)},
			lineage.Tag{Repository: "docker.io/library/debian", Name: "12", Digest: digest("debian" + tag), Since: time.Unix(int64(i), 0)})
	}
	if err := store.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		tag  func(string) bool
		want string
	}{
		{
			"one tag", func(tag string) bool { return tag == "12.8" },
			"app runtime 1 build record\nsaid runtime 1 base annotation docker.io/library/debian:12.8\nnodigest runtime 1 base annotation docker.io/library/debian:12.8\nonsaid runtime 2 base annotation\n",
		},
		{
			"a tag that moved", func(tag string) bool { return tag == "12" },
			"newer runtime 1 build record\nolder runtime 1 build record\napp runtime 1 build record\n",
		},
		{"all", nil, "newer runtime 1 build record\nolder runtime 1 build record\napp runtime 1 build record\n" +
			"bare runtime 1 base annotation docker.io/library/debian\nnodigest runtime 1 base annotation docker.io/library/debian:12.8\nsaid runtime 1 base annotation docker.io/library/debian:12.8\nonsaid runtime 2 base annotation\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := visits(t, lineage.Derived(t.Context(), store, lineage.Of{Repository: "docker.io/library/debian", Tag: tt.tag}, lineage.Options{}), name)
			if diff := cmp.Diff(sorted(tt.want), sorted(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func sorted(lines string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(lines) {
		set[line] = true
	}
	return set
}

func TestOfNothing(t *testing.T) {
	for _, of := range []lineage.Of{{}, {Digests: []string{"debian:12"}}, {Tag: func(string) bool { return true }}} {
		for _, err := range lineage.Derived(t.Context(), lineage.NewMemory(), of, lineage.Options{}) {
			if !errors.Is(err, lineage.ErrInvalid) {
				t.Errorf("%+v: got %v, want lineage.ErrInvalid", of, err)
			}
		}
	}
}

func TestPath(t *testing.T) {
	store, name := graph(t, []lineage.Image{manifest("bottom", "1"), manifest("app", "1", "2")},
		"app base claimed base", "app base signed middle", "middle base signed base", "app stage signed compiler",
		"compiler base build base",
	)
	amd, arm := manifest("base"), manifest("base on arm")
	arm.Platform = "linux/arm64"
	both := lineage.Image{Digest: digest("both"), Kind: lineage.KindIndex, Manifests: []lineage.Child{{Digest: amd.Digest, Platform: amd.Platform}, {Digest: arm.Digest, Platform: arm.Platform}}}
	onIndex := lineage.Edge{Image: manifest("on index"), Base: both.Digest, Role: lineage.RoleBase, Grade: lineage.GradeBuild}
	if err := store.Put(t.Context(), lineage.Batch{Images: []lineage.Image{amd, arm, both, onIndex.Image}, Edges: []lineage.Edge{onIndex}}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		image, of, want string
		opts            lineage.Options
	}{
		{image: "app", of: "base", want: "app on middle, signed provenance; middle on base, signed provenance = true signed provenance"},
		{image: "config of app", of: "base", want: "app on middle, signed provenance; middle on base, signed provenance = true signed provenance"},
		{image: "app", of: "both", want: "app on middle, signed provenance; middle on base, signed provenance = true signed provenance"},
		{image: "app", of: "compiler", want: "app on compiler, signed provenance = false signed provenance"},
		{image: "app", of: "compiler", opts: lineage.Options{Runtime: true}, want: "no path"},
		{image: "app", of: "bottom", want: "app on " + digest("bottom")[:12] + ", layer chain = true layer chain"},
		{image: "base", of: "app", want: "no path"},
		{image: "on index", of: "base", want: digest("on index")[:12] + " on " + digest("both")[:12] + ", build record = true build record"},
		{image: "on index", of: "base on arm", want: "no path"},
	} {
		way, err := lineage.Path(t.Context(), store, digest(tt.image), lineage.Of{Digests: []string{digest(tt.of)}}, tt.opts)
		var steps []string
		for _, e := range way.Edges {
			steps = append(steps, fmt.Sprintf("%s on %s, %s", name(e.Image.Digest), name(e.Base), e.Grade))
		}
		got := fmt.Sprintf("%s = %t %s", strings.Join(steps, "; "), way.Runtime, way.Grade)
		if errors.Is(err, lineage.ErrNoPath) {
			got = "no path"
		} else if err != nil {
			t.Fatal(err)
		}
		if got != tt.want {
			t.Errorf("%s to %s:\ngot  %s\nwant %s", tt.image, tt.of, got, tt.want)
		}
	}
}

func TestCarrying(t *testing.T) {
	store := lineage.NewMemory()
	var b lineage.Batch
	for _, p := range []lineage.Package{
		{Type: "deb", Name: "openssl", Version: "3.0.14~rc1-1"}, // before 3.0.14, as dpkg has it
		{Type: "deb", Name: "openssl", Version: "1:3.0.1-1"},    // an epoch puts it after
		{Type: "deb", Name: "openssl", Version: "3.0.9-1"},
		{Type: "deb", Name: "openssl", Version: "not a version"},
		{Type: "rpm", Name: "openssl", Version: "1"},
	} {
		b.Inventories = append(b.Inventories, lineage.Inventory{Image: digest(p.Type + p.Version), Distro: "debian-12", Packages: []lineage.Package{p}, Grade: lineage.GradeLayers})
	}
	if err := store.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for c, err := range lineage.Carrying(t.Context(), store, catalog.Package{Type: "deb", Name: "openssl", Below: "3.0.14-1"}) {
		if err != nil {
			t.Fatal(err)
		}
		got[c.Package.Version] = c.Doubt != ""
	}
	want := map[string]bool{"3.0.14~rc1-1": false, "3.0.9-1": false, "not a version": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("version and doubt (-want +got)\n%s", diff)
	}
	count := func(pkg catalog.Package) (n int) {
		pkg.Type, pkg.Name = "deb", "openssl"
		for _, err := range lineage.Carrying(t.Context(), store, pkg) {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	for _, tt := range []struct {
		pkg  catalog.Package
		want int
	}{
		{catalog.Package{}, 4},
		{catalog.Package{From: "3.0.10-1"}, 3},
		{catalog.Package{From: "3.0.10-1", Below: "3.0.14-1"}, 2},
		{catalog.Package{Distro: "debian-12"}, 4},
		{catalog.Package{Distro: "debian"}, 4},
		{catalog.Package{Distro: "debian-1"}, 0},
		{catalog.Package{Distro: "ubuntu"}, 0},
	} {
		if got := count(tt.pkg); got != tt.want {
			t.Errorf("%+v: %d carriers, want %d", tt.pkg, got, tt.want)
		}
	}
	for _, err := range lineage.Carrying(t.Context(), store, catalog.Package{Name: "openssl"}) {
		if !errors.Is(err, lineage.ErrInvalid) {
			t.Errorf("without a type: %v", err)
		}
	}
}
