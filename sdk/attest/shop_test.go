package attest_test

import (
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

const (
	builderID  = "https://build.example/plimsoll"
	repository = "https://git.example/team/app"
)

// shop is a registry with an image for two platforms, a key that is trusted, and a policy.
type shop struct {
	server *registrytest.Server
	client *registry.Client
	store  *attest.Store
	key    *attest.Key
	policy attest.Policy
	ref    string // of the image, by digest
	image  *attest.Image
}

func newShop(t testing.TB) *shop {
	t.Helper()
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	s := openShop(t, server.Host, registry.Options{Retries: -1}) // tests count requests and inject faults
	s.server = server
	return s
}

// newShopAt is a shop with a registry that is there already. Requests are retried as by default: while distribution 2.8
// puts a manifest a second time, under another tag, it fails whoever reads it.
func newShopAt(t testing.TB, host string) *shop {
	t.Helper()
	return openShop(t, host, registry.Options{})
}

func openShop(t testing.TB, host string, opts registry.Options) *shop {
	t.Helper()
	s := &shop{key: newKey(t, attest.ECDSA), client: registry.New(opts)}
	t.Cleanup(s.client.Close)
	s.store = attest.NewStore(s.client, attest.StoreOptions{})
	s.policy = attest.Policy{
		Trust: attest.Keys{{Name: "build service", Key: s.key.Public()}}, At: now,
		Builders: []string{builderID}, Sources: []string{"https://git.example/team/*"},
	}
	s.ref, s.image = s.push(t, host+"/team/app", "app", "linux/amd64", "linux/arm64")
	return s
}

// push publishes an image.
func (s *shop) push(t testing.TB, repo, content string, platforms ...string) (string, *attest.Image) {
	t.Helper()
	var images []v1.Image
	for _, p := range platforms {
		image, err := registrytest.Image(map[string]string{"app": content + p}, registrytest.ImageOptions{Platform: p})
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, image)
	}
	index, err := registrytest.Index(images...)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := s.client.Push(t.Context(), repo, index, registry.PushOptions{Tags: []string{"1"}})
	if err != nil {
		t.Fatal(err)
	}
	image, err := s.store.Image(t.Context(), ref.Name())
	if err != nil {
		t.Fatal(err)
	}
	return ref.Name(), image
}

func subjects(image *attest.Image) []attest.Subject {
	var all []attest.Subject
	for _, digest := range image.Digests() {
		all = append(all, attest.NewSubject(image.Repository, digest))
	}
	return all
}

func origin(change func(*provenance.Provenance)) *provenance.Provenance {
	p := &provenance.Provenance{
		BuildDefinition: provenance.BuildDefinition{
			BuildType: provenance.BuildType,
			External:  provenance.External{Repository: repository, Commit: "0123456789abcdef0123456789abcdef01234567"},
		},
		RunDetails: provenance.RunDetails{
			Builder:  provenance.Builder{ID: builderID},
			Metadata: provenance.Metadata{Started: now.Add(-time.Minute), Finished: now},
		},
	}
	if change != nil {
		change(p)
	}
	return p
}

func lintResult(result attest.Result) attest.LintResult {
	return attest.LintResult{Result: result, Gate: "error", Tool: "plimsoll", Finished: now}
}

func testResult(result string, finished time.Time) any {
	return map[string]any{"result": result, "configuration": []any{
		map[string]any{"annotations": map[string]string{"finishedOn": finished.Format(time.RFC3339)}},
	}}
}

func statement(t testing.TB, signer attest.Signer, predicateType string, predicate any, subjects ...attest.Subject) *attest.Bundle {
	t.Helper()
	s, err := attest.NewStatement(predicateType, predicate, subjects...)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := s.Sign(t.Context(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// good is all the evidence that the policy asks for, about all of the image.
func (s *shop) good(t testing.TB) []*attest.Bundle {
	t.Helper()
	all := subjects(s.image)
	return []*attest.Bundle{
		statement(t, s.key, provenance.Type, origin(nil), all...),
		statement(t, s.key, attest.LintResultType, lintResult(attest.Passed), all...),
		statement(t, s.key, attest.TestResultType, testResult("PASSED", now), all...),
	}
}

func (s *shop) attach(t testing.TB, bundles ...*attest.Bundle) {
	t.Helper()
	if err := s.store.Attach(t.Context(), s.image, bundles...); err != nil {
		t.Fatal(err)
	}
}
