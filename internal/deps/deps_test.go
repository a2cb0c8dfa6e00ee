// Package deps_test holds what a compiler does not: which package may import what, and what every package has to have.
package deps_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/plimsoll-dev/plimsoll/"

// forbidden is an import that a package must not drag in, directly or by way of others.
type forbidden struct {
	path   string // a package, with all that lies below it
	reason string
	absent bool // nothing of this module needs it yet; the test says when that changes
}

// engines are what nobody pays for who only reads, judges, converts or describes.
var engines = []forbidden{
	{path: "github.com/moby/buildkit/control", reason: "executes builds: only sdk/build/buildkit/embedded"},
	{path: "github.com/moby/buildkit/worker", reason: "executes builds: only sdk/build/buildkit/embedded"},
	{path: "github.com/containerd/containerd/v2/core/snapshots", reason: "mounts images: only sdk/build/buildkit"},
	{path: "github.com/moby/moby/client", reason: "speaks to Docker: only sdk/build/buildkit, sandbox/docker, admission/docker and who uses it, and fleet/docker"},
	{path: "github.com/testcontainers/testcontainers-go", reason: "starts containers: only sdk/sandbox/docker"},
	{path: "cel.dev/cel-go", reason: "evaluates conditions: only sdk/catalog/cel and sdk/fleet/where"},
	{path: "github.com/nicholas-fedor/shoutrrr", reason: "speaks to chats: only sdk/notify/shoutrrr"},
	{path: "github.com/cloudevents/sdk-go/v2", reason: "writes CloudEvents: only sdk/notify/cloudevents"},
	{path: "github.com/google/go-github/v75", reason: "speaks to GitHub: only sdk/forge/github"},
	{path: "gitlab.com/gitlab-org/api/client-go", reason: "speaks to GitLab: only sdk/forge/gitlab"},
	{path: "github.com/open-policy-agent/opa", reason: "evaluates Rego: only sdk/lint/rego"},
	{path: "github.com/docker/buildx", reason: "compiles bake files: only sdk/definition/bake"},
	{path: "github.com/compose-spec/compose-go", reason: "compiles Compose files: only sdk/definition/compose"},
	{path: "dagger.io/dagger", reason: "needs OpenTelemetry of its own time: only modules", absent: true},
	{path: "github.com/sigstore/sigstore-go", reason: "certificates and logs: only sdk/attest/keyless, and what reads bake files"},
	{path: "modernc.org/sqlite", reason: "a database: only sdk/lineage/sqlite, rpm's database in blackbox/packages/rpm and who chooses them"},
	{path: "github.com/jackc/pgx/v5", reason: "a database: only sdk/lineage/postgres and who chooses it"},
	{path: "k8s.io", reason: "speaks to Kubernetes: only sdk/fleet/kubernetes, and what buildx brings to sdk/definition/bake"},
}

// conversion is what BuildKit needs to say which sources a build will read. Linting and judging do without.
var conversion = []forbidden{
	{path: "github.com/moby/buildkit/solver", reason: "only sdk/definition/inputs, build/buildkit and who imports them"},
	{path: "github.com/moby/buildkit/client", reason: "only sdk/definition/inputs, build/buildkit and who imports them"},
	{path: "github.com/containerd/containerd/v2", reason: "only sdk/definition/inputs, build/buildkit and who imports them"},
}

// repositories is what reading git repositories needs; judging what was read does without.
var repositories = []forbidden{
	{path: "github.com/go-git/go-git/v5", reason: "reads repositories: only sdk/definition/source and who imports it"},
	{path: "github.com/ProtonMail/go-crypto", reason: "checks signatures of commits: only sdk/definition/source"},
}

// light lists the packages that import neither; converting those that import no engine. Interfaces are among them:
// whoever implements one elsewhere, or takes one as a parameter, must not compile the implementations beside it.
var (
	light = []string{
		"sdk/finding", "sdk/report", "sdk/audit", "sdk/catalog", "sdk/definition", "sdk/definition/source", "sdk/lint", "sdk/lint/rules", "sdk/registry",
		"sdk/build", "sdk/sandbox", "sdk/blackbox", "sdk/attest", "sdk/attest/artifact", "sdk/attest/catalogs", "sdk/attest/kms", "sdk/attest/cosign",
		"sdk/rebuild", "sdk/rebuild/storm", "sdk/rebuild/storm/trigger",
		"sdk/lineage", "sdk/admission", "sdk/admission/bundle", "sdk/admission/agent", "sdk/admission/distribution",
		"sdk/admission/compile", "sdk/admission/evidence", "sdk/admission/keys", "sdk/admission/remote", "sdk/admission/sweep", "sdk/admission/verifier", "sdk/admission/webhook",
		"sdk/fleet", "sdk/fleet/approval", "sdk/notify", "sdk/forge",
		"sdk/buildservice/api", "sdk/buildservice/client", "sdk/buildservice/callers",
	}
	converting = []string{"sdk/definition/inputs", "sdk/build/dagger", "sdk/move", "sdk/pipeline"}
	judging    = []string{"sdk/catalog", "sdk/definition", "sdk/definition/inputs", "sdk/lint", "sdk/lint/rules"}
)

