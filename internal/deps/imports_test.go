package deps_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// mayImport is the README's table of packages: which third-party packages each may import itself. A new line here is a
// new dependency and wants a reason in review. A package that is not named has the line of the one above it.
var mayImport = map[string][]string{
	"sdk/finding": nil,
	"sdk/report":  nil,
	"sdk/audit":   nil,
	"sdk/catalog": {
		"github.com/Masterminds/semver/v3",
		"github.com/google/go-containerregistry/pkg/name",
		"go.yaml.in/yaml/v4",
	},
	"sdk/catalog/cel": {"cel.dev/cel-go"},
	"sdk/definition": {
		"github.com/moby/buildkit/frontend/dockerfile", // the grammar, without what executes it
		"github.com/rogpeppe/go-internal/diff",
	},
	"sdk/definition/bake": { // buildx's own library, and HCL, for places
		"github.com/docker/buildx/bake",
		"github.com/hashicorp/hcl/v2",
	},
	"sdk/definition/compose": { // Compose's own library, and YAML, for places
		"github.com/compose-spec/compose-go/v2",
		"go.yaml.in/yaml/v4",
	},
	"sdk/definition/internal/inside":   {"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"}, // what a remote context looks like
	"sdk/definition/internal/yamlfile": {"go.yaml.in/yaml/v4"},
	"sdk/definition/template": {
		"go.yaml.in/yaml/v4",
		"mvdan.cc/sh/v3/syntax", // what a shell makes of a parameter
	},
	"sdk/definition/source": {
		"github.com/ProtonMail/go-crypto/openpgp", // signatures of commits; go-git brings it anyway
		"github.com/go-git/go-billy/v5",
		"github.com/go-git/go-git/v5",
		"github.com/hiddeco/sshsig", // the same, of SSH keys
		"github.com/moby/patternmatcher",
		"golang.org/x/crypto/ssh", // keys and known hosts of git over ssh
	},
	"sdk/definition/inputs": {
		"github.com/containerd/platforms",
		"github.com/distribution/reference",
		"github.com/moby/buildkit", // its own conversion says what a build reads
		"github.com/moby/docker-image-spec",
		"github.com/opencontainers",
		"github.com/tonistiigi/fsutil/types",
	},
	"sdk/lint": {
		"github.com/moby/buildkit/frontend/dockerfile/shell",
		"mvdan.cc/sh/v3/syntax",
	},
	"sdk/lint/rego": {"github.com/open-policy-agent/opa"},
	"sdk/lint/linttest": {
		"github.com/google/go-cmp/cmp",
		"github.com/rogpeppe/go-internal/txtar",
	},
	"sdk/registry": {
		"github.com/containerd/platforms",
		"github.com/google/go-containerregistry",
		"github.com/opencontainers/image-spec",
		"golang.org/x/sync",
	},
	"sdk/build":          {"github.com/google/go-containerregistry/pkg/v1"},
	"sdk/build/buildkit": {"*"}, // an engine: other packages are kept from importing it
	"sdk/build/dagger": { // not dagger.io/dagger, see there
		"github.com/containerd/platforms",
		"github.com/distribution/reference",
		"github.com/google/go-containerregistry",
	},
	"sdk/build/internal/check":       {"github.com/moby/buildkit/frontend/dockerfile/parser"},
	"sdk/build/internal/conformance": {"*"},
	"sdk/build/internal/lines":       {"github.com/moby/buildkit/frontend/dockerfile/parser"},
	"sdk/build/internal/ociimage":    {"github.com/google/go-containerregistry"},
	"sdk/sandbox":                    {"github.com/google/go-containerregistry/pkg/v1"},
	"sdk/sandbox/docker":             {"*"},
	"sdk/sandbox/sandboxtest": {
		"github.com/google/go-cmp/cmp",
		"github.com/google/go-containerregistry",
	},
	"sdk/sandbox/native": {"*"},
	"sdk/blackbox": {
		"github.com/agext/levenshtein",
		"github.com/cucumber",
		"github.com/google/go-containerregistry",
		"github.com/google/shlex",
		"github.com/theory/jsonpath",
		"golang.org/x/net/dns/dnsmessage",
	},
	"sdk/blackbox/packages": { // the order of versions, for each package manager its own
		"github.com/Masterminds/semver/v3",
		"github.com/knqyf263",
	},
	"sdk/blackbox/packages/rpm":       {"github.com/knqyf263", "modernc.org/sqlite"}, // what rpm keeps its database in
	"sdk/blackbox/packages/installed": {"github.com/google/go-containerregistry/pkg/v1"},
	"sdk/blackbox/convert": { // gossfiles are YAML, and templates with sprig's functions
		"github.com/Masterminds/sprig/v3",
		"go.yaml.in/yaml/v4",
	},
	"sdk/attest": {
		"github.com/google/go-containerregistry/pkg",
		"golang.org/x/sync/errgroup",
		"github.com/secure-systems-lab/go-securesystemslib", // envelopes, and how cosign encrypts keys
		"github.com/sigstore/protobuf-specs",                // the bundle's own format
		"github.com/sigstore/sigstore",                      // keys and the interfaces to key management services
		"go.yaml.in/yaml/v4",
		"google.golang.org/protobuf/encoding/protojson",
	},
	"sdk/admission":              nil, // standard library only: what decides on a node is small
	"sdk/admission/distribution": {"github.com/google/go-containerregistry/pkg/name"},
	"sdk/admission/docker": {
		"github.com/containerd/errdefs",
		"github.com/moby/moby",
	},
	"sdk/admission/evidence": {"github.com/google/go-containerregistry/pkg/name"},
	"sdk/admission/nri":      {"github.com/containerd/nri"},
	"sdk/admission/remote":   {"github.com/google/go-containerregistry/pkg"},
	"sdk/admission/run":      {"github.com/google/go-containerregistry/pkg/name"},
	"sdk/lineage":            nil,
	"sdk/lineage/postgres":   {"github.com/jackc/pgx/v5"},
	"sdk/lineage/scan": {
		"github.com/containerd/platforms",
		"github.com/google/go-containerregistry/pkg",
		"golang.org/x/sync/errgroup",
		"golang.org/x/time/rate",
	},
	"sdk/lineage/sqlite":      {"modernc.org/sqlite"},
	"sdk/lineage/lineagetest": {"github.com/google/go-cmp/cmp"},
	"sdk/attest/provenance":   nil,
	"sdk/attest/keyless":      {"github.com/sigstore/sigstore-go"},
	"sdk/attest/kms":          {"github.com/sigstore/sigstore/pkg/signature"},
	"sdk/attest/sbom": {
		"github.com/CycloneDX/cyclonedx-go",
		"github.com/google/go-containerregistry/pkg/v1",
		"github.com/package-url/packageurl-go",
		"github.com/spdx/tools-golang/spdx",
	},
	"sdk/rebuild": {
		"github.com/google/go-containerregistry",
		"github.com/hashicorp/golang-lru/v2",
	},
	"sdk/rebuild/storm/trigger":   nil, // webhooks in the standard library
	"sdk/rebuild/storm/rebuilder": {"github.com/google/go-containerregistry/pkg"},
	"sdk/rebuild/storm": {
		"github.com/google/go-containerregistry/pkg/v1",
		"golang.org/x/sync/errgroup",
	},
	"sdk/fleet": {"go.yaml.in/yaml/v4"},
	"sdk/fleet/docker": {
		"github.com/containerd/errdefs",
		"github.com/moby/moby",
		"golang.org/x/sys/unix", // ends a command of this machine
	},
	"sdk/fleet/namespaces": {"github.com/opencontainers/runtime-spec/specs-go"},
	"sdk/fleet/where": {
		"cel.dev/cel-go",
		"github.com/Masterminds/semver/v3",
		"github.com/google/go-containerregistry/pkg/name",
	},
	"sdk/campaign":           {"golang.org/x/sync/errgroup"},
	"sdk/notify":             {"go.yaml.in/yaml/v4"},
	"sdk/notify/outbox":      {"modernc.org/sqlite"},
	"sdk/notify/cloudevents": {"github.com/cloudevents/sdk-go/v2"},
	"sdk/notify/shoutrrr":    {"github.com/nicholas-fedor/shoutrrr"}, // some thirty services: nobody else pays for them
	"sdk/forge":              nil,
	"sdk/forge/github":       {"github.com/google/go-github/v75"},
	"sdk/forge/gitlab":       {"gitlab.com/gitlab-org/api/client-go"},
	"sdk/move":               {"golang.org/x/sync"},
	"sdk/buildservice": {
		"github.com/danielgtaylor/huma/v2", // OpenAPI from the types
		"github.com/google/go-containerregistry/pkg",
		"github.com/prometheus/client_golang",
		"github.com/riverqueue/river",
		"go.opentelemetry.io/otel",
		"golang.org/x/time/rate",
	},
	"sdk/buildservice/api":     nil, // what clients import: nothing but the standard library
	"sdk/buildservice/client":  nil,
	"sdk/buildservice/callers": {"github.com/coreos/go-oidc/v3/oidc"},
	"sdk/pipeline": {
		"github.com/google/go-containerregistry",
		"go.opentelemetry.io/otel",
	},
}

