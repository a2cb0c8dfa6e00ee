package where_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/where"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

func Example() {
	ctx := context.Background()
	condition, err := where.Compile(`derivedFrom("debian:12", "<12.9") && namespace == "shop"`)
	if err != nil {
		log.Fatal(err)
	}
	selector, err := condition.Prepare(ctx, world(), time.Now)
	if err != nil {
		log.Fatal(err)
	}
	instances := []fleet.Instance{running("pay", "shop", "app"), running("till", "shop", "newapp"), running("blog", "press", "app"), running("odd", "shop", "alien")}
	if err := selector.Know(ctx, instances); err != nil {
		log.Fatal(err)
	}
	meant, unknown := fleet.Select(instances, selector)
	for _, s := range meant {
		fmt.Println("meant:", s.Instance.Name, s.Why)
	}
	for _, s := range unknown {
		fmt.Println("unknown:", s.Instance.Name, s.Why)
	}
	// Output:
	// meant: pay [stands on docker.io/library/debian:12.8 (build record)]
	// unknown: odd [nothing is known of its image alien:1]
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// manifest is an image of layers.
func manifest(name string, layers ...string) lineage.Image {
	img := lineage.Image{Digest: digest(name), Kind: lineage.KindManifest, Config: digest(name + " config"), Platform: "linux/amd64"}
	var diffs []string
	for _, l := range layers {
		diffs = append(diffs, digest(l))
	}
	img.SetLayers(diffs)
	return img
}

// world has Debian in two versions, and what stands on them.
func world() lineage.Store {
	store := lineage.NewMemory()
	old, fixed := manifest("debian 12.8", "os 12.8"), manifest("debian 12.9", "os 12.9")
	app, newApp := manifest("app", "os 12.8", "app"), manifest("newapp", "os 12.9", "app")
	on := func(above, below lineage.Image, name string) lineage.Edge {
		return lineage.Edge{Image: above, Base: below.Digest, Name: name, Role: lineage.RoleBase, Grade: lineage.GradeBuild, Source: "build 1"}
	}
	err := store.Put(context.Background(), lineage.Batch{
		Images: []lineage.Image{old, fixed, app, newApp},
		Edges:  []lineage.Edge{on(app, old, "docker.io/library/debian:12.8"), on(newApp, fixed, "docker.io/library/debian:12.9")},
		Tags: []lineage.Tag{
			{Repository: "docker.io/library/debian", Name: "12.8", Digest: old.Digest},
			{Repository: "docker.io/library/debian", Name: "12.9", Digest: fixed.Digest},
			{Repository: "docker.io/library/debian", Name: "12", Digest: fixed.Digest},
		},
		Inventories: []lineage.Inventory{
			{Image: app.Digest, Distro: "debian-12", Grade: lineage.GradeSigned, Packages: []lineage.Package{{Type: "deb", Name: "libssl3", Version: "3.0.9-1"}}},
			{Image: newApp.Digest, Distro: "debian-12", Grade: lineage.GradeSigned, Packages: []lineage.Package{{Type: "deb", Name: "libssl3", Version: "3.0.14-1"}}},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return store
}

func running(name, namespace, image string, layers ...string) fleet.Instance {
	i := fleet.Instance{Place: "docker://one", ID: digest(name), Name: name, Namespace: namespace, Labels: map[string]string{"tier": "web"}, Ports: []int{80, 8080}}
	i.Image = fleet.Image{Ref: image + ":1", Digests: []string{digest(image + " config")}}
	for _, l := range layers {
		i.Image.Layers = append(i.Image.Layers, digest(l))
	}
	i.Started = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	return i
}

func TestConditions(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC) }
	old, fresh, alien := running("old", "shop", "app"), running("fresh", "shop", "newapp"), running("alien", "", "alien")
	squashed, local := running("base", "", "unheard", "something"), running("local", "", "unheard of", "os 12.8", "my own")
	tests := []struct {
		condition string
		instance  fleet.Instance
		want      fleet.Meant
		why       string
	}{
		{`derivedFrom("debian:12", "<12.9")`, old, fleet.Yes, "stands on docker.io/library/debian:12.8 (build record)"},
		{`derivedFrom("debian:12", "<12.9")`, fresh, fleet.No, ""},
		{`derivedFrom("debian:12.9")`, fresh, fleet.Yes, "debian:12.9"},
		{`derivedFrom("debian")`, fresh, fleet.Yes, "debian:12.9"},
		{`derivedFrom("` + digest("debian 12.8") + `")`, old, fleet.Yes, "debian:12.8"},
		{`derivedFrom("debian:12", "<12.9")`, alien, fleet.Unknown, "nothing is known of its image alien:1"},
		{`derivedFrom("debian:12", "<12.9")`, local, fleet.Yes, "its first 1 of 2 layers are those of an image meant (layer chain)"},
		{`derivedFrom("debian:12", "<12.9")`, squashed, fleet.Unknown, "nothing is known"},
		{`!derivedFrom("debian:12", "<12.9")`, alien, fleet.Unknown, "nothing is known"},
		{`namespace == "shop" && derivedFrom("debian:12", "<12.9")`, alien, fleet.No, ""},
		{`name == "alien" || derivedFrom("debian:12", "<12.9")`, alien, fleet.Yes, ""},
		{`carries("libssl3", "<3.0.14")`, old, fleet.Yes, "carries libssl3 3.0.9-1"},
		{`carries("deb/libssl3", "<3.0.14")`, fresh, fleet.No, ""},
		{`carries("rpm/libssl3")`, old, fleet.No, ""},
		{`carries("libssl3")`, running("bare", "", "debian 12.8"), fleet.Unknown, "nothing is known"},
		{`known`, alien, fleet.No, ""},
		{`labels.tier == "web" && labels.other == "" && 8080 in ports && age > duration("23h") && age < duration("25h")`, old, fleet.Yes, ""},
		{`image.startsWith("app:") && place == "docker://one" && !paused`, old, fleet.Yes, ""},
	}
	for _, tt := range tests {
		t.Run(tt.condition+" of "+tt.instance.Name, func(t *testing.T) {
			t.Parallel()
			c, err := where.Compile(tt.condition)
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.Prepare(t.Context(), world(), now)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Know(t.Context(), []fleet.Instance{tt.instance}); err != nil {
				t.Fatal(err)
			}
			if v := s.Select(&tt.instance); v.Meant != tt.want || !strings.Contains(strings.Join(v.Why, "; "), tt.why) {
				t.Errorf("%s %v, want %s %s", v.Meant, v.Why, tt.want, tt.why)
			}
		})
	}
}

// What can't be meant so is told before anything runs, with its place.
func TestBadConditions(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]string{
		``:                                    "the condition is empty",
		`namespase == "shop"`:                 "column 1: undeclared reference to 'namespase'",
		`namespace == 5`:                      "column 11: found no matching overload for '_==_' applied to '(string, int)'",
		`namespace`:                           "neither true nor false",
		`derivedFrom("debian:12", "<12.9"`:    "column 33: Syntax error",
		`derivedForm("debian:12")`:            "column 12: undeclared reference to 'derivedForm'",
		`derivedFrom(12)`:                     "column 13: it must be a text in quotes",
		`derivedFrom(image)`:                  "column 13: it must be a text in quotes",
		`derivedFrom()`:                       "derivedFrom takes an image",
		`derivedFrom("debian:12", "below 9")`: "is no range of versions",
		`derivedFrom("DEBIAN:12")`:            "is neither a digest nor a reference",
		`derivedFrom("sha256:12")`:            "is not a digest",
		`carries("libssl3", "3.0.14")`:        "is no range of a package's versions",
		`carries("")`:                         "names no package",
		strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60): "recursion",
		strings.Repeat("true || ", 600) + "true":                   "4096 are allowed",
	} {
		if _, err := where.Compile(condition); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", condition, err, want)
		}
	}
	c, err := where.Compile(`derivedFrom("debian:12")`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Prepare(t.Context(), nil, time.Now); err == nil || !strings.Contains(err.Error(), "there is no lineage to ask") {
		t.Error(err)
	}
}

// Synthetic returns many instances of few images, as fleets are.
func synthetic(n int) []fleet.Instance {
	all := make([]fleet.Instance, n)
	for k := range all {
		all[k] = running(fmt.Sprintf("i%d", k), fmt.Sprintf("ns%d", k%100), []string{"app", "newapp", "alien"}[k%3])
	}
	return all
}

func BenchmarkSelect(b *testing.B) {
	c, err := where.Compile(`derivedFrom("debian:12", "<12.9") && namespace != "ns7" && labels.tier == "web"`)
	if err != nil {
		b.Fatal(err)
	}
	s, err := c.Prepare(b.Context(), world(), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	all := synthetic(100_000)
	if err := s.Know(b.Context(), all); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		meant, unknown := fleet.Select(all, s)
		if len(meant)+len(unknown) < 60_000 {
			b.Fatal(len(meant), len(unknown))
		}
	}
}
