package callers_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
)

// issuer is a CI system that issues tokens.
type issuer struct {
	*httptest.Server
	key  *rsa.PrivateKey
	kid  string
	down bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, kid: "one"}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if i.down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: i.kid, Algorithm: "RS256", Use: "sig"}}})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// claims are those of a good token.
func (i *issuer) claims() map[string]any {
	return map[string]any{
		"iss": i.URL, "aud": "https://builds.example", "sub": "repo:team/pay:ref:refs/heads/main", "jti": "t1",
		"iat": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix(), "repository": "team/pay", "ref": "refs/heads/main", "run_attempt": 2,
	}
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func with(claims map[string]any, name string, value any) map[string]any {
	claims[name] = value
	return claims
}

func TestTokensThatProveNothing(t *testing.T) {
	i := newIssuer(t)
	o, err := callers.NewOIDC([]callers.Issuer{{Name: "github", URL: i.URL, Audience: "https://builds.example"}}, callers.OIDCOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := sign(t, jose.RS256, i.key, "one", i.claims())
	c, err := o.Authenticate(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "github:repo:team/pay:ref:refs/heads/main" || c.Claims["repository"] != "team/pay" || c.Claims["run_attempt"] != "2" || c.TokenID == "" {
		t.Errorf("the caller is %+v", c)
	}
	none := func() string {
		payload, _ := json.Marshal(i.claims())
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
	}
	parts := strings.Split(good, ".")
	public := i.key.N.Bytes()
	for name, token := range map[string]string{
		"empty":                    "",
		"no token":                 "plimsoll_x",
		"three words":              "a.b.c",
		"algorithm none":           none(),
		"HMAC with the public key": sign(t, jose.HS256, public, "one", i.claims()),
		"wrong audience":           sign(t, jose.RS256, i.key, "one", with(i.claims(), "aud", "https://other.example")),
		"no audience":              sign(t, jose.RS256, i.key, "one", with(i.claims(), "aud", nil)),
		"expired":                  sign(t, jose.RS256, i.key, "one", with(i.claims(), "exp", time.Now().Add(-time.Minute).Unix())),
		"no end":                   sign(t, jose.RS256, i.key, "one", with(i.claims(), "exp", nil)),
		"from tomorrow on":         sign(t, jose.RS256, i.key, "one", with(i.claims(), "nbf", time.Now().Add(24*time.Hour).Unix())),
		"another issuer":           sign(t, jose.RS256, i.key, "one", with(i.claims(), "iss", "https://evil.example")),
		"unknown key":              sign(t, jose.RS256, stranger, "two", i.claims()),
		"another key of that name": sign(t, jose.RS256, stranger, "one", i.claims()),
		"changed":                  parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+i.URL+`","aud":"https://builds.example","exp":9999999999}`)) + "." + parts[2],
	} {
		if c, err := o.Authenticate(t.Context(), token); !errors.Is(err, callers.ErrDenied) || c != nil {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := o.Authenticate(t.Context(), sign(t, jose.RS256, i.key, "one", with(i.claims(), "exp", time.Now().Add(-10*time.Second).Unix()))); err != nil {
		t.Errorf("ten seconds late, which may be the clock: %v", err)
	}
	i.key, i.kid = stranger, "two"
	if _, err := o.Authenticate(t.Context(), sign(t, jose.RS256, stranger, "two", i.claims())); err != nil {
		t.Errorf("after the issuer changed its key: %v", err)
	}
}

func TestAnIssuerThatIsDown(t *testing.T) {
	i := newIssuer(t)
	i.down = true
	now := time.Now()
	o, err := callers.NewOIDC([]callers.Issuer{{Name: "gitlab", URL: i.URL, Audience: "https://builds.example"}},
		callers.OIDCOptions{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	token := sign(t, jose.RS256, i.key, "one", i.claims())
	if _, err := o.Authenticate(t.Context(), token); err == nil || errors.Is(err, callers.ErrDenied) {
		t.Errorf("the error is %v, want one that says that it can't be known", err)
	}
	i.down = false
	now = now.Add(10 * time.Second)
	if _, err := o.Authenticate(t.Context(), token); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

func TestGrants(t *testing.T) {
	c := &callers.Caller{Issuer: "github", Claims: map[string]string{"repository": "team/pay", "ref": "refs/heads/main"}}
	for name, test := range map[string]struct {
		grant callers.Grant
		want  bool
	}{
		"fits":                 {callers.Grant{Issuer: "github", Claims: map[string]string{"repository": "team/pay"}}, true},
		"pattern":              {callers.Grant{Issuer: "github", Claims: map[string]string{"repository": "team/*"}}, true},
		"a star ends at /":     {callers.Grant{Issuer: "github", Claims: map[string]string{"repository": "*"}}, false},
		"other issuer":         {callers.Grant{Issuer: "gitlab", Claims: map[string]string{"repository": "team/pay"}}, false},
		"one claim does not":   {callers.Grant{Issuer: "github", Claims: map[string]string{"repository": "team/pay", "ref": "refs/tags/*"}}, false},
		"a claim that is not":  {callers.Grant{Issuer: "github", Claims: map[string]string{"environment": ""}}, false},
		"no claims at all":     {callers.Grant{Issuer: "github"}, false},
		"a token":              {callers.Grant{Token: "pay-ci"}, false},
		"neither":              {callers.Grant{}, false},
		"a pattern not closed": {callers.Grant{Issuer: "github", Claims: map[string]string{"repository": "[", "ref": "*"}}, false},
	} {
		test.grant.Rights = []callers.Right{callers.Build}
		if got := callers.Allowed([]callers.Grant{test.grant}, c, callers.Read); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := (callers.Static{Tokens: map[string]string{"x": "plimsoll_secret"}}).Check(); err == nil {
		t.Error("a token that is not hashed was taken")
	}
	nobody := callers.Chain{callers.Static{}}
	if _, err := nobody.Authenticate(t.Context(), ""); !errors.Is(err, callers.ErrDenied) {
		t.Errorf("an empty token: %v", err)
	}
}
