package rebuild_test

import (
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
)

var (
	oldFiles = []file{
		{name: "etc/"},
		{name: "etc/os-release", content: "12.8"},
		{name: "etc/passwd", content: "root"},
		{name: "usr/"},
		{name: "usr/lib/"},
		{name: "usr/share/"},
		{name: "usr/share/data", content: "1"},
		{name: "usr/share/gone", content: "x"},
		{name: "bin", link: "usr/bin"},
		{name: "usr/bin/"},
		{name: "usr/bin/sh", content: "sh"},
		{name: "srv", link: "usr/share"},
	}
	newFiles = []file{
		{name: "etc/"},
		{name: "etc/os-release", content: "12.9"},
		{name: "etc/passwd", content: "root"},
		{name: "usr/"},
		{name: "usr/lib/"},
		{name: "usr/share/"},
		{name: "usr/share/data", content: "2"},
		{name: "usr/share/new", content: "y"},
		{name: "bin", link: "usr/bin"},
		{name: "usr/bin/"},
		{name: "usr/bin/sh", content: "sh"},
		{name: "srv", link: "usr/share"},
	}
)

func with(files []file, more ...file) []file { return append(slices.Clone(files), more...) }

func bases(t *testing.T) (from, to v1.Image) {
	t.Helper()
	env := func(version string) func(*v1.ConfigFile) {
		return func(c *v1.ConfigFile) { c.Config.Env = []string{"PATH=/usr/bin", "BASE=" + version} }
	}
	return imageOf(t, nil, env("12.8"), step{"ADD rootfs.tar /", oldFiles}), imageOf(t, nil, env("12.9"), step{"ADD rootfs.tar /", newFiles})
}

