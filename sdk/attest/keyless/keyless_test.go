package keyless_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/keyless"
)

const (
	issuer  = "https://login.example"
	subject = "build@example.com"
)

// authority is a certificate authority and a timestamp authority in this process, which speak Fulcio's protocol and RFC
// 3161, and whose roots go through the JSON that organisations hand out.
type authority struct {
	server *httptest.Server
	roots  keyless.Roots
	clock  func() time.Time // of the timestamps
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	rootCert, rootKey, err := ca.GenerateRootCa()
	if err != nil {
		t.Fatal(err)
	}
	intermediate, intermediateKey, err := ca.GenerateFulcioIntermediate(rootCert, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	tsaIntermediate, tsaIntermediateKey, err := ca.GenerateTSAIntermediate(rootCert, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	tsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tsaLeaf, err := ca.GenerateTSALeafCert(time.Now().Add(-5*time.Minute), tsaKey, tsaIntermediate, tsaIntermediateKey)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{clock: time.Now}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v2/signingCert", func(w http.ResponseWriter, r *http.Request) {
		cert, err := issue(r, intermediate, intermediateKey)
		if err != nil {
			http.Error(w, err.Error()+": "+r.Header.Get("Authorization"), http.StatusBadRequest) // as careless as servers are
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": []string{string(cert)}}}})
	})
	mux.HandleFunc("POST /timestamp", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		req, err := timestamp.ParseRequest(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		stamp := timestamp.Timestamp{
			HashAlgorithm: req.HashAlgorithm, HashedMessage: req.HashedMessage, Time: a.clock(),
			Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
		}
		answer, err := stamp.CreateResponseWithOpts(tsaLeaf, tsaKey, crypto.SHA256)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(answer)
	})
	a.server = httptest.NewServer(mux)
	t.Cleanup(a.server.Close)

	validity := time.Now().Add(-time.Hour)
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: rootCert, Intermediates: []*x509.Certificate{intermediate}, ValidityPeriodStart: validity, URI: a.server.URL}},
		nil,
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{Root: rootCert, Intermediates: []*x509.Certificate{tsaIntermediate}, Leaf: tsaLeaf, ValidityPeriodStart: validity, URI: a.server.URL}},
		nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := trusted.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if a.roots, err = keyless.LoadRoots(raw); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue is what Fulcio does: the certificate names whom the token names, for the key that the request proves to have.
