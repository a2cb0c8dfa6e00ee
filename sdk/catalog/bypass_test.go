package catalog_test

import (
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

const guarded = `version: 1
owner: platform
bases:
  - {repository: docker.io/library/debian, versions: ">=12.4 <13"}
  - {repository: docker.io/library/golang, versions: ">=1.25", suffix: alpine, kinds: [build-only]}
  - {repository: registry.io/team/base, tags: ["1.4.*"]}
  - {repository: registry.io:5000/team/base, versions: ">=1.4.8 <2"}
  - {repository: registry.io/team/arm, tags: ["1"], platforms: [linux/arm/v7]}
  - {repository: registry.io/team/pinned, digests: ["sha256:00000000000000000000000000000000000000000000000000000000000000aa"]}
  - {repository: registry.io/team/stable, tags: [stable], digests: ["sha256:00000000000000000000000000000000000000000000000000000000000000bb"]}
http: [{host: dl.example, path: /releases}]
git: [{host: git.example, path: /tools}]
contexts: {allow: [assets]}
exceptions:
  - id: EX
    project: {repository: https://git.example/shop/cart, path: api}
    scope: {image: {repository: docker.io/library/nginx, tags: ["1.27"]}}
    reason: r
    owner: o
    approver: a
    until: 2026-12-31
bans:
  - {id: BAN, repository: docker.io/library/debian, tags: ["12.5"], reason: r, denyFrom: 2026-01-01, author: a, approver: b}
  - {id: BAN-D, digests: ["sha256:00000000000000000000000000000000000000000000000000000000000000cc"], reason: r, denyFrom: 2026-01-01, author: a, approver: b}
`

// TestBypass tries to get something past the catalog. Each input is what a definition, a caller or a broken resolver
// could present; every one has a digest, and the registry has whatever is asked for.
func TestBypass(t *testing.T) {
	cat := load(t, guarded)
	digest := func(end string) string { return "sha256:" + strings.Repeat("0", 64-len(end)) + end }
	some, other := digest("ff"), digest("dd")
	image := func(ref string) catalog.Input {
		return catalog.Input{Kind: catalog.KindImage, Role: catalog.RoleBase, Platform: "linux/amd64", Written: ref, Ref: ref, Digest: some, Runtime: true, Reachable: true}
	}
	resolved := func(ref, digest string) catalog.Input { in := image(ref); in.Digest = digest; return in }
	role := func(role catalog.Role, ref string) catalog.Input {
		in := image(ref)
		in.Role, in.Runtime = role, false
		return in
	}
	platform := func(ref, platform string) catalog.Input { in := image(ref); in.Platform = platform; return in }
	source := func(kind catalog.Kind, url, pin string) catalog.Input {
		return catalog.Input{Kind: kind, Role: catalog.RoleAdd, Platform: "linux/amd64", Written: url, Ref: url, Digest: pin, Reachable: true}
	}
	context := func(name, ref, digest string) catalog.Input {
		return catalog.Input{Kind: catalog.KindContext, Role: catalog.RoleContext, Platform: "linux/amd64", Written: name, Ref: ref, Digest: digest, Runtime: true, Reachable: true}
	}
	const commit = "0123456789012345678901234567890123456789"
	sum := digest("1")
	const debian = "docker.io/library/debian:12.9"

	for _, tt := range []struct {
		name string
		in   catalog.Input
		rule string
	}{
		// hosts
		{"registry with a longer name", image("registry.io.evil/team/base:1.4.8"), catalog.RuleNotListed},
		{"registry with a longer name in front", image("evil-registry.io/team/base:1.4.8"), catalog.RuleNotListed},
		{"registry as a path", image("evil.example/registry.io/team/base:1.4.8"), catalog.RuleNotListed},
		{"registry as a path on docker hub", image("docker.io/registry.io/team/base:1.4.8"), catalog.RuleNotListed},
		{"the api host of docker hub", image("registry-1.docker.io/library/debian:12.9"), catalog.RuleNotListed},
		{"docker hub with a port", image("docker.io:443/library/debian:12.9"), catalog.RuleNotListed},
		{"docker hub with a dot at the end", image("docker.io./library/debian:12.9"), catalog.RuleUnresolved},
		{"docker hub in upper case", image("Docker.IO/library/debian:12.9"), catalog.RuleUnresolved},
		{"docker hub with a letter that looks alike", image("docкer.io/library/debian:12.9"), catalog.RuleUnresolved},
		{"full width dot", image("docker．io/library/debian:12.9"), catalog.RuleUnresolved},
		{"port left out", image("registry.io/team/base:1.5.0"), catalog.RuleNotListed},
		{"port added", image("registry.io:80/team/base:1.4.8"), catalog.RuleNotListed},
		{"port with zeros", image("registry.io:05000/team/base:1.4.8"), catalog.RuleUnresolved},
		{"port out of range", image("registry.io:70536/team/base:1.4.8"), catalog.RuleUnresolved},
		{"port without a number", image("registry.io:/team/base:1.4.8"), catalog.RuleUnresolved},
		{"user before the host", image("registry.io@evil.example/team/base:1.4.8"), catalog.RuleUnresolved},
		{"host with a scheme", image("https://registry.io/team/base:1.4.8"), catalog.RuleUnresolved},
		{"docker-image scheme", image("docker-image://docker.io/library/debian:12.9"), catalog.RuleUnresolved},
		{"ip address", image("10.0.0.1/team/base:1.4.8"), catalog.RuleNotListed},
		{"short ip address", image("[::1]:5000/team/base:1.4.8"), catalog.RuleNotListed},
		{"host with underscore", image("registry_io/team/base:1.4.8"), catalog.RuleUnresolved},
		// paths
		{"namespace of a user", image("docker.io/debian/debian:12.9"), catalog.RuleNotListed},
		{"library twice", image("docker.io/library/library/debian:12.9"), catalog.RuleNotListed},
		{"library elsewhere", image("registry.io/library/debian:12.9"), catalog.RuleNotListed},
		{"longer repository", image("registry.io/team/base-evil:1.4.8"), catalog.RuleNotListed},
		{"below the repository", image("registry.io/team/base/evil:1.4.8"), catalog.RuleNotListed},
		{"above the repository", image("registry.io/team:1.4.8"), catalog.RuleNotListed},
		{"dots", image("registry.io/evil/../team/base:1.4.8"), catalog.RuleUnresolved},
		{"one dot", image("registry.io/team/./base:1.4.8"), catalog.RuleUnresolved},
		{"two slashes", image("registry.io//team/base:1.4.8"), catalog.RuleUnresolved},
		{"slash at the end", image("registry.io/team/base/:1.4.8"), catalog.RuleUnresolved},
		{"path in upper case", image("registry.io/team/Base:1.4.8"), catalog.RuleUnresolved},
		{"encoded slash", image("registry.io/team%2fbase:1.4.8"), catalog.RuleUnresolved},
		{"space", image("registry.io/team/base :1.4.8"), catalog.RuleUnresolved},
		{"line break", image("registry.io/team/base:1.4.8\nevil"), catalog.RuleUnresolved},
		{"zero byte", image("registry.io/team/base:1.4.8\x00"), catalog.RuleUnresolved},
		{"zero width space", image("registry.io/team/base\u200b:1.4.8"), catalog.RuleUnresolved},
		{"without registry", image("debian:12.9"), catalog.RuleUnresolved},
		{"unexpanded variable", image("docker.io/library/${BASE}:12.9"), catalog.RuleUnresolved},
		{"unexpanded tag", image("docker.io/library/debian:${V}"), catalog.RuleUnresolved},
		{"nothing", image(""), catalog.RuleUnresolved},
		{"scratch as an image", image("scratch"), catalog.RuleUnresolved},
		{"stage name of a listed base", image("docker.io/library/evil:12.9"), catalog.RuleNotListed},
		// tags
		{"without tag", image("docker.io/library/debian"), catalog.RuleUnresolved},
		{"empty tag", image("docker.io/library/debian:"), catalog.RuleUnresolved},
		{"latest", image("docker.io/library/debian:latest"), catalog.RuleNotListed},
		{"tag that floats out of the range", image("docker.io/library/debian:12"), catalog.RuleNotListed},
		{"tag that floats over everything", image("registry.io:5000/team/base:1"), catalog.RuleNotListed},
		{"unknown family", image("docker.io/library/debian:12.9-evil"), catalog.RuleNotListed},
		{"family in front", image("docker.io/library/debian:evil-12.9"), catalog.RuleNotListed},
		{"family is a prefix", image("docker.io/library/golang:1.26-alpine3"), catalog.RuleNotListed},
		{"family left out", role(catalog.RoleCopy, "docker.io/library/golang:1.26"), catalog.RuleNotListed},
		{"family twice", role(catalog.RoleCopy, "docker.io/library/golang:1.26-alpine-alpine"), catalog.RuleNotListed},
		{"family in upper case", role(catalog.RoleCopy, "docker.io/library/golang:1.26-Alpine"), catalog.RuleNotListed},
		{"v prefix", image("docker.io/library/debian:v12.9"), catalog.RuleNotListed},
		{"V prefix", image("docker.io/library/debian:V12.9"), catalog.RuleNotListed},
		{"pre-release below the range", image("docker.io/library/debian:12.4-rc1"), catalog.RuleNotListed},
		{"pre-release of the excluded end", image("docker.io/library/debian:13.0-rc1"), catalog.RuleNotListed},
		{"pre-release in the range", image("docker.io/library/debian:12.9-beta.2"), catalog.RuleNotListed},
		{"pre-release glued on", image("docker.io/library/debian:12.9rc1"), catalog.RuleNotListed},
		{"build metadata", image("docker.io/library/debian:12.9+evil"), catalog.RuleUnresolved},
		{"four numbers", image("docker.io/library/debian:12.9.0.1"), catalog.RuleNotListed},
		{"number that overflows", image("docker.io/library/debian:12.18446744073709551625"), catalog.RuleNotListed},
		{"number in other digits", image("docker.io/library/debian:１２.9"), catalog.RuleUnresolved},
		{"negative number", image("docker.io/library/debian:12.-9"), catalog.RuleNotListed},
		{"dot at the end", image("docker.io/library/debian:12.9."), catalog.RuleNotListed},
		{"dash at the end", image("docker.io/library/debian:12.9-"), catalog.RuleNotListed},
		{"tag with a slash", image("registry.io/team/base:1.4./../evil"), catalog.RuleUnresolved},
		{"tag with a star", image("registry.io/team/base:1.4.*"), catalog.RuleUnresolved},
		{"tag beyond the pattern", image("registry.io/team/base:11.4.8"), catalog.RuleNotListed},
		{"long tag", image("registry.io/team/base:1.4." + strings.Repeat("0", 200)), catalog.RuleUnresolved},
		// digests
		{"no digest", resolved(debian, ""), catalog.RuleUnresolved},
		{"digest of another algorithm", resolved(debian, "sha512:"+strings.Repeat("0", 128)), catalog.RuleUnresolved},
		{"digest in upper case", resolved(debian, "sha256:"+strings.Repeat("A", 64)), catalog.RuleUnresolved},
		{"short digest", resolved(debian, "sha256:00"), catalog.RuleUnresolved},
		{"pin that is not what the tag means", resolved(debian+"@"+some, some), catalog.RulePinMismatch},
		{"pin that was not resolved to itself", resolved(debian+"@"+digest("1"), some), catalog.RulePinMismatch},
		{"pin without tag", resolved("docker.io/library/debian@"+some, some), catalog.RuleNotListed},
		{"pin twice", resolved(debian+"@"+some+"@"+digest("aa"), some), catalog.RuleUnresolved},
		{"digest of another entry", resolved(debian+"@"+digest("aa"), digest("aa")), catalog.RulePinMismatch},
		{"digest of another repository", resolved("docker.io/library/evil@"+digest("aa"), digest("aa")), catalog.RuleNotListed},
		{"another digest of a pinned entry", image("registry.io/team/pinned:1"), catalog.RuleNotListed},
		{"listed digest by another tag", resolved("registry.io/team/stable:evil", digest("bb")), catalog.RuleNotListed},
		{"listed tag with another digest", image("registry.io/team/stable:stable"), catalog.RuleNotListed},
		{"banned digest under a good tag", resolved("registry.io/team/base:1.4.8", digest("cc")), catalog.RuleBanned},
		{"banned tag in range", image("docker.io/library/debian:12.5"), catalog.RuleBanned},
		{"banned image under another tag", resolved(debian, other), catalog.RuleBanned},
		{"banned tag with a pin", resolved("docker.io/library/debian:12.5@"+some, some), catalog.RuleBanned},
		// uses
		{"build-only base as runtime", image("docker.io/library/golang:1.26-alpine"), catalog.RuleKind},
		{"base as a frontend", role(catalog.RoleFrontend, debian), catalog.RuleKind},
		{"unlisted in copy", role(catalog.RoleCopy, "docker.io/library/evil:1"), catalog.RuleNotListed},
		{"unlisted in mount", role(catalog.RoleMount, "docker.io/library/evil:1"), catalog.RuleNotListed},
		{"unlisted in a trigger", role(catalog.RoleOnBuild, "docker.io/library/evil:1"), catalog.RuleNotListed},
		{"exception of another project", image("docker.io/library/nginx:1.27"), catalog.RuleNotListed},
		{"unknown kind", catalog.Input{Kind: "layout", Ref: debian, Digest: some, Platform: "linux/amd64", Reachable: true}, catalog.RuleUnresolved},
		// platforms
		{"listed for another platform", image("registry.io/team/arm:1"), catalog.RulePlatform},
		{"other variant", platform("registry.io/team/arm:1", "linux/arm/v6"), catalog.RulePlatform},
		{"other architecture of the family", platform("registry.io/team/arm:1", "linux/arm64"), catalog.RulePlatform},
		{"other system", platform("registry.io/team/arm:1", "windows/arm/v7"), catalog.RulePlatform},
		{"no platform", platform(debian, ""), catalog.RuleUnresolved},
		{"platform that is none", platform(debian, "linux"), catalog.RuleUnresolved},
		// web and git
		{"host with a longer name", source(catalog.KindHTTP, "https://dl.example.evil/releases/x", sum), catalog.RuleHTTPNotListed},
		{"user that looks like the host", source(catalog.KindHTTP, "https://dl.example@evil.example/releases/x", sum), catalog.RuleHTTPNotListed},
		{"host below", source(catalog.KindHTTP, "https://evil.dl.example/releases/x", sum), catalog.RuleHTTPNotListed},
		{"path with a longer name", source(catalog.KindHTTP, "https://dl.example/releases-evil/x", sum), catalog.RuleHTTPNotListed},
		{"path that goes up", source(catalog.KindHTTP, "https://dl.example/releases/../evil", sum), catalog.RuleHTTPNotListed},
		{"path that goes up, encoded", source(catalog.KindHTTP, "https://dl.example/releases/%2e%2e/evil", sum), catalog.RuleHTTPNotListed},
		{"encoded slash in the path", source(catalog.KindHTTP, "https://dl.example/releases%2fx", sum), catalog.RuleHTTPNotListed},
		{"backslash", source(catalog.KindHTTP, `https://dl.example\@evil.example/releases/x`, sum), catalog.RuleHTTPNotListed},
		{"path from the query", source(catalog.KindHTTP, "https://dl.example/?/releases/x", sum), catalog.RuleHTTPNotListed},
		{"path from the fragment", source(catalog.KindHTTP, "https://dl.example/#/releases/x", sum), catalog.RuleHTTPNotListed},
		{"without checksum", source(catalog.KindHTTP, "https://dl.example/releases/x", ""), catalog.RuleHTTPUnpinned},
		{"weak checksum", source(catalog.KindHTTP, "https://dl.example/releases/x", "md5:d41d8cd98f00b204e9800998ecf8427e"), catalog.RuleHTTPUnpinned},
		{"other port", source(catalog.KindHTTP, "https://dl.example:8443/releases/x", sum), catalog.RuleHTTPNotListed},
		{"plain http", source(catalog.KindHTTP, "http://dl.example/releases/x", sum), catalog.RuleHTTPNotListed},
		{"file", source(catalog.KindHTTP, "file:///releases/x", sum), catalog.RuleHTTPNotListed},
		{"ftp", source(catalog.KindHTTP, "ftp://dl.example/releases/x", sum), catalog.RuleHTTPNotListed},
		{"git by branch", source(catalog.KindGit, "https://git.example/tools/x.git#main", ""), catalog.RuleGitUnpinned},
		{"git by branch that looks like a commit", source(catalog.KindGit, "https://git.example/tools/x.git#0123456", "0123456"), catalog.RuleGitUnpinned},
		{"git elsewhere", source(catalog.KindGit, "https://git.example/toolsmith/x.git", commit), catalog.RuleGitNotListed},
		{"git of another host by scp form", source(catalog.KindGit, "git@evil.example:tools/x.git", commit), catalog.RuleGitNotListed},
		{"git over http", source(catalog.KindGit, "http://git.example/tools/x.git", commit), catalog.RuleGitNotListed},
		{"git from a local path", source(catalog.KindGit, "/tools/x.git", commit), catalog.RuleGitNotListed},
		// contexts
		{"context of another name", context("debian", ".", ""), catalog.RuleContext},
		{"context from an unlisted image", context("assets", "docker.io/library/evil:1", some), catalog.RuleNotListed},
		{"context from a build-only image", context("assets", "docker.io/library/golang:1.26-alpine", some), catalog.RuleKind},
		{"context from an image without digest", context("assets", debian, ""), catalog.RuleUnresolved},
		{"context from the web", context("assets", "https://dl.example/releases/x", sum), catalog.RuleContext},
		{"context from a layout", context("assets", "oci-layout://x:1", some), catalog.RuleContext},
		{"context from a target", context("assets", "target:other", ""), catalog.RuleContext},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.Place = finding.Place{File: "Dockerfile", Start: finding.Position{Line: 1, Column: 1}}
			registry := generous{some: map[string]string{"docker.io/library/debian:12.5": other}}
			plan, err := cat.Plan(t.Context(), catalog.Question{
				Project: catalog.Project{Repository: "https://git.example/shop/cart", Directory: "web"}, Inputs: []catalog.Input{tt.in}, At: day("2026-07-01"),
			}, registry)
			if err != nil {
				t.Fatalf("denied only by an error: %v", err)
			}
			d := plan.Decisions[0]
			if d.Allowed || d.Rule != tt.rule || len(plan.Sources()) > 0 || finding.Gate(plan.Findings, finding.Error) == nil {
				t.Errorf("got through: %+v\n%v", d, plan.Findings)
			}
		})
	}

	// The guard is no wall: what is meant is let in.
	for _, in := range []catalog.Input{
		image(debian), image("docker.io/debian:12.9"), image("index.docker.io/library/debian:12.9"), image("registry.io:5000/team/base:1.4.8"),
		resolved("registry.io/team/pinned@"+digest("aa"), digest("aa")), platform("registry.io/team/arm:1", "linux/arm"),
		source(catalog.KindHTTP, "https://DL.example/releases/x%2B1%20.tgz?y=1", sum), source(catalog.KindGit, "git@git.example:tools/x.git#"+commit, commit),
		context("assets", "./assets", ""), context("assets", debian, some),
	} {
		plan, err := cat.Plan(t.Context(), catalog.Question{Inputs: []catalog.Input{in}, At: day("2026-07-01")}, generous{})
		if err != nil || !plan.Decisions[0].Allowed {
			t.Errorf("%s is kept out: %v, %v", in.Ref, plan, err)
		}
	}
}