func TestJudge(t *testing.T) {
	t.Parallel()
	app := file{name: "app/server", content: "server"}
	for _, test := range []struct {
		name     string
		steps    []step
		config   func(*v1.ConfigFile)
		from, to []file // more files of the bases
		evidence *rebuild.Evidence
		policy   rebuild.Policy
		want     []rebuild.Code
	}{
		{name: "copied files", steps: []step{copied(file{name: "app/"}, app)}},
		{name: "nothing of its own"},
		{name: "environment, user and entry point", steps: []step{{by: "ENV A=1"}, {by: "USER 1000"}}, config: func(c *v1.ConfigFile) {
			c.Config.Env, c.Config.User, c.Config.Entrypoint = append(c.Config.Env, "A=1"), "1000", []string{"/app/server"}
		}},
		{name: "parents repeated as they are", steps: []step{copied(file{name: "usr/"}, file{name: "usr/share/"}, file{name: "usr/share/app", content: "a"})}},
		{name: "no evidence", evidence: &rebuild.Evidence{RuntimeOnly: true}, want: []rebuild.Code{rebuild.Unproven}},
		{name: "layers only", evidence: &rebuild.Evidence{Grade: lineage.GradeLayers, RuntimeOnly: true}, want: []rebuild.Code{rebuild.Unproven}},
		{name: "layers, and Ops takes them", evidence: &rebuild.Evidence{Grade: lineage.GradeLayers, RuntimeOnly: true}, policy: rebuild.Policy{Grade: lineage.GradeLayers}},
		{name: "build stages not known", evidence: &rebuild.Evidence{Grade: lineage.GradeSigned}, want: []rebuild.Code{rebuild.BuildStage}},
		{name: "run step", steps: []step{{"RUN make # buildkit", []file{app}}}, want: []rebuild.Code{rebuild.FromRun}},
		{name: "run step of the classic builder", steps: []step{{"/bin/sh -c make", []file{app}}}, want: []rebuild.Code{rebuild.FromRun}},
		{name: "copy of the classic builder", steps: []step{{"/bin/sh -c #(nop) COPY file:1 in /", []file{app}}}},
		{name: "run step that the owner vouches for", steps: []step{{"RUN make # buildkit", []file{app}}}, policy: rebuild.Policy{Runs: true}},
		{name: "package database", steps: []step{copied(file{name: "var/lib/dpkg/status", content: "Package: x"})}, want: []rebuild.Code{rebuild.PackageState}},
		{name: "package database removed", steps: []step{copied(file{name: "lib/.wh.apk"})}, want: []rebuild.Code{rebuild.PackageState}},
		{name: "overwrites a changed file", steps: []step{copied(file{name: "usr/share/data", content: "3"})}, want: []rebuild.Code{rebuild.Overlap}},
		{name: "overwrites an unchanged file", steps: []step{copied(file{name: "usr/bin/sh", content: "other"})}},
		{name: "writes what was removed", steps: []step{copied(file{name: "usr/share/gone", content: "3"})}, want: []rebuild.Code{rebuild.Overlap}},
		{name: "writes what was added", steps: []step{copied(file{name: "./usr/share/new", content: "3"})}, want: []rebuild.Code{rebuild.Overlap}},
		{name: "hides a changed file", steps: []step{copied(file{name: "usr/share/.wh.data"})}, want: []rebuild.Code{rebuild.Overlap}},
		{name: "hides a directory with a change below", steps: []step{copied(file{name: "usr/.wh.share"})}, want: []rebuild.Code{rebuild.Overlap}},
		{name: "hides an unchanged file", steps: []step{copied(file{name: "usr/bin/.wh.sh"})}},
		{name: "opaque directory with a change below", steps: []step{copied(file{name: "usr/share/.wh..wh..opq"})}, want: []rebuild.Code{rebuild.Overlap}},
		{name: "opaque root", steps: []step{copied(file{name: ".wh..wh..opq"})}, want: []rebuild.Code{rebuild.Overlap}},
		{name: "replaces a directory with a change below", steps: []step{copied(file{name: "usr/share", content: "a file"})}, want: []rebuild.Code{rebuild.Overlap}},
		{name: "mode of a directory that changed", to: []file{{name: "usr/share/", mode: 0o700}}, steps: []step{copied(file{name: "usr/share/"})}, want: []rebuild.Code{rebuild.Overlap}},
		{
			name: "directory became a link", from: []file{{name: "opt/"}}, to: []file{{name: "opt", link: "usr/share"}},
			steps: []step{copied(file{name: "opt/app", content: "a"})}, want: []rebuild.Code{rebuild.Overlap},
		},
		{name: "link leads elsewhere", to: []file{{name: "srv", link: "usr/lib"}}, steps: []step{copied(app)}, want: []rebuild.Code{rebuild.Overlap}},
		{name: "accounts changed and owners may have been looked up", to: []file{{name: "etc/passwd", content: "root app"}}, steps: []step{copied(file{name: "app", content: "a", uid: 100})}, want: []rebuild.Code{rebuild.Overlap}},
		{name: "accounts changed and root owns all", to: []file{{name: "etc/passwd", content: "root app"}}, steps: []step{copied(app)}},
		{name: "library", to: []file{{name: "usr/lib/libssl.so.3", content: "3"}}, steps: []step{copied(app)}, want: []rebuild.Code{rebuild.ABI}},
		{name: "compatible library", to: []file{{name: "usr/lib/libssl.so.3", content: "3"}}, steps: []step{copied(app)}, policy: rebuild.Policy{Compatible: true}},
		{name: "both changed a variable", config: func(c *v1.ConfigFile) { c.Config.Env = []string{"PATH=/usr/bin", "BASE=mine"} }, want: []rebuild.Code{rebuild.ConfigConflict}},
		{name: "image dropped a variable that changed", config: func(c *v1.ConfigFile) { c.Config.Env = []string{"PATH=/usr/bin"} }, want: []rebuild.Code{rebuild.ConfigConflict}},
		{name: "image changed what the base did not", config: func(c *v1.ConfigFile) { c.Config.Env = []string{"PATH=/app:/usr/bin", "BASE=12.8"} }},
		{name: "other variant", config: func(c *v1.ConfigFile) { c.Variant = "v2" }, want: []rebuild.Code{rebuild.OtherPlatform}},
		{name: "owner pins", policy: rebuild.Policy{Pinned: "certified as it is"}, want: []rebuild.Code{rebuild.Pinned}},
		{name: "no history", config: func(c *v1.ConfigFile) { c.History = nil }, steps: []step{copied(app)}, want: []rebuild.Code{rebuild.NoHistory}},
		{name: "history of another base", config: func(c *v1.ConfigFile) { c.History[0].CreatedBy = "ADD other" }, want: []rebuild.Code{rebuild.NoHistory}},
		{name: "every reason at once", policy: rebuild.Policy{Pinned: "no"}, evidence: &rebuild.Evidence{}, want: []rebuild.Code{rebuild.Pinned, rebuild.Unproven, rebuild.BuildStage}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			env := func(version string) func(*v1.ConfigFile) {
				return func(c *v1.ConfigFile) { c.Config.Env = []string{"PATH=/usr/bin", "BASE=" + version} }
			}
			from := imageOf(t, nil, env("12.8"), step{"ADD rootfs.tar /", with(oldFiles, test.from...)})
			to := imageOf(t, nil, env("12.9"), step{"ADD rootfs.tar /", with(newFiles, test.to...)})
			evidence := proven
			if test.evidence != nil {
				evidence = *test.evidence
			}
			v := verdict(t, imageOf(t, from, test.config, test.steps...), compare(t, from, to), evidence, test.policy)
			var got []rebuild.Code
			for _, r := range v.Reasons {
				got = append(got, r.Code)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("reasons %q, want %q", v.Reasons, test.want)
			}
			if (v.Verb == rebuild.DoRebase) != (len(test.want) == 0) {
				t.Errorf("verb %s with reasons %q", v.Verb, v.Reasons)
			}
		})
	}
}

