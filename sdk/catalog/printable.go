package catalog

import (
	"encoding/json"
	"strings"
)

// Printable is a reference as it may be printed and recorded: URLs go without credentials and without their query, which
// may hold a token.
func Printable(ref string) string {
	if !strings.Contains(ref, "://") {
		return ref
	}
	url, _, query := strings.Cut(redact(ref), "?")
	if query {
		url += "?***"
	}
	return url
}

// MarshalJSON writes references as [Printable] has them.
func (in Input) MarshalJSON() ([]byte, error) {
	type plain Input
	in.Ref, in.Written = Printable(in.Ref), Printable(in.Written)
	return json.Marshal(plain(in))
}

// MarshalJSON writes references as [Printable] has them.
func (d Decision) MarshalJSON() ([]byte, error) {
	type plain Decision
	d.Effective = Printable(d.Effective)
	return json.Marshal(plain(d))
}
