package lineagetest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

func identities(t *testing.T, s lineage.Store) {
	amd := manifest("amd", "linux/amd64", "a")
	base := index("base", amd, manifest("arm", "linux/arm64", "b"))
	put(t, s, lineage.Batch{
		Images: []lineage.Image{amd, base, manifest("1", "linux/amd64"), manifest("2", "linux/amd64"), manifest("3", "linux/amd64")},
		Edges: []lineage.Edge{
			on("1", "base", lineage.RoleBase, lineage.GradeSigned),
			on("2", "amd", lineage.RoleStage, lineage.GradeBuild),
			on("3", "config of amd", lineage.RoleBase, lineage.GradeAnnotation),
			on("4", "amd", lineage.RoleCopy, lineage.GradeUnsigned), // an image that nobody has seen
		},
	})
	known := names("1", "2", "3", "4", "base", "amd", "config of amd")
	want := []string{
		"1 on base (base, signed provenance)", "2 on amd (stage, build record)", "3 on config of amd (base, base annotation)",
		"4 on amd (copy, unsigned provenance)",
	}
	if diff := cmp.Diff(want, edges(t, all(t, s.On(t.Context(), ask(t, s, "amd"))), known)); diff != "" {
		t.Errorf("on the manifest (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(want[:1], edges(t, all(t, s.On(t.Context(), ask(t, s, "base"))), known)); diff != "" {
		t.Errorf("on the index alone (-want +got)\n%s", diff)
	}
	var under []lineage.Edge
	for _, name := range []string{"1", "2", "3", "4"} {
		under = append(under, all(t, s.Under(t.Context(), []lineage.Image{{Digest: digest(name)}}))...)
	}
	if diff := cmp.Diff(want, edges(t, under, known)); diff != "" {
		t.Errorf("under (-want +got)\n%s", diff)
	}
	got := all(t, s.On(t.Context(), []lineage.Image{{Digest: digest("base")}}))
	if image := got[0].Image; image.Platform != "linux/amd64" || image.Config != digest("config of 1") {
		t.Errorf("an edge comes without what is known of its image: %+v", image)
	}
	if got[0].Source != "test" {
		t.Errorf("source %q", got[0].Source)
	}
}

// anyOrder: an edge to an index that nobody has seen yet holds for its manifests once it is seen.
func anyOrder(t *testing.T, s lineage.Store) {
	put(t, s, lineage.Batch{Edges: []lineage.Edge{on("app", "base", lineage.RoleBase, lineage.GradeAnnotation)}})
	amd := manifest("amd", "linux/amd64")
	put(t, s, lineage.Batch{Images: []lineage.Image{index("base", amd)}})
	put(t, s, lineage.Batch{Images: []lineage.Image{amd}})
	put(t, s, lineage.Batch{Images: []lineage.Image{manifest("app", "linux/amd64")}})
	put(t, s, lineage.Batch{Edges: []lineage.Edge{on("app", "base", lineage.RoleBase, lineage.GradeAnnotation)}})
	want := []string{"app on base (base, base annotation)"}
	if diff := cmp.Diff(want, edges(t, all(t, s.On(t.Context(), ask(t, s, "amd"))), names("app", "base"))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if c, err := s.Counts(t.Context()); err != nil || c.Edges != 1 {
		t.Errorf("the edge that was put twice counts %d times, %v", c.Edges, err)
	}
}

func platforms(t *testing.T, s lineage.Store) {
	amd, arm := manifest("amd", "linux/amd64"), manifest("arm", "linux/arm64")
	put(t, s, lineage.Batch{
		Images: []lineage.Image{amd, arm, index("base", amd, arm), manifest("app amd", "linux/amd64"), manifest("app arm", "linux/arm64"), manifest("app", "")},
		Edges: []lineage.Edge{
			on("app amd", "base", lineage.RoleBase, lineage.GradeBuild), on("app arm", "base", lineage.RoleBase, lineage.GradeBuild),
			on("app", "base", lineage.RoleBase, lineage.GradeBuild),
		},
	})
	known := names("app amd", "app arm", "app", "base")
	for base, want := range map[string][]string{
		"amd":  {"app amd on base (base, build record)", "app on base (base, build record)"},
		"arm":  {"app arm on base (base, build record)", "app on base (base, build record)"},
		"base": {"app amd on base (base, build record)", "app arm on base (base, build record)", "app on base (base, build record)"},
	} {
		if diff := cmp.Diff(want, edges(t, all(t, s.On(t.Context(), ask(t, s, base))), known)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", base, diff)
		}
	}
}

// layers: only the nearest base below is one, in whatever order the images came.
func layers(t *testing.T, s lineage.Store) {
	images := []lineage.Image{
		manifest("base", "", "1"), manifest("middle", "", "1", "2", "3"), manifest("app", "", "1", "2", "3", "4", "5"),
		manifest("other", "", "1", "9"), manifest("squashed", "", "s"), manifest("tool", "", "2", "3"),
	}
	known := names("base", "middle", "app", "other", "squashed", "tool")
	for shift := range images {
		t.Run("", func(t *testing.T) {
			if shift > 0 {
				for i := range images { // other digests and layers, or the first round would have seen them all
					images[i] = shifted(images[i], shift)
				}
			}
			for i := range images {
				put(t, s, lineage.Batch{Images: []lineage.Image{images[(i+shift)%len(images)]}})
			}
			for i, name := range []string{"base", "middle", "app", "other", "squashed", "tool"} {
				known[images[i].Digest] = name
			}
			above := map[string][]string{
				"base":   {"middle on base (base, layer chain)", "other on base (base, layer chain)"},
				"middle": {"app on middle (base, layer chain)"},
			}
			under := map[string][]string{
				"middle": {"middle on base (base, layer chain)"}, "app": {"app on middle (base, layer chain)"},
				"other": {"other on base (base, layer chain)"},
			}
			for _, img := range images {
				name := known[img.Digest]
				if diff := cmp.Diff(above[name], edges(t, all(t, s.On(t.Context(), []lineage.Image{img})), known)); diff != "" {
					t.Errorf("on %s (-want +got)\n%s", name, diff)
				}
				if diff := cmp.Diff(under[name], edges(t, all(t, s.Under(t.Context(), []lineage.Image{img})), known)); diff != "" {
					t.Errorf("under %s (-want +got)\n%s", name, diff)
				}
			}
			got := all(t, s.On(t.Context(), images[1:2]))
			if want := "its first 3 of 5 layers"; len(got) != 1 || got[0].Source != want {
				t.Errorf("got %+v, want one edge with source %q", got, want)
			}
		})
	}
}

// shifted is an image with other digests throughout.
func shifted(img lineage.Image, n int) lineage.Image {
	other := func(d string) string { return digest(d + string(rune('a'+n))) }
	img.Digest, img.Config, img.Chain = other(img.Digest), other(img.Config), other(img.Chain)
	img.Below = slices.Clone(img.Below)
	for i := range img.Below {
		img.Below[i] = other(img.Below[i])
	}
	return img
}

func twins(t *testing.T, s lineage.Store) {
	put(t, s, lineage.Batch{Images: []lineage.Image{
		manifest("a", "", "1", "2"), manifest("b", "", "1", "2"), manifest("app", "", "1", "2", "3"), manifest("empty", ""), manifest("void", ""),
	}})
	known := names("a", "b", "app", "empty", "void")
	want := []string{"app on a (base, layer chain)", "b on a (twin, layer chain)"}
	if diff := cmp.Diff(want, edges(t, all(t, s.On(t.Context(), ask(t, s, "a"))), known)); diff != "" {
		t.Errorf("on a (-want +got)\n%s", diff)
	}
	want = []string{"app on a (base, layer chain)", "app on b (base, layer chain)"}
	if diff := cmp.Diff(want, edges(t, all(t, s.Under(t.Context(), ask(t, s, "app"))), known)); diff != "" {
		t.Errorf("under app (-want +got)\n%s", diff)
	}
	bare := ask(t, s, "a")
	bare[0].Chain = "" // asked about already
	if got := all(t, s.On(t.Context(), bare)); len(got) != 0 {
		t.Errorf("without its chain: %v", got)
	}
	if got := all(t, s.On(t.Context(), ask(t, s, "empty"))); len(got) != 0 {
		t.Errorf("images without layers are twins: %v", got)
	}
}

func named(t *testing.T, s lineage.Store) {
	byName := on("app", "base", lineage.RoleBase, lineage.GradeAnnotation)
	byName.Name = "docker.io/library/debian:12"
	nameOnly := byName
	nameOnly.Base, nameOnly.Image.Digest = "", digest("other")
	pinned := on("pinned", "base", lineage.RoleStage, lineage.GradeBuild)
	pinned.Name = "docker.io/library/debian@" + digest("base")
	elsewhere := byName
	elsewhere.Name = "docker.io/library/debian-slim:12"
	put(t, s, lineage.Batch{Images: []lineage.Image{manifest("app", "linux/amd64")}, Edges: []lineage.Edge{byName, nameOnly, pinned, elsewhere}})
	want := []string{"app on base (base, base annotation)", "other on  (base, base annotation)", "pinned on base (stage, build record)"}
	got := all(t, s.Named(t.Context(), "docker.io/library/debian"))
	if diff := cmp.Diff(want, edges(t, got, names("app", "other", "pinned", "base"))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, e := range got {
		if e.Image.Digest == digest("app") && (e.Name != byName.Name || e.Image.Platform != "linux/amd64") {
			t.Errorf("name and image are lost: %+v", e)
		}
	}
	if under := all(t, s.Under(t.Context(), []lineage.Image{{Digest: digest("app")}})); len(under) != 2 {
		t.Errorf("two names of one base are %d edges, want 2", len(under))
	}
}
