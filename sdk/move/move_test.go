package move_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/forge"
	"github.com/plimsoll-dev/plimsoll/sdk/move"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

const catalogText = `version: 1
owner: base-images
owners: {base-images: "base-images@example.com"}
bases:
  - repository: HOST/base/demo
    versions: ">=1.4.9 <2"
  - repository: HOST/base/demo
    versions: ">=1.4.9 <2"
    suffix: alpine
  - repository: HOST/tools
    versions: ">=2"
substitutions:
  - from: {repository: HOST/base/demo, versions: "<1.4.9"}
    to: {version: 1.4.9}
    reason: 1.4.8 forgets to close its files
  - from: {repository: HOST/base/demo, versions: "<1.4.9", suffix: alpine}
    to: {newest: ">=1.4.9 <2"}
    reason: the same
  - from: {repository: HOST/old/tools, tags: ["*"]}
    to: {repository: HOST/tools, tag: "2"}
    reason: tools moved
`

// yard is a registry with bases, a catalog, and repositories.
type yard struct {
	t       testing.TB
	dir     string
	host    string
	server  *registrytest.Server
	client  *registry.Client
	catalog *catalog.Catalog
}

func newYard(t testing.TB) *yard {
	t.Helper()
	y := &yard{t: t, dir: t.TempDir()}
	var err error
	if y.server, err = registrytest.Start(registrytest.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = y.server.Close() })
	y.host = y.server.Host
	y.client = registry.New(registry.Options{Retries: -1})
	t.Cleanup(y.client.Close)
	if y.catalog, err = catalog.Load("catalog.yaml", []byte(y.at(catalogText))); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{
		"base/demo:1.4.8", "base/demo:1.4.9", "base/demo:1.4.8-alpine", "base/demo:1.4.9-alpine", "base/demo:1.5.0-alpine", "base/demo:1.6.0-rc1-alpine", "tools:2", "old/tools:1",
	} {
		y.push(ref)
	}
	return y
}

func (y *yard) push(ref string) {
	y.t.Helper()
	image, err := registrytest.Image(map[string]string{"name": ref}, registrytest.ImageOptions{})
	if err != nil {
		y.t.Fatal(err)
	}
	index, err := registrytest.Index(image)
	if err != nil {
		y.t.Fatal(err)
	}
	if _, err := y.server.Push(y.t.Context(), ref, index); err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) at(text string) string { return strings.ReplaceAll(text, "HOST", y.server.Host) }

