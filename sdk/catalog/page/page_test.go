package page_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/page"
)

var update = flag.Bool("update", false, "write what the tests got into testdata")

const source = `version: 1
name: shop
revision: "2026-07"
owner: bases
owners: {bases: "#bases on chat"}
bases:
  - {repository: docker.io/library/debian, versions: ">=12.9 <13", suffix: slim, state: preferred, platforms: [linux/amd64, linux/arm64]}
  - {repository: docker.io/library/debian, versions: "11.x", state: deprecated, since: 2026-06-01, until: 2026-12-31, endOfLife: 2026-08-31, note: move to 12}
  - {repository: docker.io/library/alpine, versions: "3.20.x", state: deprecated, since: 2026-09-01, until: 2027-06-30}
  - {repository: docker.io/library/alpine, versions: "3.18.x", state: deprecated, until: 2026-01-31}
  - {repository: docker.io/library/golang, versions: "1.26.x", kinds: [build-only], age: {min: 3d, max: 26w}}
  - {repository: docker.io/library/node, tags: ["*"], state: banned, note: "<script>alert(1)</script>"}
http:
  - {host: downloads.example, path: /dist, unpinned: true}
git:
  - {host: git.example, path: /lib}
substitutions:
  - {from: {repository: docker.io/library/debian, versions: "<12.9", suffix: slim}, to: {newest: ">=12.9 <13"}, reason: CVE-1}
exceptions:
  - {id: EX-over, project: {repository: https://git.example/a/b}, scope: {rule: DF2003}, reason: r, owner: o, approver: p, until: 2026-06-30}
  - {id: EX-soon, project: {repository: https://git.example/a/b, path: services/x}, scope: {ban: BAN-1}, reason: r, owner: o, approver: p, ticket: T-1, until: 2026-07-05}
  - {id: EX-later, project: {repository: "https://git.example/a/*"}, scope: {image: {repository: docker.io/library/ruby, tags: ["3"]}}, reason: r, owner: o, approver: p, from: 2026-09-01, until: 2026-12-31}
  - {id: EX-now, project: {repository: https://git.example/a/b}, scope: {image: {repository: docker.io/library/ruby, tags: ["3"]}}, reason: r, owner: o, approver: p, until: 2026-12-31}
bans:
  - {id: BAN-1, repository: docker.io/library/debian, versions: "<12.5", reason: CVE-2, advisory: CVE-2026-2, severity: high, denyFrom: 2026-06-01, replacement: {newest: ">=12.9 <13"}, author: joe, approver: jane}
  - {id: BAN-2, package: {type: deb, name: libssl3, below: 3.0.14-1}, reason: CVE-3, warnFrom: 2026-06-15, denyFrom: 2026-07-15, author: joe, approver: jane}
  - {id: BAN-3, repository: docker.io/library/redis, reason: license, warnFrom: 2026-08-01, denyFrom: 2026-09-01, author: joe, approver: jane}
  - {id: BAN-4, repository: docker.io/library/nginx, reason: a mistake, denyFrom: 2026-05-01, author: joe, approver: jane, lifted: {at: 2026-05-02, by: jane, reason: it was one}}
`

func view(t *testing.T) page.View {
	t.Helper()
	loader := catalog.Loader{Origin: catalog.Origin{Reference: "registry.example/ops/catalog:current", Version: 7, SignedBy: "ops"}}
	cat, err := loader.Load("catalog.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return page.New(cat, time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))
}

func TestFormats(t *testing.T) {
	v := view(t)
	for name, write := range map[string]func(*bytes.Buffer) error{
		"text": func(b *bytes.Buffer) error { return page.Text(b, v, nil) },
		"html": func(b *bytes.Buffer) error { return page.HTML(b, v) },
		"json": func(b *bytes.Buffer) error {
			e := json.NewEncoder(b)
			e.SetIndent("", "  ")
			return e.Encode(v)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "catalog."+name)
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestPagesRunNothing(t *testing.T) {
	var got bytes.Buffer
	if err := page.HTML(&got, view(t)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got.String(), "<script") || !strings.Contains(got.String(), "&lt;script&gt;") {
		t.Error("a note of the catalog is code on the page")
	}
	failing := errors.New("full")
	for name, err := range map[string]error{"html": page.HTML(full{failing}, view(t)), "text": page.Text(full{failing}, view(t), nil)} {
		if !errors.Is(err, failing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }
