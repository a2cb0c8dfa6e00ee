package inputs

import (
	"errors"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// failed finds the place of an error from the conversion. BuildKit gives a line, or nothing.
func (c *collector) failed(err error, stages *stages, text *rewriting) error {
	e := &Error{Place: finding.Place{File: c.file.Name}, Err: err}
	var (
		word    *wordError
		missing *imageError
	)
	switch {
	case errors.As(err, &word):
		e.Place = c.file.Place(word.word)
	case errors.As(err, &missing):
		e.Ref, e.Err = missing.ref, missing.err
		if u, ok := c.naming(missing.ref, stages, map[string]bool{}); ok {
			e.Place, e.Platform = c.file.Place(u.word), u.key.platform
		}
	default:
		line, cause := located(err)
		e.Err = cause
		if line = text.source(line); line > 0 {
			e.Place.Start.Line, e.Place.End.Line = line, line
		} else if w, ok := c.refusedFrom(cause.Error()); ok {
			e.Place = c.file.Place(w)
		}
	}
	return e
}

// naming returns the first use of an image in the file, or of one that brings it by a trigger.
func (c *collector) naming(ref string, stages *stages, seen map[string]bool) (use, bool) {
	seen[ref] = true
	for _, u := range stages.uses {
		if u.key.ref == ref {
			return u, true
		}
	}
	for _, bringer := range c.images.bringing(ref) {
		if !seen[bringer] {
			if u, ok := c.naming(bringer, stages, seen); ok {
				return u, true
			}
		}
	}
	return use{}, false
}

// bringing returns the images that have a trigger which names another.
func (s *images) bringing(ref string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refs []string
	for key, c := range s.calls {
		if c.image == nil {
			continue
		}
		for _, t := range c.image.triggers {
			for _, name := range t.images {
				if named, err := fullReference(name); err == nil && named == ref {
					refs = append(refs, key.ref)
				}
			}
		}
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}

// refusedFrom finds the COPY --from that BuildKit refuses without saying where.
func (c *collector) refusedFrom(message string) (definition.Word, bool) {
	for _, in := range c.file.Instructions {
		if in.Trigger != nil {
			in = in.Trigger
		}
		from, ok := in.Flag("from")
		if !ok || in.Name != "copy" {
			continue
		}
		expansion := strings.HasPrefix(message, "variable expansion is not supported") && strings.Contains(from.Value.Text, "$")
		if expansion || message == "invalid stage index "+from.Value.Text {
			return from.Value, true
		}
	}
	return definition.Word{}, false
}