func TestJudgeRefusesAnotherBaseWithTheSameBottom(t *testing.T) {
	t.Parallel()
	from, to := bases(t)
	other := imageOf(t, nil, nil, step{"ADD rootfs.tar /", with(oldFiles, file{name: "x", content: "x"})})
	v := verdict(t, imageOf(t, other, nil, copied(file{name: "app", content: "a"})), compare(t, from, to), proven, rebuild.Policy{})
	if len(v.Reasons) == 0 || v.Reasons[0].Code != rebuild.NotOnBase {
		t.Errorf("reasons %q", v.Reasons)
	}
}

func TestJudgeRefusesABaseWithoutLayers(t *testing.T) {
	t.Parallel()
	_, to := bases(t)
	scratch := imageOf(t, nil, nil)
	v := verdict(t, imageOf(t, scratch, nil, copied(file{name: "app", content: "a"})), compare(t, scratch, to), proven, rebuild.Policy{})
	if v.Verb != rebuild.DoRebuild {
		t.Errorf("an image on nothing may be rebased")
	}
}

// Where configuration and layers disagree, nothing that the configuration says about layers counts.
func TestJudgeRefusesAConfigurationThatListsOtherLayers(t *testing.T) {
	t.Parallel()
	from, to := bases(t)
	img := imageOf(t, from, nil, copied(file{name: "app", content: "a"}))
	damaged, err := mutate.ConfigFile(img, func() *v1.ConfigFile {
		c, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		c = c.DeepCopy()
		c.RootFS.DiffIDs = c.RootFS.DiffIDs[:1]
		return c
	}())
	if err != nil {
		t.Fatal(err)
	}
	v := verdict(t, damaged, compare(t, from, to), proven, rebuild.Policy{})
	if len(v.Reasons) == 0 || v.Reasons[0].Code != rebuild.Damaged {
		t.Errorf("reasons %q", v.Reasons)
	}
}
