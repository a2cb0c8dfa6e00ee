package kms_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	sigstore "github.com/sigstore/sigstore/pkg/signature/kms"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/kms"
)

// service is a key management service in this process.
type service struct {
	signature.SignerVerifier
	calls []string
	fail  error
}

func (s *service) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	ctx := context.Background()
	for _, o := range opts {
		o.ApplyContext(&ctx)
	}
	s.calls = append(s.calls, fmt.Sprint("sign ", ctx.Value(key{})))
	if s.fail != nil {
		return nil, s.fail
	}
	return s.SignerVerifier.SignMessage(message, opts...)
}

func (s *service) CreateKey(context.Context, string) (crypto.PublicKey, error) { return nil, nil }
func (s *service) SupportedAlgorithms() []string                               { return nil }
func (s *service) DefaultAlgorithm() string                                    { return "" }
func (s *service) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, nil
}

type key struct{}

func open(t testing.TB) (*service, *attest.Key) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := signature.LoadSignerVerifier(private, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{SignerVerifier: inner}
	kms.Register("testkms://"+t.Name()+"/", func(context.Context, string, crypto.Hash, ...signature.RPCOption) (sigstore.SignerVerifier, error) {
		return s, nil
	})
	k, err := kms.Open(t.Context(), "testkms://"+t.Name()+"/build")
	if err != nil {
		t.Fatal(err)
	}
	return s, k
}

func TestSign(t *testing.T) {
	s, k := open(t)
	bundle, err := k.Sign(context.WithValue(t.Context(), key{}, "the caller's"), "text/plain", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.calls) != 1 || s.calls[0] != "sign the caller's" {
		t.Errorf("the service got %q", s.calls)
	}
	if _, err := (attest.Keys{{Key: k.Public()}}).Verify(t.Context(), bundle, time.Now()); err != nil {
		t.Error(err)
	}
	if _, err := k.MarshalEncrypted(nil); !errors.Is(err, attest.ErrElsewhere) {
		t.Errorf("got %v", err)
	}
	s.fail = errors.New("access denied")
	if _, err := k.Sign(t.Context(), "text/plain", nil); err == nil || !strings.Contains(err.Error(), k.Public().ID()+": access denied") {
		t.Errorf("got %v", err)
	}
}

func TestUnknownService(t *testing.T) {
	for _, ref := range []string{"", "nothing", "nokms://build"} {
		if k, err := kms.Open(t.Context(), ref); err == nil || k != nil || !strings.Contains(err.Error(), "does the program import the provider") {
			t.Errorf("%q: got %v, %v", ref, k, err)
		}
	}
}

func Example() {
	// The program imports its provider, such as github.com/sigstore/sigstore/pkg/signature/kms/aws.
	_, err := kms.Open(context.Background(), "awskms:///alias/build")
	fmt.Println(strings.HasSuffix(err.Error(), "does the program import the provider of this service?"))
	// Output: true
}
