package artifact_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/artifact"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

var (
	now  = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	kind = artifact.Kind{Name: "production", MediaType: "application/vnd.example.catalog.v1+yaml"}
)

// desk is a publisher with a key, a registry, and who reads from it.
type desk struct {
	key    *attest.Key
	server *registrytest.Server
	client *registry.Client
	want   artifact.Want
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{key: newKey(t), client: registry.New(registry.Options{Retries: -1})}
	t.Cleanup(d.client.Close)
	var err error
	if d.server, err = registrytest.Start(registrytest.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.server.Close() })
	d.want = artifact.Want{Kind: kind, Trust: attest.Keys{{Name: "ops", Key: d.key.Public()}}, At: now}
	return d
}

func newKey(t *testing.T) *attest.Key {
	t.Helper()
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (d *desk) sign(t *testing.T, key attest.Signer, c artifact.Content) *artifact.Signed {
	t.Helper()
	signed, err := artifact.Sign(t.Context(), key, c)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (d *desk) push(t *testing.T, signed *artifact.Signed) string {
	t.Helper()
	ref, err := artifact.Push(t.Context(), d.client, d.server.Ref("ops/catalog"), signed, registry.PushOptions{Tags: []string{"current"}})
	if err != nil {
		t.Fatal(err)
	}
	return ref.Name()
}

func content(version uint64, data string) artifact.Content {
	return artifact.Content{Kind: kind, Version: version, Created: now, Data: []byte(data)}
}

func TestPushAndPull(t *testing.T) {
	d := newDesk(t)
	ref := d.push(t, d.sign(t, d.key, content(7, "version: 1\n")))
	for _, ref := range []string{ref, d.server.Ref("ops/catalog:current")} {
		d.server.Reset()
		got, err := artifact.Pull(t.Context(), d.client, ref, d.want)
		if err != nil {
			t.Fatal(err)
		}
		if string(got.Data) != "version: 1\n" || got.Version != 7 || got.Kind != kind || got.By.Name != "ops" ||
			!strings.HasSuffix(ref, got.Manifest.String()) && !strings.HasSuffix(ref, ":current") {
			t.Errorf("got %+v", got)
		}
		requests := slices.DeleteFunc(d.server.Requests(), func(r registrytest.Request) bool { return r.Path == "/v2/" })
		if len(requests) != 1 {
			t.Errorf("pulling took %v", requests)
		}
	}
}

// A document that is too large to be embedded is a blob like any other.
func TestLargeDocument(t *testing.T) {
	d := newDesk(t)
	large := strings.Repeat("- repository: registry.example/base/demo\n", 50_000)
	d.push(t, d.sign(t, d.key, content(1, large)))
	ref := d.server.Ref("ops/catalog:current")
	got, err := artifact.Pull(t.Context(), d.client, ref, d.want)
	if err != nil || string(got.Data) != large {
		t.Fatalf("got %d bytes, %v", len(got.Data), err)
	}
	d.want.MaxBytes = 1 << 20
	if _, err := artifact.Pull(t.Context(), d.client, ref, d.want); !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestAttacks(t *testing.T) {
	d := newDesk(t)
	thief := newKey(t)
	at := func(version uint64, change func(*artifact.Content)) *artifact.Signed {
		c := content(version, "version: 1\n")
		change(&c)
		return d.sign(t, d.key, c)
	}
	none := func(*artifact.Content) {}
	seven := at(7, none)
	opened, err := seven.Open(t.Context(), d.want)
	if err != nil {
		t.Fatal(err)
	}
	provenance, err := attest.NewStatement("https://slsa.dev/provenance/v1", struct{}{}, attest.NewSubject("x", opened.Digest))
	if err != nil {
		t.Fatal(err)
	}
	confused, err := provenance.Sign(t.Context(), d.key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.key.Sign(t.Context(), "text/plain", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		signed *artifact.Signed
		change func(*artifact.Want)
		want   error
	}{
		{"wrong key", d.sign(t, thief, content(7, "version: 1\n")), nil, attest.ErrUntrusted},
		{"nobody is trusted", seven, func(w *artifact.Want) { w.Trust = attest.Keys{} }, attest.ErrUntrusted},
		{"key that ended", seven, func(w *artifact.Want) {
			w.Trust = attest.Keys{{Key: d.key.Public(), Until: now}}
		}, attest.ErrUntrusted},
		{"swapped document", &artifact.Signed{Data: []byte("version: 2\n"), Bundle: seven.Bundle}, nil, attest.ErrUntrusted},
		{"other name", at(7, func(c *artifact.Content) { c.Name = "staging" }), nil, artifact.ErrKind},
		{"other type", at(7, func(c *artifact.Content) { c.MediaType = "application/vnd.example.deny.v1+json" }), nil, artifact.ErrKind},
		{"another statement of the same key", &artifact.Signed{Data: seven.Data, Bundle: confused}, nil, artifact.ErrKind},
		{"no statement", &artifact.Signed{Data: seven.Data, Bundle: text}, nil, attest.ErrMalformed},
		{"expired", at(7, func(c *artifact.Content) { c.Expires = now }), nil, artifact.ErrExpired},
		{"rolled back", seven, func(w *artifact.Want) { w.Seen.Version = 8 }, artifact.ErrRollback},
		{"two of one version", seven, func(w *artifact.Want) {
			w.Seen = artifact.Seen{Version: 7}
			w.Seen.Digest.Algorithm, w.Seen.Digest.Hex = "sha256", strings.Repeat("0", 64)
		}, artifact.ErrRollback},
		{"the same again", seven, func(w *artifact.Want) { w.Seen = opened.Seen() }, nil},
		{"newer", at(9, func(c *artifact.Content) { c.Expires = now.Add(time.Hour) }), func(w *artifact.Want) { w.Seen = opened.Seen() }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := d.want
			if test.change != nil {
				test.change(&want)
			}
			got, err := test.signed.Open(t.Context(), want)
			if !errors.Is(err, test.want) || (err == nil) != (got != nil) {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestNothingIsOpenedWithoutTrust(t *testing.T) {
	d := newDesk(t)
	signed := d.sign(t, d.key, content(7, "version: 1\n"))
	for name, want := range map[string]artifact.Want{
		"nothing":  {},
		"no trust": {Kind: kind, At: now},
		"no time":  {Kind: kind, Trust: d.want.Trust},
		"no kind":  {Trust: d.want.Trust, At: now},
		"no type":  {Kind: artifact.Kind{Name: "production"}, Trust: d.want.Trust, At: now},
	} {
		if got, err := signed.Open(t.Context(), want); err == nil || got != nil {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

// What a registry, or whoever sits in between, can do to a document.
func TestBadRegistry(t *testing.T) {
	d := newDesk(t)
	ref := d.push(t, d.sign(t, d.key, content(7, "version: 1\n")))
	img, err := registrytest.Image(map[string]string{"a": "b"}, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.server.Push(t.Context(), "ops/image:1", img); err != nil {
		t.Fatal(err)
	}
	bare, err := d.client.PushArtifact(t.Context(), d.server.Ref("ops/catalog"), registry.Artifact{
		Type: kind.MediaType, Blobs: []registry.Blob{{MediaType: kind.MediaType, Data: []byte("version: 1\n")}},
	}, registry.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, ref string
		fault     registrytest.Fault
		want      error
	}{
		{"an image", d.server.Ref("ops/image:1"), nil, registry.ErrInvalid},
		{"no signature", bare.Name(), nil, attest.ErrMalformed},
		{"nothing there", d.server.Ref("ops/catalog:old"), nil, registry.ErrNotFound},
		{"another manifest", ref, registrytest.Answer([]byte(`{"schemaVersion":2}`)), registry.ErrInvalid},
		{"not available", ref, registrytest.Status(http.StatusServiceUnavailable, nil), registry.ErrUnavailable},
		{"huge", ref, registrytest.Answer(bytes.Repeat([]byte(" "), 5<<20)), registry.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			d.server.Reset()
			if test.fault != nil {
				d.server.Inject(registrytest.Rule{Path: "/manifests/", Fault: test.fault})
			}
			got, err := artifact.Pull(t.Context(), d.client, test.ref, d.want)
			if !errors.Is(err, test.want) || got != nil {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestSignedInAFile(t *testing.T) {
	d := newDesk(t)
	raw, err := json.Marshal(d.sign(t, d.key, content(7, "version: 1\n")))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := artifact.ParseSigned(raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signed.Open(t.Context(), d.want); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "{}", "[]", `{"data":"!"}`, string(raw[:len(raw)/2])} {
		if _, err := artifact.ParseSigned([]byte(bad)); !errors.Is(err, attest.ErrMalformed) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}
