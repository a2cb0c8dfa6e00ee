package catalog_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
)

// FuzzLoad: no input makes the loader panic, every problem has a place in the file, and what the loader takes the schema
// takes too.
func FuzzLoad(f *testing.F) {
	cases, err := txtar.ParseFile("testdata/bad.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(cases.Files); i += 2 {
		f.Add(cases.Files[i].Data)
	}
	for _, name := range []string{"full", "small"} {
		src, err := os.ReadFile("testdata/good/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	schema := compileSchema(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		cat, err := catalog.Load("c.yaml", src)
		var broken *catalog.LoadError
		switch {
		case err == nil:
			if err := validate(schema, src); err != nil {
				t.Errorf("the loader takes what the schema does not: %v", err)
			}
			again, err := catalog.Load("d.yaml", src)
			if err != nil || again.Digest() != cat.Digest() {
				t.Errorf("loaded again: %v", err)
			}
		case !errors.As(err, &broken) || len(broken.Problems) == 0:
			t.Errorf("error %T: %v", err, err)
		default:
			lines := bytes.Count(src, []byte("\n")) + 1
			for _, p := range broken.Problems {
				if at := p.Place.Start; p.Place.File != "c.yaml" || at.Line < 1 || at.Line > lines+1 || at.Offset > len(src) || p.Message == "" {
					t.Errorf("problem at %+v: %q", p.Place, p.Message)
				}
			}
		}
	})
}

// FuzzPlan: nothing is allowed that no entry matches, by the word of an oracle that works with strings alone.
func FuzzPlan(f *testing.F) {
	add := func(versions, suffix, tags, ref string, flags uint8) { f.Add(versions, suffix, tags, ref, flags) }
	add(">=1.4.8 <2", "", "", "docker.io/library/debian:1.4.9", 0)
	add(">=1.4.8 <2", "alpine", "", "docker.io/library/debian:1.4.9-alpine", 1)
	add("^12", "*", "", "docker.io/library/debian:12", 2)
	add("12.x || >=14.1", "", "", "index.docker.io/library/debian:v14", 4)
	add("", "", "1.4.*", "docker.io/debian:1.4.8", 8)
	add("", "", "[a-c]?", "registry.io/library/debian:b1", 16)
	add("<2-0", "", "*", "docker.io/library/debian:2-rc1", 32)
	add("!=1.2.3", "*", "", "docker.io/library/debian:1.2.3-rc1-slim", 64)
	add(">1", "", "", "docker.io/library/debian@"+catalogtest.Digest("a"), 128)
	f.Fuzz(func(t *testing.T, versions, suffix, tags, ref string, flags uint8) {
		has := func(bit int) bool { return flags&(1<<bit) != 0 }
		o := oracle{versions: versions, suffix: suffix, tags: tags, prereleases: has(0)}
		var src strings.Builder
		src.WriteString("version: 1\nowner: o\nbases:\n  - repository: docker.io/library/debian\n")
		if versions != "" {
			fmt.Fprintf(&src, "    versions: %q\n    suffix: %q\n    prereleases: %v\n", versions, suffix, has(0))
		}
		if tags != "" {
			fmt.Fprintf(&src, "    tags: [%q]\n", tags)
		}
		if has(1) {
			src.WriteString("    kinds: [build-only]\n")
		}
		if has(2) {
			o.digest = catalogtest.Digest("a")
			fmt.Fprintf(&src, "    digests: [%q]\n", o.digest)
		}
		cat, err := catalog.Load("c.yaml", []byte(src.String()))
		if err != nil {
			return
		}
		in := catalog.Input{Kind: catalog.KindImage, Role: catalog.RoleBase, Platform: "linux/amd64", Written: ref, Ref: ref, Runtime: has(3), Reachable: true}
		if in.Digest = catalogtest.Digest("a"); has(4) {
			in.Digest = catalogtest.Digest("b")
		}
		if has(5) {
			in.Digest = ""
		}
		plan, err := cat.Plan(t.Context(), catalog.Question{Inputs: []catalog.Input{in}, At: day("2026-07-01")}, generous{})
		if err != nil {
			t.Fatal(err)
		}
		d := plan.Decisions[0]
		if !d.Allowed {
			if d.Rule == "" || len(plan.Findings) == 0 {
				t.Errorf("denied without a word: %+v", d)
			}
			return
		}
		switch why := o.forbids(ref, in.Digest); {
		case in.Digest == "":
			t.Error("an unresolved reference is allowed")
		case has(1) && in.Runtime:
			t.Error("a build-only base is allowed as runtime")
		case why != "":
			t.Errorf("%s is allowed by\n%sand should not be: %s", ref, &src, why)
		}
	})
}

