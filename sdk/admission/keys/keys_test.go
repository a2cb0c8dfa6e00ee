package keys_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/keys"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

func newKey() (*attest.Key, attest.Keys) {
	key, err := attest.GenerateKey(attest.Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	return key, attest.Keys{{Name: "ops", Key: key.Public(), Until: now.Add(time.Hour)}}
}

func Example() {
	ctx := context.Background()
	key, trusted := newKey()
	b := bundle.NewBuilder(bundle.Header{Name: "production", Version: 1, Issued: now, Expires: now.Add(time.Hour)})
	var file bytes.Buffer
	if err := b.Write(ctx, &file, keys.Signer(key)); err != nil {
		log.Fatal(err)
	}
	deny, err := bundle.Load(ctx, file.Bytes(), keys.Verifier(trusted, clock))
	fmt.Println(deny.Header().Name, err)
	// Output: production <nil>
}

func TestVerifyRefuses(t *testing.T) {
	key, trusted := newKey()
	_, others := newKey()
	signed := func(kind string) []byte {
		envelope, err := keys.Signer(key).Sign(t.Context(), kind, []byte("payload"))
		if err != nil {
			t.Fatal(err)
		}
		return envelope
	}
	good := signed("a")
	if payload, err := keys.Verifier(trusted, clock).Verify(t.Context(), "a", good); err != nil || string(payload) != "payload" {
		t.Fatalf("%q, %v", payload, err)
	}
	tests := []struct {
		name     string
		trusted  attest.Keys
		at       time.Time
		envelope []byte
	}{
		{"another key", others, now, good},
		{"no key", nil, now, good},
		{"a key that has ended", trusted, now.Add(2 * time.Hour), good},
		{"another type of payload", trusted, now, signed("b")},
		{"no envelope", trusted, now, nil},
		{"half an envelope", trusted, now, good[:len(good)/2]},
		{"another payload", trusted, now, bytes.Replace(good, []byte("cGF5bG9hZA=="), []byte("cGF5bG9hZQ=="), 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			payload, err := keys.Verifier(tt.trusted, func() time.Time { return tt.at }).Verify(t.Context(), "a", tt.envelope)
			if err == nil || payload != nil {
				t.Errorf("%q, %v", payload, err)
			}
		})
	}
}

func TestSignerThatFails(t *testing.T) {
	want := errors.New("no key today")
	_, err := keys.Signer(failing{want}).Sign(t.Context(), "a", nil)
	if !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Sign(context.Context, string, []byte) (*attest.Bundle, error) { return nil, f.err }
