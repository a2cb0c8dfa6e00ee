package attest_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
)

// What we store is found and accepted by the same calls, in the same order, that cosign 3 makes (pkg/cosign: GetBundles,
// VerifyNewBundle), and with it what is built on cosign, such as sigstore's policy-controller.
func TestCosignsLookup(t *testing.T) {
	registries := map[string]func(t *testing.T) *shop{
		"with the referrers API": func(t *testing.T) *shop { return newShop(t) },
		"without": func(t *testing.T) *shop {
			s := newShop(t)
			s.withoutAPI()
			return s
		},
		"Debian's":       func(t *testing.T) *shop { return newShopAt(t, testenv.DockerRegistry(t, "")) },
		"distribution 3": func(t *testing.T) *shop { return newShopAt(t, testenv.Distribution3(t, "")) },
	}
	for name, open := range registries {
		t.Run(name, func(t *testing.T) {
			for _, algorithm := range []attest.Algorithm{attest.ECDSA, attest.Ed25519} {
				s := open(t)
				s.key = newKey(t, algorithm)
				s.attach(t, s.good(t)...)
				for _, digest := range s.image.Digests() {
					kinds, err := asCosign(t.Context(), s.image.Repository, digest, s.key.Public())
					if err != nil || len(kinds) != 3 {
						t.Errorf("%s, %s: got %v, %v", algorithm, digest, kinds, err)
					}
				}
				if _, err := asCosign(t.Context(), s.image.Repository, s.image.Digest, newKey(t, algorithm).Public()); err == nil {
					t.Errorf("%s: a stranger's key will do", algorithm)
				}
			}
		})
	}
}

// asCosign returns the predicate types of the attestations that cosign verifies.
func asCosign(_ context.Context, repository string, digest v1.Hash, key attest.PublicKey) ([]string, error) {
	ref, err := name.NewDigest(repository + "@" + digest.String())
	if err != nil {
		return nil, err
	}
	index, err := remote.Referrers(ref)
	if err != nil {
		return nil, err
	}
	list, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var kinds []string
	for _, d := range list.Manifests {
		b, err := bundleAsCosign(ref.Context().Digest(d.Digest.String()))
		if err != nil {
			return nil, err
		}
		result, err := verifyAsCosign(b, digest, key)
		if err != nil {
			return nil, err
		}
		kinds = append(kinds, result.Statement.GetPredicateType())
	}
	return kinds, nil
}

func bundleAsCosign(ref name.Digest) (*bundle.Bundle, error) {
	img, err := remote.Image(ref)
	if err != nil {
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		return nil, fmt.Errorf("%d layers, %w", len(layers), err)
	}
	kind, err := layers[0].MediaType()
	if err != nil || !strings.HasPrefix(string(kind), "application/vnd.dev.sigstore.bundle") {
		return nil, fmt.Errorf("%s, %w", kind, err)
	}
	body, err := layers[0].Uncompressed()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	b := &bundle.Bundle{}
	if err := b.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	if !b.MinVersion("v0.3") {
		return nil, fmt.Errorf("bundle version too old")
	}
	return b, nil
}

func verifyAsCosign(b *bundle.Bundle, digest v1.Hash, key attest.PublicKey) (*verify.VerificationResult, error) {
	public, err := key.Crypto()
	if err != nil {
		return nil, err
	}
	verifier, err := signature.LoadDefaultVerifier(public)
	if err != nil {
		return nil, err
	}
	expiring := root.NewExpiringKey(verifier, time.Time{}, time.Time{})
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return expiring, nil })
	v, err := verify.NewVerifier(material, verify.WithNoObserverTimestamps())
	if err != nil {
		return nil, err
	}
	sum, err := hex.DecodeString(digest.Hex)
	if err != nil {
		return nil, err
	}
	return v.Verify(b, verify.NewPolicy(verify.WithArtifactDigest(digest.Algorithm, sum), verify.WithKey()))
}

// The program itself, where it is installed: bundles by the index and by a platform, and the old tags.
func TestCosign(t *testing.T) {
	missing := ""
	cosign, err := exec.LookPath("cosign")
	if err != nil {
		missing = err.Error()
	}
	testenv.Needs(t, "cosign", missing)
	s := newShop(t)
	s.store = attest.NewStore(s.client, attest.StoreOptions{Tags: true})
	s.attach(t, s.good(t)...)
	public := filepath.Join(t.TempDir(), "cosign.pub")
	if err := os.WriteFile(public, s.key.Public().PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(ref string, args ...string) (string, error) {
		args = append([]string{"verify-attestation", "--key", public, "--insecure-ignore-tlog=true", "--allow-http-registry"}, args...)
		cmd := exec.CommandContext(t.Context(), cosign, append(args, ref)...)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, digest := range s.image.Digests() {
		ref := s.image.Repository + "@" + digest.String()
		for _, kind := range []string{provenance.Type, attest.LintResultType, attest.TestResultType} {
			if out, err := run(ref, "--type", kind); err != nil {
				t.Errorf("%s of %s: %v\n%s", kind, digest, err, out)
			}
			if out, err := run(ref, "--type", kind, "--new-bundle-format=false"); err != nil {
				t.Errorf("%s of %s under the old tag: %v\n%s", kind, digest, err, out)
			}
		}
		if out, err := run(ref, "--type", "https://example.com/other/v1"); err == nil {
			t.Errorf("a predicate that is not there: %s", out)
		}
	}
	s.key = newKey(t, attest.ECDSA)
	if err := os.WriteFile(public, s.key.Public().PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(s.ref, "--type", provenance.Type); err == nil {
		t.Errorf("a stranger's key will do: %s", out)
	}
}
