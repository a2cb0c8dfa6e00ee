package lineagetest

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

func tags(t *testing.T, s lineage.Store) {
	at := func(day int) time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }
	point := func(name, to string, day int) lineage.Tag {
		tag := lineage.Tag{Repository: "registry.example/app", Name: name, Since: at(day)}
		if to != "" {
			tag.Digest = digest(to)
		}
		return tag
	}
	for _, tag := range []lineage.Tag{
		point("1", "a", 1), point("1", "a", 2), point("1", "b", 3), point("1", "a", 4), // moved there and back
		point("2", "a", 1), point("2", "", 5), point("2", "", 6), // gone
		point("10", "a", 1), point("never", "", 1),
		{Repository: "registry.example/app2", Name: "1", Digest: digest("a"), Since: at(1)},
	} {
		put(t, s, lineage.Batch{Tags: []lineage.Tag{tag}})
	}
	tag := func(name, to string, since, until int) lineage.Tag {
		tag := point(name, to, since)
		if until > 0 {
			tag.Until = at(until)
		}
		return tag
	}
	want := []lineage.Tag{tag("1", "a", 1, 3), tag("1", "b", 3, 4), tag("1", "a", 4, 0), tag("10", "a", 1, 0), tag("2", "a", 1, 5)}
	if diff := cmp.Diff(want, all(t, s.Tags(t.Context(), lineage.TagFilter{Repository: "registry.example/app"}))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	want = []lineage.Tag{want[2], want[3]}
	if diff := cmp.Diff(want, all(t, s.Tags(t.Context(), lineage.TagFilter{Repository: "registry.example/app", Current: true}))); diff != "" {
		t.Errorf("current (-want +got)\n%s", diff)
	}
}