// standalone packages import the standard library and each other, nothing else.
var standalone = []string{"sdk/finding", "sdk/report", "sdk/audit", "sdk/attest/provenance"}

func TestLightPackagesStayLight(t *testing.T) {
	g := load(t)
	check := func(packages []string, list []forbidden) {
		t.Helper()
		for _, pkg := range packages {
			for _, f := range list {
				if path := g.path(module+pkg, func(p string) bool { return within(p, f.path) }); path != nil {
					t.Errorf("%s must not import %s (%s), but does by way of\n\t%s", pkg, f.path, f.reason, strings.Join(path, "\n\t"))
				}
			}
		}
	}
	check(light, slices.Concat(engines, conversion))
	check(converting, engines)
	check(judging, repositories)
	for _, pkg := range standalone {
		thirdParty := func(p string) bool { return g[p] != nil && !g[p].Standard && !strings.HasPrefix(p, module) }
		if path := g.path(module+pkg, thirdParty); path != nil {
			t.Errorf("%s may import the standard library only, but imports\n\t%s", pkg, strings.Join(path, "\n\t"))
		}
	}
}

// A name that nothing imports any more forbids nothing: it was moved, and its new name is let through.
func TestForbiddenNamesExist(t *testing.T) {
	g := load(t)
	for _, f := range slices.Concat(engines, conversion, repositories) {
		exists := false
		for p := range g {
			exists = exists || within(p, f.path)
		}
		switch {
		case !exists && !f.absent:
			t.Errorf("no package imports %s: was it renamed? (%s)", f.path, f.reason)
		case exists && f.absent:
			t.Errorf("%s is imported now: take the mark that it is absent off the list", f.path)
		}
	}
	for _, pkg := range slices.Concat(light, converting, judging, standalone) {
		if g[module+pkg] == nil {
			t.Errorf("%s is listed here and does not exist", pkg)
		}
	}
}

// layers lists the packages of the SDK from the bottom up, as the README's table does: each imports only what stands
// before it. A package that is not named belongs to the one above it in the tree.
var layers = []string{
	"sdk/finding", "sdk/report", "sdk/audit", "sdk/catalog", "sdk/definition", "sdk/lint", "sdk/registry", "sdk/build", "sdk/sandbox",
	"sdk/build/buildkit", "sdk/build/dagger", "sdk/blackbox", "sdk/attest", "sdk/lineage", "sdk/admission", "sdk/rebuild",
	"sdk/fleet", "sdk/fleet/approval", "sdk/notify", "sdk/forge", "sdk/move", "sdk/rebuild/storm", "sdk/campaign", "sdk/pipeline", "sdk/buildservice", "sdk/rebuild/storm/rebuilder",
}

func TestImportsPointDown(t *testing.T) {
	g := load(t)
	for path, p := range g {
		if !strings.HasPrefix(path, module+"sdk/") {
			continue
		}
		from := layer(path)
		if from < 0 {
			t.Errorf("%s has no place in the list of layers", path)
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module+"sdk/") && layer(imp) > from {
				t.Errorf("%s imports %s, which stands above it", path, imp)
			}
		}
	}
}

// layer returns a package's place in layers, or -1.
func layer(path string) int {
	return slices.Index(layers, owner(strings.TrimPrefix(path, module), slices.Values(layers)))
}

// owner returns the longest of the names that is the package or lies above it in the tree, or "".
func owner(pkg string, names iter.Seq[string]) string {
	best := ""
	for name := range names {
		if within(pkg, name) && len(name) > len(best) {
			best = name
		}
	}
	return best
}

func within(pkg, tree string) bool { return pkg == tree || strings.HasPrefix(pkg, tree+"/") }

// graph is what the packages of this module import, by path.
type graph map[string]*listed

type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

// load asks the go command once; it takes a quarter of a second.
func load(t *testing.T) graph {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Imports", "./...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	g := graph{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return g
		} else if err != nil {
			t.Fatal(err)
		}
		g[p.ImportPath] = &p
	}
}

// path returns the shortest way of imports from a package to one that is wanted, or nil.
func (g graph) path(from string, wanted func(string) bool) []string {
	before := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		p := queue[0]
		if p != from && wanted(p) {
			var way []string
			for ; p != ""; p = before[p] {
				way = append(way, p)
			}
			slices.Reverse(way)
			return way
		}
		if g[p] == nil {
			continue
		}
		for _, imp := range g[p].Imports {
			if _, seen := before[imp]; !seen && imp != "C" {
				before[imp] = p
				queue = append(queue, imp)
			}
		}
	}
	return nil
}
