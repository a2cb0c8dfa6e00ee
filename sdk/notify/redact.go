package notify

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Redactor takes the secrets of one channel's address out of texts. Webhook URLs are secrets as a whole: the token is a
// piece of the path, the user name or a parameter, and libraries print it rearranged into another URL. So every piece of
// the address goes, and of any other URL everything but scheme and host.
type Redactor struct {
	address string
	name    string
	pieces  []string
}

// minPiece is the length from which a piece of an address is taken for a secret. Shorter ones are words such as "hook".
const minPiece = 6

var (
	anyURL     = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>]+`)
	separators = regexp.MustCompile(`[^A-Za-z0-9_.~%+=]+|[-]`)
)

// NewRedactor makes a redactor for an address.
func NewRedactor(address string) *Redactor {
	r := &Redactor{address: address, name: Redact(address)}
	host := ""
	if u, err := url.Parse(address); err == nil && webHost(u) {
		host = u.Host
	}
	_, rest, _ := strings.Cut(address, "://")
	rest = strings.Replace(rest, host, " ", 1)
	for _, text := range []string{rest, unescaped(rest)} {
		r.pieces = append(r.pieces, separators.Split(text, -1)...)
		r.pieces = append(r.pieces, strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune("/@?&=: ", c) })...)
	}
	r.pieces = slices.DeleteFunc(r.pieces, func(p string) bool { return len(p) < minPiece })
	slices.SortFunc(r.pieces, func(a, b string) int { return len(b) - len(a) })
	r.pieces = slices.Compact(r.pieces)
	return r
}

// Name is what may be printed instead of the address.
func (r *Redactor) Name() string { return r.name }

// Text takes the address and its pieces out of a text.
func (r *Redactor) Text(text string) string {
	if r.address != "" {
		text = strings.ReplaceAll(text, r.address, r.name)
	}
	text = anyURL.ReplaceAllStringFunc(text, Redact)
	for _, piece := range r.pieces {
		text = strings.ReplaceAll(text, piece, "REDACTED")
	}
	return text
}

// Error is err without the address. What errors.Is finds in err it finds in the result; the error itself, which has the
// address, is out of reach.
func (r *Redactor) Error(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{text: r.Text(err.Error()), err: err}
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string        { return e.text }
func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }

// Redact leaves scheme and host of a URL, and the scheme alone where the host may be a secret: in addresses that are no
// web addresses, such as discord://token@id, anything may stand anywhere.
func Redact(address string) string {
	scheme, _, ok := strings.Cut(address, "://")
	if !ok {
		return "REDACTED"
	}
	u, err := url.Parse(address)
	if err != nil || !webHost(u) {
		return scheme + "://REDACTED"
	}
	if strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.User == nil {
		return scheme + "://" + u.Host
	}
	return scheme + "://" + u.Host + "/REDACTED"
}

func webHost(u *url.URL) bool {
	return slices.Contains([]string{"http", "https", "smtp"}, strings.ToLower(u.Scheme)) && u.Host != ""
}

func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}