func tagsOf(t *testing.T, s lineage.Store) {
	amd := manifest("amd", "linux/amd64")
	put(t, s, lineage.Batch{
		Images: []lineage.Image{amd, index("both", amd)},
		Tags: []lineage.Tag{
			{Repository: "a", Name: "1", Digest: digest("both")},
			{Repository: "b", Name: "1", Digest: amd.Digest},
			{Repository: "c", Name: "1", Digest: digest("else")},
		},
	})
	var got []string
	for _, tag := range all(t, s.Tags(t.Context(), lineage.TagFilter{Digests: []string{amd.Digest}})) {
		got = append(got, tag.String())
	}
	if diff := cmp.Diff([]string{"a:1", "b:1"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := all(t, s.Tags(t.Context(), lineage.TagFilter{Digests: []string{digest("both")}, Repository: "a"})); len(got) != 1 {
		t.Errorf("by index and repository: %v", got)
	}
}

func inventories(t *testing.T, s lineage.Store) {
	deb := func(name, version string) lineage.Package {
		return lineage.Package{Type: "deb", Name: name, Version: version}
	}
	npm := lineage.Package{Type: "npm", Name: "openssl", Version: "1"}
	base := []lineage.Package{deb("libc6", "2.36"), deb("openssl", "3.0.11-1~deb12u2")}
	put(t, s, lineage.Batch{
		Images: []lineage.Image{manifest("a", "linux/amd64"), manifest("b", "linux/amd64")},
		Inventories: []lineage.Inventory{
			{Image: digest("a"), Distro: "debian-12", Packages: base, Grade: lineage.GradeLayers, Source: "its files"},
			{Image: digest("b"), Distro: "debian-12", Packages: append(slices.Clone(base), npm), Grade: lineage.GradeSigned},
			{Image: digest("c"), Packages: nil},
		},
	})
	carriers := func(kind, name string) []string {
		var list []string
		for _, c := range all(t, s.Carriers(t.Context(), kind, name)) {
			list = append(list, names("a", "b", "c")[c.Image.Digest]+" "+c.Package.Version+" "+c.Distro+" "+c.Image.Platform)
		}
		slices.Sort(list)
		return list
	}
	want := []string{"a 3.0.11-1~deb12u2 debian-12 linux/amd64", "b 3.0.11-1~deb12u2 debian-12 linux/amd64"}
	if diff := cmp.Diff(want, carriers("deb", "openssl")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b 1 debian-12 linux/amd64"}, carriers("npm", "openssl")); diff != "" {
		t.Errorf("npm (-want +got)\n%s", diff)
	}
	put(t, s, lineage.Batch{Inventories: []lineage.Inventory{
		{Image: digest("a"), Packages: []lineage.Package{deb("openssl", "4")}, Grade: lineage.GradeUnsigned},
		{Image: digest("b"), Packages: []lineage.Package{deb("openssl", "0")}, Grade: lineage.GradeUnsigned}, // poorer than what is known
	}})
	if diff := cmp.Diff([]string{"a 4  linux/amd64", want[1]}, carriers("deb", "openssl")); diff != "" {
		t.Errorf("after another inventory (-want +got)\n%s", diff)
	}
	got := all(t, s.Packages(t.Context(), []string{digest("b"), digest("c"), digest("d")}))
	slices.SortFunc(got, func(x, y lineage.Inventory) int { return len(y.Packages) - len(x.Packages) })
	if len(got) != 2 || len(got[0].Packages) != 3 || got[0].Grade != lineage.GradeSigned || got[1].Image != digest("c") {
		t.Errorf("packages: %+v, want those of b and, known to be none, those of c", got)
	}
}

func owners(t *testing.T, s lineage.Store) {
	mine := manifest("mine", "")
	mine.Owner = "me"
	put(t, s, lineage.Batch{Images: []lineage.Image{mine, manifest("nobody's", ""), manifest("lost", ""), index("index", mine)}})
	known := names("mine", "nobody's", "lost", "index")
	unowned := func() map[string]bool {
		set := map[string]bool{}
		for _, img := range all(t, s.Unowned(t.Context())) {
			set[known[img.Digest]] = true
		}
		return set
	}
	if diff := cmp.Diff([]string{"lost", "nobody's"}, slices.Sorted(maps.Keys(unowned()))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	put(t, s, lineage.Batch{Images: []lineage.Image{{Digest: digest("lost"), Kind: lineage.KindManifest, Owner: "found"}}})
	if diff := cmp.Diff([]string{"nobody's"}, slices.Sorted(maps.Keys(unowned()))); diff != "" {
		t.Errorf("after one has an owner (-want +got)\n%s", diff)
	}
}

func instances(t *testing.T, s lineage.Store) {
	run := func(place, id, image string) lineage.Instance {
		return lineage.Instance{Place: place, ID: id, Name: "n" + id, Digest: digest(image), Since: time.Unix(5, 0).UTC()}
	}
	put(t, s, lineage.Batch{Instances: []lineage.Instance{run("docker://a", "1", "app"), run("docker://a", "2", "other"), run("docker://b", "1", "app")}})
	want := []lineage.Instance{run("docker://a", "1", "app"), run("docker://b", "1", "app")}
	if diff := cmp.Diff(want, all(t, s.Instances(t.Context(), []string{digest("app")}))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	put(t, s, lineage.Batch{Instances: []lineage.Instance{run("docker://b", "1", "other")}, Ended: []lineage.Instance{{Place: "docker://a", ID: "1"}}})
	want = []lineage.Instance{run("docker://a", "2", "other"), run("docker://b", "1", "other")}
	if diff := cmp.Diff(want, all(t, s.Instances(t.Context(), nil))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func marks(t *testing.T, s lineage.Store) {
	put(t, s, lineage.Batch{Marks: map[string]string{"scan/a": "1", "scan/b": "2", "scax": "3", "sca_/x": "4", "gone": "x"}})
	put(t, s, lineage.Batch{Marks: map[string]string{"scan/b": "5", "gone": ""}})
	got, err := s.Marks(t.Context(), "scan/")
	if diff := cmp.Diff(map[string]string{"scan/a": "1", "scan/b": "5"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	got, err = s.Marks(t.Context(), "")
	if err != nil || len(got) != 4 {
		t.Errorf("all marks: %v, %v", got, err)
	}
}
