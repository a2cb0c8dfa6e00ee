package cosign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/cosign"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// shelf is a registry with an image that others sign.
type shelf struct {
	t      *testing.T
	server *registrytest.Server
	client *registry.Client
	image  name.Digest
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{t: t, client: registry.New(registry.Options{Retries: -1})}
	t.Cleanup(s.client.Close)
	var err error
	if s.server, err = registrytest.Start(registrytest.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.server.Close() })
	s.image = s.push("base/debian:12", "a")
	return s
}

func (s *shelf) push(ref, content string) name.Digest {
	s.t.Helper()
	image, err := registrytest.Image(map[string]string{"etc/motd": content}, registrytest.ImageOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	digest, err := s.server.Push(s.t.Context(), ref, image)
	if err != nil {
		s.t.Fatal(err)
	}
	repository, _, _ := strings.Cut(ref, ":")
	d, err := name.NewDigest(s.server.Ref(repository)+"@"+digest, name.Insecure)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// signer is a key with its public half in PEM.
type signer struct {
	signature.SignerVerifier
	*attest.Key
	pem string
}

func newSigner(t *testing.T, private crypto.PrivateKey) signer {
	t.Helper()
	var s signer
	var err error
	if s.SignerVerifier, err = signature.LoadDefaultSignerVerifier(private); err != nil {
		t.Fatal(err)
	}
	if s.Key, err = attest.NewKey(s.SignerVerifier); err != nil {
		t.Fatal(err)
	}
	s.pem = string(s.Public().PEM())
	return s
}

func newECDSA(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newSigner(t, key)
}

// layer is a signature of cosign 2: what is signed, and by whom.
type layer struct {
	signer signer
	// payload is what is signed; nil is cosign's about image.
	payload []byte
	image   name.Digest
	// sig is instead of the signer's.
	sig string
}

func (s *shelf) payload(image name.Digest) []byte {
	s.t.Helper()
	raw, err := json.Marshal(payload.Cosign{Image: image})
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// tag writes the tag that cosign 2 looks at for an image.
func (s *shelf) tag(of name.Digest, layers ...layer) {
	s.t.Helper()
	list := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for _, l := range layers {
		raw := l.payload
		if raw == nil {
			raw = s.payload(l.image)
		}
		sig := l.sig
		if sig == "" {
			made, err := l.signer.SignMessage(bytes.NewReader(raw))
			if err != nil {
				s.t.Fatal(err)
			}
			sig = base64.StdEncoding.EncodeToString(made)
		}
		var err error
		list, err = mutate.Append(list, mutate.Addendum{
			Layer:       static.NewLayer(raw, "application/vnd.dev.cosign.simplesigning.v1+json"),
			Annotations: map[string]string{"dev.cosignproject.cosign/signature": sig},
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	repository := strings.TrimPrefix(of.Context().Name(), s.server.Host+"/")
	if _, err := s.server.Push(s.t.Context(), repository+":"+strings.Replace(of.DigestStr(), ":", "-", 1)+".sig", list); err != nil {
		s.t.Fatal(err)
	}
}

// refer writes the bundle that cosign 3 writes.
func (s *shelf) refer(image name.Digest, by attest.Signer, predicateType string, about v1.Hash) {
	s.t.Helper()
	statement, err := attest.NewStatement(predicateType, map[string]any{}, attest.NewSubject("", about))
	if err != nil {
		s.t.Fatal(err)
	}
	bundle, err := statement.Sign(s.t.Context(), by)
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := s.client.Manifest(s.t.Context(), image.Name())
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.client.PushArtifact(s.t.Context(), image.Context().Name(), registry.Artifact{
		Type: attest.BundleMediaType, Subject: &m.Descriptor, Blobs: []registry.Blob{{MediaType: attest.BundleMediaType, Data: bundle.Bytes()}},
		Annotations: map[string]string{"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicateType},
	}, registry.PushOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) digest(image name.Digest) v1.Hash {
	s.t.Helper()
	h, err := v1.NewHash(image.DigestStr())
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

const signPredicate = "https://sigstore.dev/cosign/sign/v1"

func TestSigned(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ops, other, bySRSA, byEd := newECDSA(t), newECDSA(t), newSigner(t, rsaKey), newSigner(t, edKey)
	for _, tt := range []struct {
		name string
		make func(*shelf)
		key  string // default: of ops
		want bool
	}{
		{"no signature", func(*shelf) {}, "", false},
		{"tag", func(s *shelf) { s.tag(s.image, layer{signer: ops, image: s.image}) }, "", true},
		{"tag, RSA", func(s *shelf) { s.tag(s.image, layer{signer: bySRSA, image: s.image}) }, bySRSA.pem, true},
		{"tag, Ed25519", func(s *shelf) { s.tag(s.image, layer{signer: byEd, image: s.image}) }, byEd.pem, true},
		{"tag, somebody else's first", func(s *shelf) {
			s.tag(s.image, layer{signer: other, image: s.image}, layer{sig: "no base 64", image: s.image}, layer{signer: ops, image: s.image})
		}, "", true},
		{"tag, somebody else's", func(s *shelf) { s.tag(s.image, layer{signer: other, image: s.image}) }, "", false},
		{"tag, signature about another image", func(s *shelf) { s.tag(s.image, layer{signer: ops, image: s.push("base/debian:13", "b")}) }, "", false},
		{"tag, somebody else's payload with a stolen signature", func(s *shelf) {
			stolen, err := ops.SignMessage(strings.NewReader("something else"))
			if err != nil {
				s.t.Fatal(err)
			}
			s.tag(s.image, layer{sig: base64.StdEncoding.EncodeToString(stolen), image: s.image})
		}, "", false},
		{"tag, the key signed something else than an image", func(s *shelf) {
			s.tag(s.image, layer{signer: ops, payload: []byte(strings.Replace(string(s.payload(s.image)), "cosign container image signature", "other", 1))})
		}, "", false},
		{"tag, the key signed nonsense", func(s *shelf) { s.tag(s.image, layer{signer: ops, payload: []byte("{")}) }, "", false},
		{"tag without layers", func(s *shelf) { s.tag(s.image) }, "", false},
		{"tag, of a copy in another repository", func(s *shelf) {
			s.tag(s.image, layer{signer: ops, payload: []byte(strings.Replace(string(s.payload(s.image)), "base/debian", "origin/debian", 1))})
		}, "", true},
		{"bundle", func(s *shelf) { s.refer(s.image, ops.Key, signPredicate, s.digest(s.image)) }, "", true},
		{"bundle, somebody else's first", func(s *shelf) {
			s.refer(s.image, other.Key, signPredicate, s.digest(s.image))
			s.refer(s.image, ops.Key, signPredicate, s.digest(s.image))
		}, "", true},
		{"bundle, somebody else's", func(s *shelf) { s.refer(s.image, other.Key, signPredicate, s.digest(s.image)) }, "", false},
		{"bundle about another image", func(s *shelf) { s.refer(s.image, ops.Key, signPredicate, s.digest(s.push("base/debian:13", "b"))) }, "", false},
		{"bundle that says something else", func(s *shelf) { s.refer(s.image, ops.Key, "https://slsa.dev/provenance/v1", s.digest(s.image)) }, "", false},
		{"both, the bundle somebody else's", func(s *shelf) {
			s.refer(s.image, other.Key, signPredicate, s.digest(s.image))
			s.tag(s.image, layer{signer: ops, image: s.image})
		}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShelf(t)
			tt.make(s)
			key := ops.pem
			if tt.key != "" {
				key = tt.key
			}
			if got, err := cosign.New(s.client).Signed(t.Context(), s.image.Name(), key); err != nil || got != tt.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestTrouble(t *testing.T) {
	ops := newECDSA(t)
	s := newShelf(t)
	signatures := cosign.New(s.client)
	for name, question := range map[string][2]string{
		"no digest": {s.server.Ref("base/debian:12"), ops.pem}, "no key": {s.image.Name(), "nonsense"},
		"a private key": {s.image.Name(), "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"},
	} {
		if signed, err := signatures.Signed(t.Context(), question[0], question[1]); signed || err == nil {
			t.Errorf("%s: %v, %v", name, signed, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if signed, err := signatures.Signed(ctx, s.image.Name(), ops.pem); signed || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, %v", signed, err)
	}
	// A registry that does not answer about the tag is not one that has none.
	s.server.Inject(registrytest.Rule{Path: ".sig", Fault: registrytest.Status(http.StatusInternalServerError, nil)})
	if signed, err := signatures.Signed(t.Context(), s.image.Name(), ops.pem); signed || err == nil {
		t.Errorf("a fault: %v, %v", signed, err)
	}
}

// What was signed once is not asked again; what was not, may be signed meanwhile.
func TestSignaturesAreRemembered(t *testing.T) {
	ops := newECDSA(t)
	s := newShelf(t)
	signatures := cosign.New(s.client)
	if signed, err := signatures.Signed(t.Context(), s.image.Name(), ops.pem); signed || err != nil {
		t.Fatal(signed, err)
	}
	s.tag(s.image, layer{signer: ops, image: s.image})
	for range 2 {
		if signed, err := signatures.Signed(t.Context(), s.image.Name(), ops.pem); !signed || err != nil {
			t.Fatal(signed, err)
		}
		if s.server.Reset(); t.Failed() {
			return
		}
	}
	if signed, err := signatures.Signed(t.Context(), s.image.Name(), ops.pem); !signed || err != nil || len(s.server.Requests()) > 0 {
		t.Errorf("%v, %v after %v", signed, err, s.server.Requests())
	}
	if signed, err := signatures.Signed(t.Context(), s.image.Name(), newECDSA(t).pem); signed || err != nil {
		t.Errorf("another key: %v, %v", signed, err)
	}
}

// An entry that demands a signature, against a real registry.
func TestEntriesThatDemandASignature(t *testing.T) {
	ops := newECDSA(t)
	s := newShelf(t)
	unsigned := s.push("base/debian:13", "b")
	s.tag(s.image, layer{signer: ops, image: s.image})
	src := "version: 1\nowner: o\nbases:\n  - repository: " + s.server.Ref("base/debian") + "\n    tags: [\"*\"]\n    signature: |\n      " +
		strings.ReplaceAll(strings.TrimSpace(ops.pem), "\n", "\n      ") + "\n"
	cat, err := catalog.Load("catalog.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var inputs []catalog.Input
	for tag, digest := range map[string]name.Digest{"12": s.image, "13": unsigned} {
		inputs = append(inputs, catalog.Input{
			Kind: catalog.KindImage, Role: catalog.RoleBase, Platform: "linux/amd64", Written: tag, Ref: s.server.Ref("base/debian:" + tag), Digest: digest.DigestStr(), Reachable: true,
		})
	}
	ask := func(signatures catalog.SignatureFacts) (*catalog.Plan, error) {
		return cat.Plan(t.Context(), catalog.Question{Inputs: inputs}, catalog.FactSet{Facts: s.client, Signatures: signatures})
	}
	plan, err := ask(cosign.New(s.client))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range plan.Decisions {
		if want := map[string]string{"12": "allow 12", "13": "deny 13 (DF1014)"}[d.Input.Written]; catalogtest.Line(d) != want {
			t.Errorf("got %s, want %s", catalogtest.Line(d), want)
		}
	}
	if plan, err := ask(nil); plan != nil || err == nil {
		t.Errorf("nobody checks signatures: %v, %v", plan, err)
	}
}