func TestThirdPartyImportsAreListed(t *testing.T) {
	g := load(t)
	for path, p := range g {
		if !strings.HasPrefix(path, module+"sdk/") {
			continue
		}
		pkg := strings.TrimPrefix(path, module)
		allowed := mayImport[owner(pkg, maps.Keys(mayImport))]
		for _, imp := range p.Imports {
			own := strings.HasPrefix(imp, module) || g[imp] == nil || g[imp].Standard
			listed := slices.ContainsFunc(allowed, func(a string) bool { return a == "*" || within(imp, a) })
			if !own && !listed {
				t.Errorf("%s imports %s, which is not listed for it in imports_test.go", pkg, imp)
			}
		}
	}
}

// Lines for packages and imports that are gone would let something else in unseen.
func TestListedImportsAreUsed(t *testing.T) {
	g := load(t)
	for pkg, allowed := range mayImport {
		for _, a := range allowed {
			if a == "*" {
				continue
			}
			used := false
			for path, p := range g {
				mine := owner(strings.TrimPrefix(path, module), maps.Keys(mayImport)) == pkg
				used = used || mine && slices.ContainsFunc(p.Imports, func(imp string) bool { return within(imp, a) })
			}
			if !used {
				t.Errorf("%s does not import %s any more: delete the line", pkg, a)
			}
		}
	}
}
