package evidence_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/evidence"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// shop is a registry with one image, and what reads its evidence.
func shop() (image admission.Image, source *attest.Store, stop func()) {
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	img, err := registrytest.Image(map[string]string{"a": "a"}, registrytest.ImageOptions{})
	if err != nil {
		log.Fatal(err)
	}
	digest, err := server.Push(context.Background(), "shop/pay:1", img)
	if err != nil {
		log.Fatal(err)
	}
	client := registry.New(registry.Options{Retries: -1})
	image = admission.Image{Ref: server.Ref("shop/pay:1"), Digests: []string{digest}}
	return image, attest.NewStore(client, attest.StoreOptions{}), func() { client.Close(); _ = server.Close() }
}

// policy demands a verdict of lint by the key, and provenance unless changed.
func policy() (attest.Policy, *attest.Key) {
	key, err := attest.GenerateKey(attest.Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	return attest.Policy{
		Trust: attest.Keys{{Name: "builder", Key: key.Public()}}, Builders: []string{"https://build.example"},
		Sources: []string{"https://git.example/shop/pay"}, UnsafeUntested: true,
	}, key
}

func Example() {
	image, source, stop := shop()
	defer stop()
	strict, _ := policy()
	demand := evidence.Demand{Source: source, Policy: strict, Now: time.Now}
	err := demand.Check(context.Background(), image)
	fmt.Println(errors.Is(err, attest.ErrDenied)) // nobody has signed anything about it
	// Output: true
}

func TestCheck(t *testing.T) {
	image, source, stop := shop()
	linted, key := policy()
	linted.UnsafeNoProvenance, linted.Builders, linted.Sources = true, nil, nil
	demand := evidence.Demand{Source: source, Policy: linted, Now: time.Now}
	sign(t, source, image, key)
	check := func(what string, image admission.Image, good bool) {
		t.Helper()
		if err := demand.Check(t.Context(), image); (err == nil) != good {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("all that is demanded is there", image, true)
	check("by an index that is not there and a manifest that is", admission.Image{Ref: image.Ref, Indexes: []string{"sha256:0000000000000000000000000000000000000000000000000000000000000000"}, Digests: image.Digests}, true)
	check("no name", admission.Image{Digests: image.Digests}, false)
	check("a name that is none", admission.Image{Ref: "?", Digests: image.Digests}, false)
	check("no digest", admission.Image{Ref: image.Ref}, false)
	stop()
	check("no registry", image, false)
}

// sign attaches a passing verdict of lint.
func sign(t *testing.T, source *attest.Store, image admission.Image, key *attest.Key) {
	t.Helper()
	named, err := source.Image(t.Context(), image.Ref)
	if err != nil {
		t.Fatal(err)
	}
	verdict := attest.LintResult{Result: attest.Passed, Gate: "error", Finished: time.Now().Add(-time.Minute)}
	statement, err := attest.NewStatement(attest.LintResultType, verdict, attest.NewSubject("pay", named.Digest))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := statement.Sign(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Attach(t.Context(), named, signed); err != nil {
		t.Fatal(err)
	}
}
