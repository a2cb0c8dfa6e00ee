package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// What callers branch on. An [Error] wraps one of them, or the context's error, or none when the question was wrong.
var (
	// ErrNotFound: the registry answered that there is no such thing.
	ErrNotFound = errors.New("not found")
	// ErrUnauthorized: the registry refused the credentials. Many registries also say so of what does not exist.
	ErrUnauthorized = errors.New("not authorized")
	// ErrUnavailable: no useful answer could be had: the registry is down, too slow or too busy. It may pass.
	ErrUnavailable = errors.New("unavailable")
	// ErrInvalid: what came or was to be sent is not what its digest or type says, or too large.
	ErrInvalid = errors.New("invalid")
)

// Error is an operation on a registry that failed. It wraps one of the sentinels and the cause.
type Error struct {
	// Op is "resolve", "tags", "read" or "push".
	Op string
	// Ref is the reference or repository as it was given.
	Ref string
	// Status is the HTTP status, 0 if there was no answer.
	Status int
	// Kind is one of the package's sentinels, or nil.
	Kind error
	// Help says what to do next.
	Help string
	// Err is the cause.
	Err error
}

// Error names the reference, the operation, what the registry said and what to do. It has no URL, header or secret.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: ", e.Ref, e.Op)
	if e.Kind != nil {
		fmt.Fprintf(&b, "%v: ", e.Kind)
	}
	b.WriteString(reason(e.Err))
	if e.Help != "" {
		b.WriteString("; " + e.Help)
	}
	return b.String()
}

// Unwrap returns Kind and Err.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// reason is the innermost text that still says what happened: URLs, which may carry tokens, are left out.
func reason(err error) string {
	var (
		attempts *attemptsError
		terr     *transport.Error
		uerr     *url.Error
		cert     *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &cert):
		return cert.Error()
	case errors.As(err, &attempts) && attempts.n == 1:
		return reason(attempts.err)
	case errors.As(err, &attempts):
		return fmt.Sprintf("%s (tried %d times)", reason(attempts.err), attempts.n)
	case errors.As(err, &terr):
		said := []string{fmt.Sprintf("%d %s", terr.StatusCode, strings.ToLower(http.StatusText(terr.StatusCode)))}
		for _, d := range terr.Errors {
			said = append(said, fmt.Sprintf("%s %q", d.Code, shorten(d.Message, 200)))
		}
		return strings.Join(said, ", ")
	case errors.As(err, &uerr):
		return reason(uerr.Err)
	}
	return shorten(err.Error(), 500)
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}

// fail makes an [Error] of whatever go-containerregistry or the network gave. Target is what the credentials are for.
func (c *Client) fail(ctx context.Context, op, ref string, target authn.Resource, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &Error{Op: op, Ref: ref, Err: err}
	if ctx.Err() != nil {
		e.Err = context.Cause(ctx)
		return e
	}
	var (
		terr *transport.Error
		cert *tls.CertificateVerificationError
	)
	if errors.As(err, &terr) && !errors.As(err, &cert) {
		c.failStatus(ctx, e, terr, target)
	} else {
		failNetwork(e, target.RegistryStr())
	}
	return e
}

func refused(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// failStatus is for answers that say no.
func (c *Client) failStatus(ctx context.Context, e *Error, terr *transport.Error, target authn.Resource) {
	e.Status = terr.StatusCode
	switch code := terr.StatusCode; {
	case refused(code):
		e.Kind = ErrUnauthorized
		e.Help = fmt.Sprintf("%s was tried: check that it is for %s and may do this, and that the repository exists",
			c.credentials(ctx, target), target.RegistryStr())
	case code == http.StatusNotFound:
		e.Kind = ErrNotFound
		e.Help = "check the spelling of repository and tag"
	case code == http.StatusTooManyRequests:
		e.Kind = ErrUnavailable
		e.Help = "the registry limits its callers: try later"
		var status *statusError
		if errors.As(e.Err, &status) && status.after > 0 {
			e.Help = fmt.Sprintf("the registry asks to wait %s", status.after)
		}
	case code >= 500, code == http.StatusRequestTimeout:
		e.Kind = ErrUnavailable
		e.Help = fmt.Sprintf("the fault is in %s: try later, or ask who runs it", target.RegistryStr())
	default:
		e.Kind = ErrInvalid
	}
}

// failNetwork is for answers that did not come or can't be used. Where plain http is allowed, https is tried too and err
// has both errors: a wrong certificate says more than what plain http gave, that there is no TLS says less.
func failNetwork(e *Error, host string) {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		cert      *tls.CertificateVerificationError
		plain     *plainHTTPError
		large     *tooLargeError
	)
	switch err := e.Err; {
	case errors.As(err, &authority):
		e.Kind, e.Help = ErrUnavailable, "give a Transport that trusts the registry's certificate authority"
	case errors.As(err, &cert):
		e.Kind, e.Help = ErrUnavailable, "the registry's certificate is wrong: ask who runs it"
	case errors.Is(err, errStalled):
		e.Kind, e.Help = ErrUnavailable, fmt.Sprintf("%s answers too slowly: try later", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Kind, e.Help = ErrUnavailable, fmt.Sprintf("nothing listens at %s: is the registry running?", host)
	case errors.As(err, &dns):
		e.Kind, e.Help = ErrUnavailable, fmt.Sprintf("check the name %s", host)
	case errors.As(err, &large):
		e.Kind, e.Help = ErrInvalid, "if that is what it should be, raise MaxManifestBytes"
	case temporary(err), exhausted(err):
		e.Kind, e.Help = ErrUnavailable, "the connection was lost: try again"
	case errors.As(err, &plain):
		e.Kind, e.Help = ErrUnavailable, fmt.Sprintf("let Options.Insecure allow %s if its network can be trusted", plain.host)
	case errors.Is(err, http.ErrSchemeMismatch):
		e.Kind = ErrUnavailable
		e.Help = fmt.Sprintf("%s speaks plain http: let Options.Insecure allow it if its network can be trusted", host)
	default:
		e.Kind = ErrInvalid
	}
}

func exhausted(err error) bool {
	var attempts *attemptsError
	return errors.As(err, &attempts)
}

// credentials says which kind of credentials a registry gets, never the secret.
func (c *Client) credentials(ctx context.Context, target authn.Resource) string {
	const anonymous = "no user name and password (anonymous)"
	if c.opts.Keychain == nil {
		return anonymous
	}
	auth, err := authn.Resolve(ctx, c.opts.Keychain, target)
	if err != nil {
		return "nothing, as the keychain failed,"
	}
	config, err := authn.Authorization(ctx, auth)
	switch {
	case err != nil:
		return "nothing, as the keychain failed,"
	case config.RegistryToken != "":
		return "a registry token"
	case config.IdentityToken != "":
		return "an identity token"
	case config.Username != "" || config.Password != "" || config.Auth != "":
		return "a user name and password"
	}
	return anonymous
}