// repo commits files to a repository and returns its folder. Names may be "dir/Dockerfile".
func (y *yard) repo(name string, files map[string]string) string {
	y.t.Helper()
	dir := filepath.Join(y.dir, name)
	for file, text := range files {
		path := filepath.Join(dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(y.at(text)), 0o644)); err != nil {
			y.t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil {
		y.git(dir, "init", "-q", "-b", "main")
	}
	y.git(dir, "add", "-A")
	y.git(dir, "commit", "-q", "-m", "The app")
	return dir
}

func (y *yard) git(dir string, args ...string) string {
	y.t.Helper()
	cmd := exec.CommandContext(y.t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "core.autocrlf=false"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		y.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (y *yard) survey() *move.Survey {
	return &move.Survey{Catalog: y.catalog, Registry: y.client, Platforms: []string{"linux/amd64"}}
}

func (y *yard) move(dir string) *move.Move {
	y.t.Helper()
	r := y.survey().One(y.t.Context(), move.Target{Repository: dir})
	if r.Err != nil || r.Move == nil || len(r.Refused) > 0 {
		y.t.Fatalf("%+v", r)
	}
	return r.Move
}

// What git apply makes of the patch is what the definition should be, byte for byte, whatever its form.
func TestThePatchIsTakenByGit(t *testing.T) {
	y := newYard(t)
	for _, tt := range []struct{ name, before, after string }{
		{"plain", "FROM HOST/base/demo:1.4.8\nUSER 1\n", "FROM HOST/base/demo:1.4.9\nUSER 1\n"},
		{"no line break at the end", "FROM HOST/base/demo:1.4.8", "FROM HOST/base/demo:1.4.9"},
		{"windows", "FROM HOST/base/demo:1.4.8 AS x\r\nUSER 1\r\n", "FROM HOST/base/demo:1.4.9 AS x\r\nUSER 1\r\n"},
		{"byte order mark", "\ufeffFROM HOST/base/demo:1.4.8\n", "\ufeffFROM HOST/base/demo:1.4.9\n"},
		{"odd case and spaces", "from   HOST/base/demo:1.4.8\tas  x  \n", "from   HOST/base/demo:1.4.9\tas  x  \n"},
		{"comments and heredocs", "# FROM HOST/base/demo:1.4.8\nFROM HOST/base/demo:1.4.8\n# HOST/base/demo:1.4.8\nRUN <<EOF\nFROM HOST/base/demo:1.4.8\nEOF\n", "# FROM HOST/base/demo:1.4.8\nFROM HOST/base/demo:1.4.9\n# HOST/base/demo:1.4.8\nRUN <<EOF\nFROM HOST/base/demo:1.4.8\nEOF\n"},
		{"the newest of a family", "FROM HOST/base/demo:1.4.8-alpine\n", "FROM HOST/base/demo:1.5.0-alpine\n"},
		{
			"arguments that others use too", "ARG BASE=HOST/base/demo\nARG V=1.4.8\nARG A=\nFROM ${BASE}:${V}-alpine${A}\nARG V\nRUN echo $V\n",
			"ARG BASE=HOST/base/demo\nARG V=1.4.8\nARG A=\nFROM HOST/base/demo:1.5.0-alpine\nARG V\nRUN echo $V\n",
		},
		{
			"every use", "FROM HOST/base/demo:1.4.8 AS demo\nFROM scratch AS s\nFROM demo AS other\nCOPY --from=HOST/old/tools:1 /name /a\nCOPY --from=demo /name /b\nRUN --mount=type=bind,from=HOST/base/demo:1.4.8,target=/m true\n",
			"FROM HOST/base/demo:1.4.9 AS demo\nFROM scratch AS s\nFROM demo AS other\nCOPY --from=HOST/tools:2 /name /a\nCOPY --from=demo /name /b\nRUN --mount=type=bind,from=HOST/base/demo:1.4.9,target=/m true\n",
		},
		{"a name over two lines", "FROM \\\n  HOST/base/demo:1.4.8 \\\n  AS x\n", "FROM \\\n  HOST/base/demo:1.4.9 \\\n  AS x\n"},
		{"an escape of backticks", "# escape=`\nFROM `\n  HOST/base/demo:1.4.8\n", "# escape=`\nFROM `\n  HOST/base/demo:1.4.9\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			y.t = t
			dir := y.repo(strings.ReplaceAll(tt.name, " ", "-"), map[string]string{"Dockerfile": tt.before})
			m := y.move(dir)
			patch := filepath.Join(t.TempDir(), "move.patch")
			if err := os.WriteFile(patch, []byte(m.Diff), 0o600); err != nil {
				t.Fatal(err)
			}
			y.git(dir, "apply", "--whitespace=nowarn", patch)
			got, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(y.at(tt.after), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if string(m.Text()) != string(got) {
				t.Error("the branch would have another text than the patch")
			}
			y.repo(filepath.Base(dir), nil) // commit it: nothing is left to move
			if r := y.survey().One(t.Context(), move.Target{Repository: dir}); r.Err != nil || r.Move != nil {
				t.Errorf("after the move: %+v %v", r.Move, r.Err)
			}
		})
	}
}

// An image that is named by digest stays named by digest.
func TestPinsStayPins(t *testing.T) {
	y := newYard(t)
	old, err := y.client.Resolve(t.Context(), y.host+"/base/demo:1.4.8")
	if err != nil {
		t.Fatal(err)
	}
	want, err := y.client.Resolve(t.Context(), y.host+"/base/demo:1.4.9")
	if err != nil {
		t.Fatal(err)
	}
	m := y.move(y.repo("pinned", map[string]string{"Dockerfile": "FROM HOST/base/demo:1.4.8@" + old + "\n"}))
	if got := string(m.Text()); got != y.at("FROM HOST/base/demo:1.4.9@"+want+"\n") {
		t.Error(got)
	}
}

func TestEvent(t *testing.T) {
	y := newYard(t)
	dir := y.repo("app", map[string]string{"Dockerfile": "FROM HOST/base/demo:1.4.8\nCOPY --from=HOST/old/tools:1 /name /a\n"})
	m := y.move(dir)
	e, err := m.Event(move.Told{Owners: y.catalog.Document().Owners, At: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Check(); err != nil {
		t.Error(err)
	}
	if want := y.at(" is built on HOST/base/demo:1.4.9 instead of HOST/base/demo:1.4.8, and 1 more"); !strings.HasSuffix(e.Title, want) {
		t.Errorf("title %q", e.Title)
	}
	wantFacts := []notify.Fact{
		{Name: "repository", Value: dir},
		{Name: "commit", Value: strings.TrimSpace(y.git(dir, "rev-parse", "HEAD"))},
		{Name: "Dockerfile:1:6", Value: y.at("HOST/base/demo:1.4.8 -> HOST/base/demo:1.4.9 (1.4.8 forgets to close its files)")},
		{Name: "Dockerfile:2:13", Value: y.at("HOST/old/tools:1 -> HOST/tools:2 (tools moved)")},
	}
	if diff := cmp.Diff(wantFacts, e.Facts); diff != "" {
		t.Error(diff)
	}
	if e.Ask != "base-images (base-images@example.com)" || e.Patch != m.Diff || e.Kind != notify.BaseMoved || e.Project.Repository != dir {
		t.Errorf("%+v", e)
	}
	var back move.Move
	if err := json.Unmarshal(e.Data, &back); err != nil || back.Diff != m.Diff || back.Bases[0].EffectiveDigest == "" || back.Bases[1].Role != catalog.RoleCopy {
		t.Errorf("%+v %v", back, err)
	}

	// The same moves at another commit are the same news; other moves are not.
	y.repo("app", map[string]string{"main.go": "package main\n"})
	if again := y.move(dir); again.Key() != m.Key() || again.Source.Commit == m.Source.Commit {
		t.Error("the same move is told twice")
	}
	y.repo("app", map[string]string{"Dockerfile": "FROM HOST/base/demo:1.4.8\n"})
	if other := y.move(dir); other.Key() == m.Key() {
		t.Error("another move is not told")
	}
}

// Where the platforms' images have different names, one text can't say the move, and the move says so.
func TestAMoveWithoutPatch(t *testing.T) {
	y := newYard(t)
	cat, err := catalog.Load("catalog.yaml", []byte(y.at(`version: 1
owner: ops
bases: [{repository: HOST/base-amd64, tags: ["2"]}, {repository: HOST/base-arm64, tags: ["2"]}]
substitutions:
  - {from: {repository: HOST/base-amd64, tags: ["1"]}, to: {tag: "2"}, reason: old}
  - {from: {repository: HOST/base-arm64, tags: ["1"]}, to: {tag: "2"}, reason: old}
`)))
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		for _, tag := range []string{"1", "2"} {
			image, err := registrytest.Image(map[string]string{"tag": tag}, registrytest.ImageOptions{Platform: "linux/" + arch})
			if err != nil {
				t.Fatal(err)
			}
			index, err := registrytest.Index(image)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := y.server.Push(t.Context(), "base-"+arch+":"+tag, index); err != nil {
				t.Fatal(err)
			}
		}
	}
	dir := y.repo("app", map[string]string{"Dockerfile": "ARG TARGETARCH\nFROM HOST/base-$TARGETARCH:1\n"})
	s := &move.Survey{Catalog: cat, Registry: y.client, Platforms: []string{"linux/amd64", "linux/arm64"}}
	r := s.One(t.Context(), move.Target{Repository: dir})
	if r.Err != nil || r.Move == nil || len(r.Move.Bases) != 2 || r.Move.Diff != "" || !strings.Contains(r.Move.NoDiff, "platforms differ") {
		t.Fatalf("%+v", r)
	}
	f := &move.FollowUp{Author: source.Author{Name: "Plimsoll", Email: "plimsoll@example.com"}}
	if _, err := f.Push(t.Context(), r.Move, dir, time.Unix(0, 0)); !errors.Is(err, move.ErrNoDiff) {
		t.Error(err)
	}
	if e, err := r.Move.Event(move.Told{}); err != nil || !strings.Contains(e.Text, "There is no patch: ") {
		t.Errorf("%+v %v", e, err)
	}
}

// requests is a forge that remembers what was opened.
type requests struct{ all []forge.Request }

func (r *requests) Requests(context.Context, forge.Proposal) ([]forge.Request, error) {
	return slices.Clone(r.all), nil
}

func (r *requests) Create(_ context.Context, p forge.Proposal) (forge.Request, error) {
	made := forge.Request{Number: int64(len(r.all) + 1), URL: fmt.Sprint("https://git.example/", len(r.all)+1), State: forge.Open, Title: p.Title, Body: p.Body}
	r.all = append([]forge.Request{made}, r.all...)
	return made, nil
}

func (r *requests) Update(_ context.Context, _ int64, p forge.Proposal) (forge.Request, error) {
	r.all[0].Title, r.all[0].Body = p.Title, p.Body
	return r.all[0], nil
}

func TestFollowUp(t *testing.T) {
	y := newYard(t)
	dir := y.repo("app", map[string]string{"services/pay/Dockerfile": "FROM HOST/base/demo:1.4.8-alpine\n"})
	f := &move.FollowUp{
		Author: source.Author{Name: "Plimsoll", Email: "plimsoll@example.com"}, Forge: &requests{},
		Owners: map[string]string{"base-images": "base-images@example.com"},
	}
	follow := func(wantPush source.PushState, wantRequest forge.State) (source.Pushed, forge.Request) {
		t.Helper()
		r := y.survey().One(t.Context(), move.Target{Repository: dir, Directory: "services/pay"})
		if r.Err != nil || r.Move == nil {
			t.Fatal(r.Err)
		}
		pushed, err := f.Push(t.Context(), r.Move, dir, time.Unix(1, 0))
		if err != nil || pushed.State != wantPush {
			t.Fatalf("%+v %v", pushed, err)
		}
		request, err := f.Propose(t.Context(), r.Move, pushed)
		if err != nil || request.State != wantRequest {
			t.Fatalf("%+v %v", request, err)
		}
		return pushed, request
	}
	pushed, _ := follow(source.PushCreated, forge.Created)
	if !strings.HasPrefix(pushed.Branch, "plimsoll/bases/services-pay-Dockerfile-") {
		t.Error(pushed.Branch)
	}
	log := y.git(dir, "log", "-1", "--format=%s%n%b", pushed.Branch)
	for _, want := range []string{
		y.at("Use HOST/base/demo:1.5.0-alpine in services/pay/Dockerfile\n"), "- services/pay/Dockerfile:1:6: ", "the same\n", "Questions: base-images (base-images@example.com)",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in\n%s", want, log)
		}
	}
	follow(source.PushUnchanged, forge.Unchanged)

	// A newer image brings the same branch and the same request up to date.
	y.push("base/demo:1.5.1-alpine")
	again, request := follow(source.PushUpdated, forge.Updated)
	if again.Branch != pushed.Branch || request.Number != 1 || !strings.Contains(y.git(dir, "show", again.Branch+":services/pay/Dockerfile"), "1.5.1-alpine") {
		t.Errorf("%+v %+v", again, request)
	}

	// Merged, nothing is left.
	y.git(dir, "merge", "-q", again.Branch)
	if r := y.survey().One(t.Context(), move.Target{Repository: dir, Directory: "services/pay"}); r.Move != nil || r.Err != nil {
		t.Errorf("%+v", r)
	}
}

func TestBranches(t *testing.T) {
	f := &move.FollowUp{}
	seen := map[string]string{}
	for _, file := range []string{"Dockerfile", "a/b-c/Dockerfile", "a-b/c/Dockerfile", "ä/Dockerfile", "ö/Dockerfile", "..lock", strings.Repeat("x/", 200) + "Dockerfile"} {
		branch := f.Branch(&move.Move{File: file})
		if other, ok := seen[branch]; ok || len(branch) > 100 || strings.Contains(branch, "..") {
			t.Errorf("%s has the branch %s, as has %q", file, branch, other)
		}
		seen[branch] = file
	}
}
