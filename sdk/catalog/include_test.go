package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
)

const (
	commit = "0123456789abcdef0123456789abcdef01234567"
	pinned = "sha256:00000000000000000000000000000000000000000000000000000000000000aa"
)

// tree is files by path; each begins with "version: 1" and an owner.
func tree(files map[string]string) fs.FS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte("version: 1\nowner: " + strings.TrimSuffix(name, ".yaml") + "\n" + text)}
	}
	return out
}

// elsewhere is a fetcher for parts by name.
func elsewhere(parts map[string]fs.FS) catalog.Fetcher {
	return func(_ context.Context, i catalog.Include) (fs.FS, error) {
		if part, ok := parts[i.Name()]; ok {
			return part, nil
		}
		return nil, errors.New("not there")
	}
}

func TestIncludes(t *testing.T) {
	const debian, golang = "bases: [{repository: docker.io/library/debian, tags: ['12']}]\n", "bases: [{repository: docker.io/library/golang, tags: ['1.26']}]\n"
	const (
		git = "https://git.example/ops/base.git@0123456789ab"
		oci = "registry.example/ops/catalog@sha256:000000000000"
	)
	include := func(more string) string {
		return "include: [{git: 'https://git.example/ops/base.git', commit: " + commit + more + "}]\n"
	}
	exception := "exceptions: [{id: e, project: {repository: 'https://git.example/pay/app'}, scope: {image: {repository: docker.io/library/alpine, tags: ['3']}}, reason: r, owner: o, approver: a, until: 2027-01-01}]\n"
	ban := "bans: [{id: b, repository: docker.io/library/debian, tags: ['12'], reason: r, author: a, approver: p, denyFrom: 2026-01-01}]\n"
	for _, tt := range []struct {
		name     string
		root     map[string]string
		load     string // default c.yaml
		git, oci map[string]string
		want     string // the error; without one the repositories listed
	}{
		{name: "files and directories beside", root: map[string]string{
			"c.yaml": "include: [{path: more}, {path: x/golang.yaml}]\n", "more/a.yaml": debian, "x/golang.yaml": golang, "x/other.yaml": "bad: 1\n",
		}, want: "docker.io/library/debian docker.io/library/golang"},
		{
			name: "git and a registry", root: map[string]string{"c.yaml": include("") + "bases: [{repository: docker.io/library/alpine, tags: ['3']}]\n"},
			git:  map[string]string{"d.yaml": debian + "include: [{oci: 'registry.example/ops/catalog@" + pinned + "'}]\n"},
			oci:  map[string]string{"g.yaml": golang},
			want: "docker.io/library/alpine docker.io/library/debian docker.io/library/golang",
		},
		{
			name: "one directory of it", root: map[string]string{"c.yaml": include(", path: catalog")},
			git: map[string]string{"catalog/d.yaml": debian, "other/g.yaml": golang}, want: "docker.io/library/debian",
		},
		{
			name: "twice by two ways", root: map[string]string{"a.yaml": include(""), "b.yaml": include("")}, load: ".",
			git: map[string]string{"d.yaml": debian}, want: "docker.io/library/debian",
		},
		{
			name: "twice for other projects", root: map[string]string{"a.yaml": include(""), "b.yaml": include(", projects: ['https://git.example/x/y']")}, load: ".",
			git: map[string]string{"d.yaml": debian}, want: "b.yaml:3:11: " + git + " is included for other projects at a.yaml:3:11",
		},
		{
			name: "cycle of files", root: map[string]string{"c.yaml": "include: [{path: d.yaml}]\n", "d.yaml": "include: [{path: c.yaml}]\n"},
			want: "d.yaml:3:11: c.yaml includes itself: c.yaml -> d.yaml -> c.yaml",
		},
		{
			name: "cycle of parts", root: map[string]string{"c.yaml": include("")},
			git:  map[string]string{"d.yaml": "include: [{oci: 'registry.example/ops/catalog@" + pinned + "'}]\n"},
			oci:  map[string]string{"g.yaml": include("")},
			want: oci + ":g.yaml:3:11: " + git + " includes itself: " + git + " -> " + oci + " -> " + git,
		},
		{
			name: "out of the directory", root: map[string]string{"a/c.yaml": "include: [{path: ../../secret.yaml}]\n"}, load: "a/c.yaml",
			want: "a/c.yaml:3:11: include ../../secret.yaml: it leads out of the catalog's directory",
		},
		{name: "no such file", root: map[string]string{"c.yaml": "include: [{path: d.yaml}]\n"}, want: "c.yaml:3:11: include d.yaml: open d.yaml: file does not exist"},
		{
			name: "not there", root: map[string]string{"c.yaml": "include: [{oci: 'registry.example/ops/gone@" + pinned + "'}]\n"},
			want: "c.yaml:3:11: include registry.example/ops/gone@sha256:000000000000: not there",
		},
		{
			name: "no catalog in it", root: map[string]string{"c.yaml": include("")}, git: map[string]string{"README.md": ""},
			want: "c.yaml:3:11: include " + git + ": .: no .yaml or .yml file in it",
		},
		{
			name: "broken part", root: map[string]string{"c.yaml": include("")}, git: map[string]string{"d.yaml": "zebra: []\n"},
			want: git + `:d.yaml:3:1: unknown key "zebra" in the catalog; it knows args, bans, bases, contexts, exceptions, git, http, include, inline, name, owner, owners, revision, substitutions, templates, version`,
		},
		{
			name: "the same entry in two files", root: map[string]string{"a.yaml": debian, "b.yaml": debian}, load: ".",
			want: "b.yaml:3:9: docker.io/library/debian tags 12 is listed twice, first at a.yaml:3:9",
		},
		{
			name: "a repository of another part", root: map[string]string{"c.yaml": include("") + strings.Replace(debian, "12", "13", 1)}, git: map[string]string{"d.yaml": debian},
			want: git + ":d.yaml:3:9: docker.io/library/debian is listed by the including catalog too, at c.yaml:4:9; one part lists a repository",
		},
		{
			name: "a host of another part", root: map[string]string{"c.yaml": include("") + "http: [{host: x.example}]\n"}, git: map[string]string{"d.yaml": "http: [{host: x.example, path: /a, unpinned: true}]\n"},
			want: git + ":d.yaml:3:15: http sources of x.example are listed by the including catalog too, at c.yaml:4:8; one part lists a host",
		},
		{
			name: "moving what another part lists", root: map[string]string{"c.yaml": include("") + debian}, git: map[string]string{"d.yaml": "substitutions: [{from: {repository: docker.io/library/debian, tags: ['12']}, to: {tag: '13'}, reason: r}]\n"},
			want: git + ":d.yaml:3:17: docker.io/library/debian is moved here and listed by the including catalog, at c.yaml:4:9; only the part that lists a repository moves it",
		},
		{
			name: "going around another part's cool-down", root: map[string]string{"c.yaml": include("") + debian},
			git:  map[string]string{"d.yaml": golang + "substitutions: [{from: {repository: docker.io/library/golang, tags: ['1.26']}, to: {repository: docker.io/library/debian, tag: '12'}, security: true, reason: r}]\n"},
			want: git + ":d.yaml:4:17: security goes around the cool-down of docker.io/library/debian, which another part lists, at c.yaml:4:9",
		},
		{
			name: "an exception that was not granted", root: map[string]string{"c.yaml": include("") + debian}, git: map[string]string{"d.yaml": exception},
			want: git + ":d.yaml:3:14: exception e is for https://git.example/pay/app, and the include of " + git + " (c.yaml:3:11) names no such project: projects",
		},
		{
			name: "an exception for another project", root: map[string]string{"c.yaml": include(", projects: ['https://git.example/pay/app2']") + debian}, git: map[string]string{"d.yaml": exception},
			want: git + ":d.yaml:3:14: exception e is for https://git.example/pay/app, and the include of " + git + " (c.yaml:3:11) names no such project: projects",
		},
		{
			name: "a granted exception", root: map[string]string{"c.yaml": include(", projects: ['ssh://git@git.example/pay/*']") + debian}, git: map[string]string{"d.yaml": exception},
			want: "docker.io/library/debian",
		},
		{
			name: "granted by one that may not", root: map[string]string{"c.yaml": include("")},
			git:  map[string]string{"d.yaml": "include: [{oci: 'registry.example/ops/catalog@" + pinned + "', projects: ['https://git.example/pay/*']}]\n"},
			oci:  map[string]string{"e.yaml": exception},
			want: oci + ":e.yaml:3:14: exception e is for https://git.example/pay/app, and the include of " + oci + " (" + git + ":d.yaml:3:11) names no such project: projects",
		},
		{
			name: "lifting another part's ban", root: map[string]string{"c.yaml": include("") + strings.Replace(exception, "image: {repository: docker.io/library/alpine, tags: ['3']}", "ban: b", 1)}, git: map[string]string{"d.yaml": ban},
			want: "c.yaml:4:14: exception from ban \"b\" of " + git + ", at " + git + ":d.yaml:3:8; only the part that bans can make an exception from it",
		},
		{
			name: "a branch", root: map[string]string{"c.yaml": "include: [{git: 'https://git.example/x', commit: main}]\n"},
			want: "c.yaml:3:50: commit \"main\" is not the full id of one (40 or 64 hex digits in lower case): branches and tags move",
		},
		{
			name: "a tag", root: map[string]string{"c.yaml": "include: [{oci: 'registry.example/x:1'}]\n"},
			want: "c.yaml:3:17: oci \"registry.example/x:1\" is not pinned; write registry/repository@sha256:..., tags move",
		},
		{
			name: "a tag and a digest", root: map[string]string{"c.yaml": "include: [{oci: 'registry.example/x:1@" + pinned + "'}]\n"},
			want: "c.yaml:3:17: oci \"registry.example/x:1@" + pinned + "\" is not pinned; write registry/repository@sha256:..., tags move",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			loader := catalog.Loader{Fetch: elsewhere(map[string]fs.FS{git: tree(tt.git), oci: tree(tt.oci)})}
			if tt.load == "" {
				tt.load = "c.yaml"
			}
			cat, err := loader.LoadContext(t.Context(), tree(tt.root), tt.load)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				var repositories []string
				for _, b := range cat.Document().Bases {
					repositories = append(repositories, b.Repository)
				}
				got = strings.Join(repositories, " ")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestIncludesNeedAFetcher(t *testing.T) {
	src := "version: 1\nowner: o\ninclude: [{git: 'https://git.example/x', commit: " + commit + "}]\n"
	_, err := catalog.Load("c.yaml", []byte(src))
	include, ok := errors.AsType[*catalog.IncludeError](err)
	if !ok || include.Include.Commit != commit || err.Error() != "c.yaml:3:11: include https://git.example/x@0123456789ab: it needs a Loader with Fetch" {
		t.Errorf("got %v", err)
	}
	_, err = catalog.Load("c.yaml", []byte("version: 1\nowner: o\ninclude: [{path: more.yaml}]\n"))
	if err == nil || err.Error() != "c.yaml:3:11: include more.yaml: the catalog was given as a single file" {
		t.Errorf("got %v", err)
	}
}

// Endless are parts that include another one each, and one part with files without end.
func TestIncludesHaveLimits(t *testing.T) {
	n := 0
	next := func(projects string) fs.FS {
		n++
		return tree(map[string]string{"c.yaml": fmt.Sprintf("include: [{git: 'https://git.example/%d', commit: %s%s}]\n", n, commit, projects)})
	}
	loader := catalog.Loader{Fetch: func(context.Context, catalog.Include) (fs.FS, error) { return next(""), nil }}
	_, err := loader.LoadContext(t.Context(), next(""), ".")
	if err == nil || !strings.HasSuffix(err.Error(), "there are more than 8 includes within each other") {
		t.Errorf("got %v", err)
	}

	var wide strings.Builder
	for i := range 60 {
		fmt.Fprintf(&wide, "  - {git: 'https://git.example/%d', commit: %s}\n", i, commit)
	}
	loader.Fetch = func(context.Context, catalog.Include) (fs.FS, error) {
		return tree(map[string]string{"c.yaml": ""}), nil
	}
	_, err = loader.LoadContext(t.Context(), tree(map[string]string{"c.yaml": "include:\n" + wide.String()}), ".")
	if err == nil || !strings.HasSuffix(err.Error(), "the catalog has more than 50 parts") {
		t.Errorf("got %v", err)
	}

	many := fstest.MapFS{}
	for i := range 1001 {
		many[fmt.Sprintf("%d.yaml", i)] = &fstest.MapFile{Data: []byte("version: 1\n")}
	}
	if _, err = loader.LoadContext(t.Context(), many, "."); err == nil || !strings.HasSuffix(err.Error(), "more than 1000 files; is this a directory of catalog files?") {
		t.Errorf("got %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	loader.Fetch = func(ctx context.Context, _ catalog.Include) (fs.FS, error) { cancel(); return nil, ctx.Err() }
	if _, err = loader.LoadContext(ctx, next(""), "."); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// What parts say holds together.
func TestPartsHoldTogether(t *testing.T) {
	root := tree(map[string]string{"c.yaml": `include: [{git: 'https://git.example/ops/base.git', commit: ` + commit + `}]
name: shop
contexts: {allow: [assets, cache]}
args: {from: [BASE, VERSION]}
bases:
  - {repository: docker.io/library/debian, tags: ["*"]}
`})
	part := tree(map[string]string{"d.yaml": `name: group
revision: r7
contexts: {allow: [assets, other]}
args: {from: [BASE]}
bases:
  - {repository: docker.io/library/debian, tags: ["11"], state: banned}
bans:
  - {id: b, repository: docker.io/library/debian, tags: ["12"], reason: r, author: a, approver: p, denyFrom: 2026-01-01}
`})
	loader := catalog.Loader{Fetch: elsewhere(map[string]fs.FS{"https://git.example/ops/base.git@0123456789ab": part})}
	cat, err := loader.LoadContext(t.Context(), root, ".")
	if err != nil {
		t.Fatal(err)
	}
	context := func(name string) catalog.Input {
		return catalog.Input{Kind: catalog.KindContext, Role: catalog.RoleContext, Platform: "linux/amd64", Written: name, Ref: "local:" + name, Reachable: true}
	}
	catalogtest.Run(
		t, cat,
		catalogtest.Case{Name: "a ban of the part", Dockerfile: "FROM debian:12", Want: []string{"deny debian:12 (DF1003)"}},
		catalogtest.Case{Name: "a banned entry of the part", Dockerfile: "FROM debian:11", Want: []string{"deny debian:11 (DF1003)"}},
		catalogtest.Case{Name: "an entry of the root", Dockerfile: "FROM debian:13", Want: []string{"allow debian:13"}},
		catalogtest.Case{Name: "contexts of both", Inputs: []catalog.Input{context("assets"), context("cache"), context("other")}, Want: []string{
			"allow assets", "deny cache (DF1024)", "deny other (DF1024)",
		}},
		catalogtest.Case{Name: "arguments of both", Dockerfile: "ARG VERSION=13\nFROM debian:${VERSION}", Want: []string{"allow debian:${VERSION}"}, Findings: []string{"DF1025"}},
	)
	want := []catalog.Part{{Title: "shop", Files: []string{"c.yaml"}}, {Name: "https://git.example/ops/base.git@0123456789ab", Title: "group", Revision: "r7", Files: []string{"d.yaml"}}}
	got := cat.Parts()
	for i := range got {
		got[i].Place, got[i].Include = want[i].Place, want[i].Include
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if cat.Document().Name != "shop" || cat.Document().Revision != "" {
		t.Errorf("the catalog is %q, revision %q", cat.Document().Name, cat.Document().Revision)
	}
}