// oracle is one entry for docker.io/library/debian, judged in the plainest way.
type oracle struct {
	versions, suffix, tags, digest string
	prereleases                    bool
}

var fullTag = regexp.MustCompile(`^(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-?([A-Za-z]+[.-]?\d*))??(?:-(.+))?$`)

// forbids says why a reference must not be allowed, or "" if it may be.
func (o oracle) forbids(ref, digest string) string {
	rest := ""
	for _, name := range []string{"docker.io/library/debian", "docker.io/debian", "index.docker.io/library/debian", "index.docker.io/debian"} {
		if after, ok := strings.CutPrefix(ref, name); ok && (after == "" || after[0] == ':' || after[0] == '@') {
			rest = after
		}
	}
	if rest == "" {
		return "another repository"
	}
	tag, pin, _ := strings.Cut(rest, "@")
	tag = strings.TrimPrefix(tag, ":")
	switch {
	case pin != "" && pin != digest:
		return "resolved to another digest"
	case o.digest != "" && o.digest != digest:
		return "another digest"
	case o.digest != "" && tag == "":
		return ""
	case tag == "":
		return "no tag"
	case pin != "" && o.digest == "" && pin != catalogtest.Digest("docker.io/library/debian:"+tag):
		return "the tag is another image"
	case o.tags != "" && !o.matches(tag):
		return "another tag"
	case o.versions != "":
		return o.outside(tag)
	}
	return ""
}

// matches turns a glob pattern into a regular expression.
func (o oracle) matches(tag string) bool {
	pattern := regexp.QuoteMeta(o.tags)
	for old, new := range map[string]string{`\*`: `.*`, `\?`: `.`, `\[`: `[`, `\]`: `]`} {
		pattern = strings.ReplaceAll(pattern, old, new)
	}
	re, err := regexp.Compile("^" + pattern + "$")
	if err != nil || strings.ContainsAny(o.tags, `[\^`) {
		return true // too clever for an oracle
	}
	return re.MatchString(tag)
}

// outside says that a tag is not in the range, for all the versions that it may mean as far as a few of them show.
func (o oracle) outside(tag string) string {
	m := fullTag.FindStringSubmatch(tag)
	if m == nil {
		return "no version"
	}
	if o.suffix == "" && tag != strings.TrimRight(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") && !o.prereleases {
		return "a suffix"
	}
	if o.suffix == "" && !o.prereleases && strings.ContainsAny(tag, "-_") {
		return "a suffix or a pre-release"
	}
	constraint, err := semver.NewConstraint(o.versions)
	if err != nil {
		return "no range"
	}
	constraint.IncludePrerelease = true
	minors, patches := []string{m[2]}, []string{m[3]}
	if m[2] == "" {
		minors = []string{"0", "1", "7", "99999"}
	}
	if m[3] == "" {
		patches = []string{"0", "1", "7", "99999"}
	}
	for _, minor := range minors {
		for _, patch := range patches {
			v, err := semver.NewVersion(strings.Join([]string{trimZeros(m[1]), trimZeros(minor), trimZeros(patch)}, "."))
			if err != nil {
				return "no version"
			}
			if !constraint.Check(v) {
				return v.String() + " is outside of " + o.versions
			}
		}
	}
	return ""
}

func trimZeros(s string) string {
	if s = strings.TrimLeft(s, "0"); s == "" {
		return "0"
	}
	return s
}
