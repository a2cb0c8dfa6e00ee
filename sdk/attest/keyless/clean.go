package keyless

import (
	"errors"
	"strings"
)

// clean shortens an error, which may have the answer of a server in it, and takes the token out.
func clean(err error, token string) error {
	const limit = 500
	text := err.Error()
	changed := false
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 8 && strings.Contains(text, part) {
			text, changed = strings.ReplaceAll(text, part, "(token)"), true
		}
	}
	if len(text) > limit {
		text, changed = text[:limit]+"...", true
	}
	if !changed {
		return err
	}
	return errors.New(text)
}
