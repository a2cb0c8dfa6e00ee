package lineagetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

func images(t *testing.T, s lineage.Store) {
	amd, arm := manifest("amd", "linux/amd64", "a", "b"), manifest("arm", "linux/arm64", "c")
	amd.Created, amd.Owner, amd.Note = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "team-a", "squashed"
	amd.Definition = lineage.Definition{Repository: "https://git.example/a", Commit: "c0ffee", Path: "Dockerfile", Grade: lineage.GradeSigned}
	both := index("both", amd, arm)
	put(t, s, lineage.Batch{Images: []lineage.Image{amd, arm, both}})

	amd.Below, arm.Below = nil, nil
	for _, tt := range []struct {
		name, digest string
		want         []lineage.Image
	}{
		{"by manifest", amd.Digest, []lineage.Image{amd}},
		{"by config", arm.Config, []lineage.Image{arm}},
		{"by index", both.Digest, []lineage.Image{both}},
		{"unknown", digest("unknown"), nil},
		{"sha512", "sha512:" + strings.Repeat("ab", 64), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := all(t, s.Images(t.Context(), []string{tt.digest}))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("two manifests with one config", func(t *testing.T) { // recompressed layers
		again := manifest("amd recompressed", "linux/amd64", "a", "b")
		again.Config = amd.Config
		put(t, s, lineage.Batch{Images: []lineage.Image{again}})
		if got := all(t, s.Images(t.Context(), []string{amd.Config})); len(got) != 2 {
			t.Errorf("got %d images, want 2", len(got))
		}
	})
	t.Run("sha512", func(t *testing.T) {
		long := lineage.Image{Digest: "sha512:" + strings.Repeat("cd", 64), Kind: lineage.KindManifest}
		put(t, s, lineage.Batch{Images: []lineage.Image{long}})
		if diff := cmp.Diff([]lineage.Image{long}, all(t, s.Images(t.Context(), []string{long.Digest}))); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func imageAgain(t *testing.T, s lineage.Store) {
	img := manifest("app", "linux/amd64", "a", "b")
	img.Owner = "team-a"
	img.Definition = lineage.Definition{Repository: "https://git.example/app", Commit: "1", Grade: lineage.GradeBuild}
	put(t, s, lineage.Batch{Images: []lineage.Image{img}})
	put(t, s, lineage.Batch{Images: []lineage.Image{{
		Digest: img.Digest, Kind: lineage.KindManifest, Owner: "team-b",
		Definition: lineage.Definition{Repository: "https://git.example/claimed", Grade: lineage.GradeAnnotation},
	}}})
	want := img
	want.Owner, want.Below = "team-b", nil
	if diff := cmp.Diff([]lineage.Image{want}, ask(t, s, "app")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	best := lineage.Definition{Repository: "https://git.example/proved", Commit: "2", Grade: lineage.GradeSigned}
	put(t, s, lineage.Batch{Images: []lineage.Image{{Digest: img.Digest, Kind: lineage.KindManifest, Definition: best}}})
	if diff := cmp.Diff(best, ask(t, s, "app")[0].Definition); diff != "" {
		t.Errorf("definition (-want +got)\n%s", diff)
	}
	put(t, s, lineage.Batch{Images: []lineage.Image{manifest("base", "linux/amd64", "a")}})
	if got := all(t, s.On(t.Context(), ask(t, s, "base"))); len(got) != 1 {
		t.Errorf("after a put without layers the image is no more above its base: %v", got)
	}
}

// wrongBatch: what is wrong in one place keeps all of the batch out.
func wrongBatch(t *testing.T, s lineage.Store) {
	good := manifest("good", "linux/amd64", "a")
	edge := on("good", "base", lineage.RoleBase, lineage.GradeBuild)
	for name, b := range map[string]lineage.Batch{
		"digest of an image": {Images: []lineage.Image{good, {Digest: "sha256:ABC", Kind: lineage.KindManifest}}},
		"kind":               {Images: []lineage.Image{good, {Digest: digest("x")}}},
		"config":             {Images: []lineage.Image{good, {Digest: digest("x"), Kind: lineage.KindManifest, Config: "x"}}},
		"child":              {Images: []lineage.Image{good, {Digest: digest("x"), Kind: lineage.KindIndex, Manifests: []lineage.Child{{Digest: "x"}}}}},
		"edge without base":  {Images: []lineage.Image{good}, Edges: []lineage.Edge{{Image: good, Role: lineage.RoleBase, Grade: lineage.GradeBuild}}},
		"edge without role":  {Images: []lineage.Image{good}, Edges: []lineage.Edge{{Image: good, Base: digest("b"), Grade: lineage.GradeBuild}}},
		"edge without grade": {Images: []lineage.Image{good}, Edges: []lineage.Edge{{Image: good, Base: digest("b"), Role: lineage.RoleBase}}},
		"edge of layers":     {Images: []lineage.Image{good}, Edges: []lineage.Edge{edge, on("good", "b", lineage.RoleBase, lineage.GradeLayers)}},
		"edge to itself":     {Images: []lineage.Image{good}, Edges: []lineage.Edge{on("good", "good", lineage.RoleBase, lineage.GradeBuild)}},
		"tag":                {Images: []lineage.Image{good}, Tags: []lineage.Tag{{Repository: "r", Digest: good.Digest}}},
		"packages":           {Images: []lineage.Image{good}, Inventories: []lineage.Inventory{{}}},
		"long text":          {Images: []lineage.Image{good, {Digest: digest("x"), Kind: lineage.KindManifest, Owner: strings.Repeat("x", 2000)}}},
		"NUL":                {Images: []lineage.Image{good}, Marks: map[string]string{"a": "\x00"}},
		"not UTF-8":          {Images: []lineage.Image{good}, Tags: []lineage.Tag{{Repository: "r\xff", Name: "1", Digest: good.Digest}}},
		"instance":           {Images: []lineage.Image{good}, Instances: []lineage.Instance{{ID: "1", Digest: good.Digest}}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.Put(t.Context(), b); !errors.Is(err, lineage.ErrInvalid) {
				t.Errorf("got %v, want lineage.ErrInvalid", err)
			}
			if c, err := s.Counts(t.Context()); err != nil || c != (lineage.Counts{}) {
				t.Errorf("something of it was kept: %+v, %v", c, err)
			}
		})
	}
}

func cancelled(t *testing.T, s lineage.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, lineage.Batch{Images: []lineage.Image{manifest("app", "")}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got := ask(t, s, "app"); len(got) != 0 {
		t.Errorf("it was kept: %v", got)
	}
}

func counts(t *testing.T, s lineage.Store) {
	amd, arm := manifest("amd", "linux/amd64", "a"), manifest("arm", "linux/arm64", "b")
	put(t, s, lineage.Batch{
		Images: []lineage.Image{amd, arm, index("both", amd, arm)},
		Edges:  []lineage.Edge{on("amd", "base", lineage.RoleBase, lineage.GradeBuild)},
		Tags: []lineage.Tag{
			{Repository: "r", Name: "1", Digest: amd.Digest, Since: time.Unix(1, 0)},
			{Repository: "r", Name: "1", Digest: arm.Digest, Since: time.Unix(2, 0)},
		},
		Instances: []lineage.Instance{{Place: "p", ID: "1", Digest: amd.Digest}},
	})
	got, err := s.Counts(t.Context())
	if want := (lineage.Counts{Images: 2, Indexes: 1, Edges: 1, Tags: 1, Instances: 1}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