func issue(r *http.Request, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) ([]byte, error) {
	parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
	if len(parts) != 3 || parts[2] != "c2lnbmVk" {
		return nil, errors.New("the token is not signed")
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	var who struct{ Email, Iss string }
	if err := json.Unmarshal(claims, &who); err != nil {
		return nil, err
	}
	var body struct {
		PublicKeyRequest struct {
			PublicKey         struct{ Content string }
			ProofOfPossession []byte
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(body.PublicKeyRequest.PublicKey.Content))
	if block == nil {
		return nil, errors.New("no public key")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	verifier, err := signature.LoadDefaultVerifier(public)
	if err != nil {
		return nil, err
	}
	if err := verifier.VerifySignature(bytes.NewReader(body.PublicKeyRequest.ProofOfPossession), strings.NewReader(who.Email)); err != nil {
		return nil, fmt.Errorf("proof of possession: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), EmailAddresses: []string{who.Email},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(who.Iss)}},
	}, parent, public, parentKey)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// token is an identity provider's, whose signature the authority takes at its word.
func token(signed string) string {
	part := func(v any) string {
		raw, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	return part(map[string]string{"alg": "ES256"}) + "." + part(map[string]any{"email": subject, "email_verified": true, "iss": issuer, "sub": subject}) + "." + signed
}

func (a *authority) signer(t *testing.T, token string) *keyless.Signer {
	t.Helper()
	s, err := keyless.NewSigner(keyless.Options{
		Fulcio: a.server.URL, TimestampAuthorities: []string{a.server.URL + "/timestamp"},
		Token: func(context.Context) (string, error) { return token, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func verifier(t *testing.T, roots keyless.Roots, identities ...keyless.Identity) *keyless.Verifier {
	t.Helper()
	v, err := keyless.NewVerifier(roots, identities...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const statement = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"app","digest":{"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}],"predicateType":"https://example.com/v1","predicate":{}}`

func TestSignAndVerify(t *testing.T) {
	a := newAuthority(t)
	bundle, err := a.signer(t, token("c2lnbmVk")).Sign(t.Context(), attest.StatementMediaType, []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	// What is stored is what is verified, with no network.
	a.server.Close()
	stored, err := attest.ParseBundle(bundle.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().AddDate(1, 0, 0)
	for _, test := range []struct {
		name     string
		identity keyless.Identity
		at       time.Time
		want     string
	}{
		{"the signer, a year later", keyless.Identity{Issuer: issuer, Subject: subject}, later, ""},
		{"by a pattern", keyless.Identity{Issuer: issuer, SubjectPattern: `[a-z]+@example\.com`}, later, ""},
		{"by a pattern that fits a part", keyless.Identity{Issuer: issuer, SubjectPattern: `example\.com`}, later, "not signed by anyone trusted"},
		{"somebody else", keyless.Identity{Issuer: issuer, Subject: "ops@example.com"}, later, "not signed by anyone trusted"},
		{"of another provider", keyless.Identity{Issuer: "https://login.example.evil", Subject: subject}, later, "not signed by anyone trusted"},
		{"before it was signed", keyless.Identity{Issuer: issuer, Subject: subject}, time.Now().Add(-time.Hour), "it is signed at"},
	} {
		t.Run(test.name, func(t *testing.T) {
			by, err := verifier(t, a.roots, test.identity).Verify(t.Context(), stored, test.at)
			switch {
			case test.want == "" && (err != nil || by != attest.Identity{Name: subject, Issuer: issuer}):
				t.Errorf("got %v, %v", by, err)
			case test.want != "" && (!errors.Is(err, attest.ErrUntrusted) || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, %v; want %q", by, err, test.want)
			}
		})
	}
}

func TestUntrusted(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	id := keyless.Identity{Issuer: issuer, Subject: subject}
	sign := func(a *authority) *attest.Bundle {
		bundle, err := a.signer(t, token("c2lnbmVk")).Sign(t.Context(), attest.StatementMediaType, []byte(statement))
		if err != nil {
			t.Fatal(err)
		}
		return bundle
	}
	good := sign(a)
	if _, err := verifier(t, other.roots, id).Verify(t.Context(), good, time.Now().Add(time.Minute)); !errors.Is(err, attest.ErrUntrusted) {
		t.Errorf("another authority: %v", err)
	}
	swapped := strings.Replace(string(good.Bytes()), base64.StdEncoding.EncodeToString([]byte(statement)), base64.StdEncoding.EncodeToString([]byte(strings.Replace(statement, "aaa", "bbb", 1))), 1)
	b, err := attest.ParseBundle([]byte(swapped))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier(t, a.roots, id).Verify(t.Context(), b, time.Now().Add(time.Minute)); !errors.Is(err, attest.ErrUntrusted) {
		t.Errorf("swapped payload: %v", err)
	}
	a.clock = func() time.Time { return time.Now().Add(4 * time.Minute) } // within the timestamp authority's time, not yet here
	late := sign(a)
	if _, err := verifier(t, a.roots, id).Verify(t.Context(), late, time.Now()); !errors.Is(err, attest.ErrUntrusted) {
		t.Errorf("signed in the future: %v", err)
	}
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	withKey, err := key.Sign(t.Context(), attest.StatementMediaType, []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier(t, a.roots, id).Verify(t.Context(), withKey, time.Now()); !errors.Is(err, attest.ErrUntrusted) {
		t.Errorf("signed with a key: %v", err)
	}
	if _, err := (attest.Keys{{Key: key.Public()}}).Verify(t.Context(), good, time.Now()); !errors.Is(err, attest.ErrUntrusted) || !strings.Contains(err.Error(), "a certificate") {
		t.Errorf("a certificate where keys are trusted: %v", err)
	}
}

// Entries of a transparency log give the time too.
func TestTransparencyLog(t *testing.T) {
	virtual, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	cert, private, err := virtual.GenerateLeafCert(subject, issuer)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signature.LoadDefaultSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := signer.SignMessage(bytes.NewReader(dsse.PAE(attest.StatementMediaType, []byte(statement))))
	if err != nil {
		t.Fatal(err)
	}
	envelope := &dsse.Envelope{
		PayloadType: attest.StatementMediaType, Payload: base64.StdEncoding.EncodeToString([]byte(statement)),
		Signatures: []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(sig)}},
	}
	signed := time.Now().Add(time.Minute)
	entry, err := virtual.GenerateTlogEntry(cert, envelope, sig, signed.Unix(), true)
	if err != nil {
		t.Fatal(err)
	}
	logged := entry.TransparencyLogEntry()
	logged.KindVersion = &rekorpb.KindVersion{Kind: "dsse", Version: "0.0.1"}
	promise, err := virtual.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(logged.GetCanonicalizedBody()), IntegratedTime: signed.Unix(),
		LogIndex: logged.GetLogIndex(), LogID: hex.EncodeToString(logged.GetLogId().GetKeyId()),
	})
	if err != nil {
		t.Fatal(err)
	}
	logged.InclusionPromise = &rekorpb.InclusionPromise{SignedEntryTimestamp: promise}
	bundle, err := attest.NewBundle(&bundlepb.Bundle{
		MediaType: attest.BundleMediaType,
		VerificationMaterial: &bundlepb.VerificationMaterial{
			Content:     &bundlepb.VerificationMaterial_Certificate{Certificate: &commonpb.X509Certificate{RawBytes: cert.Raw}},
			TlogEntries: []*rekorpb.TransparencyLogEntry{logged},
		},
		Content: &bundlepb.Bundle_DsseEnvelope{DsseEnvelope: &dssepb.Envelope{
			PayloadType: attest.StatementMediaType, Payload: []byte(statement), Signatures: []*dssepb.Signature{{Sig: sig}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, keyless.NewRoots(virtual), keyless.Identity{Issuer: issuer, Subject: subject})
	if by, err := v.Verify(t.Context(), bundle, signed.Add(time.Hour)); err != nil || by.Name != subject {
		t.Errorf("got %v, %v", by, err)
	}
}

// A token is as good as a key while it lasts: no error has it, even where a server sends it back.
func TestTokensDoNotShow(t *testing.T) {
	a := newAuthority(t)
	secret := token("dW5zaWduZWQtc2VjcmV0")
	_, err := a.signer(t, secret).Sign(t.Context(), attest.StatementMediaType, []byte(statement))
	if err == nil || strings.Contains(err.Error(), "dW5zaWduZWQtc2VjcmV0") || strings.Contains(err.Error(), strings.Split(secret, ".")[1]) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(err.Error(), "the token is not signed") {
		t.Errorf("the reason is lost: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.signer(t, token("c2lnbmVk")).Sign(ctx, attest.StatementMediaType, []byte(statement)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestHalfMade(t *testing.T) {
	tok := func(context.Context) (string, error) { return "", errors.New("no token here") }
	for _, opts := range []keyless.Options{
		{},
		{Fulcio: "https://fulcio.example"},
		{Fulcio: "https://fulcio.example", Token: tok},
		{Token: tok, Logs: []string{"https://rekor.example"}},
	} {
		if s, err := keyless.NewSigner(opts); err == nil || s != nil {
			t.Errorf("%+v was accepted", opts)
		}
	}
	a := newAuthority(t)
	for _, ids := range [][]keyless.Identity{nil, {{}}, {{Issuer: issuer}}, {{Subject: subject}}, {{Issuer: issuer, SubjectPattern: "("}}} {
		if v, err := keyless.NewVerifier(a.roots, ids...); err == nil || v != nil {
			t.Errorf("%+v was accepted", ids)
		}
	}
	if _, err := keyless.NewVerifier(keyless.Roots{}, keyless.Identity{Issuer: issuer, Subject: subject}); err == nil {
		t.Error("no roots were accepted")
	}
	if _, err := keyless.LoadRoots([]byte("{}")); err == nil {
		t.Error("an empty root was accepted")
	}
}

// A CI job gives its own token; whoever verifies names the job.
func Example() {
	signer, err := keyless.NewSigner(keyless.Options{
		Fulcio:               "https://fulcio.example",
		TimestampAuthorities: []string{"https://timestamp.example/api/v1/timestamp"},
		Token:                func(context.Context) (string, error) { return "", errors.New("this job has no token") },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = signer.Sign(context.Background(), attest.StatementMediaType, []byte("{}"))
	fmt.Println(err)
	// Output: identity token: this job has no token
}
