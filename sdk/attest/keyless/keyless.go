// Package keyless signs without a key to keep: each signature has a key of its own, for which a certificate authority
// (Fulcio) vouches because an identity provider (OpenID Connect) vouched for the signer. Who signed is then a name, such as
// that of a CI workflow, and what is trusted is the authority and the names.
//
//	signer, err := keyless.NewSigner(keyless.Options{Fulcio: "https://fulcio.example", TimestampAuthorities: tsa, Token: token})
//	...
//	roots, err := keyless.LoadRoots(trustedRootJSON)
//	verifier, err := keyless.NewVerifier(roots, keyless.Identity{Issuer: "https://git.example", Subject: "https://git.example/ops/build"})
//
// The certificates last some minutes, so somebody else has to say when the signature was made: a timestamp authority (RFC
// 3161), a transparency log (Rekor), or both. Verification needs no network: all that it takes is in the bundle and in the
// roots.
//
// The package brings all of sigstore-go along; package attest does without.
package keyless

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

// Options are the services that a signature takes. Fulcio and Token are required, and one of TimestampAuthorities and Logs.
type Options struct {
	// Fulcio is the certificate authority's URL.
	Fulcio string
	// Token returns the signer's OIDC token, for the audience that the authority asks for; in CI the platform gives it. It is
	// asked for each signature, and shows up in no error.
	Token func(ctx context.Context) (string, error)
	// TimestampAuthorities are URLs, with their paths.
	TimestampAuthorities []string
	// Logs are URLs of transparency logs (Rekor, version 1). What is signed becomes public there, where a log is.
	Logs []string
	// Transport makes the requests. Nil means http.DefaultTransport's way, with the environment's proxy.
	Transport http.RoundTripper
	// Timeout limits each request. 0 means 30 s.
	Timeout time.Duration
	// Retries is how often a request is sent again that was answered with 429 or 5xx. 0 means never.
	Retries uint
}

// Signer is an attest.Signer. It is safe for concurrent use.
type Signer struct{ opts Options }

var _ attest.Signer = (*Signer)(nil)

// NewSigner checks the options. Nothing is asked yet.
func NewSigner(opts Options) (*Signer, error) {
	switch {
	case opts.Fulcio == "" || opts.Token == nil:
		return nil, errors.New("keyless signing needs a certificate authority (Fulcio) and a token for it (Token)")
	case len(opts.TimestampAuthorities)+len(opts.Logs) == 0:
		return nil, errors.New("keyless signing needs somebody to say when: a timestamp authority or a transparency log; the certificate is over in minutes")
	}
	return &Signer{opts: opts}, nil
}

// Sign implements attest.Signer: a new key, a certificate for it, a signature, and its time.
func (s *Signer) Sign(ctx context.Context, payloadType string, payload []byte) (*attest.Bundle, error) {
	token, err := s.opts.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("identity token: %w", err)
	}
	key, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		return nil, err
	}
	opts := sign.BundleOptions{
		Context: ctx,
		CertificateProvider: sign.NewFulcio(&sign.FulcioOptions{
			BaseURL: s.opts.Fulcio, Timeout: s.opts.Timeout, Retries: s.opts.Retries, Transport: s.transport(ctx),
		}),
		CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: token},
	}
	for _, url := range s.opts.TimestampAuthorities {
		opts.TimestampAuthorities = append(opts.TimestampAuthorities, sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{
			URL: url, Timeout: s.opts.Timeout, Retries: s.opts.Retries, Transport: s.transport(ctx),
		}))
	}
	for _, url := range s.opts.Logs {
		opts.TransparencyLogs = append(opts.TransparencyLogs, sign.NewRekor(&sign.RekorOptions{
			BaseURL: url, Timeout: s.opts.Timeout, Retries: s.opts.Retries, Version: 1,
		}))
	}
	bundle, err := sign.Bundle(&sign.DSSEData{Data: payload, PayloadType: payloadType}, key, opts)
	if err != nil {
		return nil, fmt.Errorf("sign with a certificate of %s: %w", s.opts.Fulcio, clean(err, token))
	}
	return attest.NewBundle(bundle)
}

// transport ends requests with the context, which sigstore-go does not give them.
func (s *Signer) transport(ctx context.Context) http.RoundTripper {
	inner := s.opts.Transport
	if inner == nil {
		inner = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	}
	return roundTripper(func(req *http.Request) (*http.Response, error) { return inner.RoundTrip(req.WithContext(ctx)) })
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
