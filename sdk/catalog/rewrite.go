package catalog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// ErrDenied is why a plan with a denied input gives no edits: there is nothing to build.
var ErrDenied = errors.New("the plan denies an input")

// PlatformsDifferError says that one word of the definition means different images on different platforms, so that no
// single text can stand for it: build each platform from its own text ([Plan.RewriteFor]).
type PlatformsDifferError struct {
	Place finding.Place
	// Texts are the references by platform.
	Texts map[string]string
}

// Error names the place and both sides.
func (e *PlatformsDifferError) Error() string {
	var sides []string
	for platform, text := range e.Texts {
		sides = append(sides, platform+" reads "+text)
	}
	slices.Sort(sides)
	return fmt.Sprintf("%s: platforms differ: %s; rewrite for each platform", e.Place, strings.Join(sides, ", "))
}

// Edits returns what turns the definition's text into one that reads exactly what was decided: every word that names an
// image becomes name:tag@sha256:..., in the author's short form where there was one, and syntax lines go away, since the
// builder uses its own frontend. Nothing else is touched. src is the file that the inputs were read from.
func (p *Plan) Edits(src []byte) ([]finding.Edit, error) { return p.edits("", src) }

// EditsFor is [Plan.Edits] for one of several target platforms, for definitions of which [Plan.Edits] says that they
// differ.
func (p *Plan) EditsFor(platform string, src []byte) ([]finding.Edit, error) {
	return p.edits(platform, src)
}

// Rewrite applies [Plan.Edits].
func (p *Plan) Rewrite(src []byte) ([]byte, error) { return p.rewrite("", src) }

// RewriteFor applies [Plan.EditsFor].
func (p *Plan) RewriteFor(platform string, src []byte) ([]byte, error) {
	return p.rewrite(platform, src)
}

func (p *Plan) rewrite(platform string, src []byte) ([]byte, error) {
	edits, err := p.edits(platform, src)
	if err != nil {
		return nil, err
	}
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, src[at:e.Start]...), e.New...)
		at = e.End
	}
	return append(out, src[at:]...), nil
}

func (p *Plan) edits(platform string, src []byte) ([]finding.Edit, error) {
	type word struct{ start, end int }
	texts := map[word]map[string]string{} // by platform
	first := map[word]*Decision{}
	var syntax *Input
	for i := range p.Decisions {
		d := &p.Decisions[i]
		in := d.Input
		if in.Reachable && !d.Allowed {
			return nil, fmt.Errorf("%s: %w: %s", in.Place, ErrDenied, in.Ref)
		}
		target := cmp.Or(in.BuiltFor, in.Platform)
		elsewhere := platform != "" && target != platform && in.Role != RoleFrontend
		if elsewhere || !editable(in) || !d.Allowed {
			continue
		}
		if err := d.fits(src); err != nil {
			return nil, err
		}
		w := word{in.Place.Start.Offset, in.Place.End.Offset}
		text := d.token()
		switch {
		case in.Role == RoleFrontend:
			syntax = &in
			continue
		case text == "":
			continue // unreachable and unresolved: it is not read
		}
		if texts[w] == nil {
			texts[w], first[w] = map[string]string{}, d
		}
		texts[w][target] = text
	}
	edits, err := withoutSyntax(syntax, src)
	if err != nil {
		return nil, err
	}
	for w, byPlatform := range texts {
		text := byPlatform[cmp.Or(first[w].Input.BuiltFor, first[w].Input.Platform)]
		for _, other := range byPlatform {
			if other != text {
				return nil, &PlatformsDifferError{Place: first[w].Input.Place, Texts: byPlatform}
			}
		}
		if string(src[w.start:w.end]) != text {
			edits = append(edits, finding.Edit{File: first[w].Input.Place.File, Start: w.start, End: w.end, New: text})
		}
	}
	slices.SortFunc(edits, func(a, b finding.Edit) int { return a.Start - b.Start })
	for i := 1; i < len(edits); i++ {
		if edits[i].Start < edits[i-1].End {
			return nil, fmt.Errorf("%s: bytes %d to %d and %d to %d overlap; the inputs' places are wrong", edits[i].File,
				edits[i-1].Start, edits[i-1].End, edits[i].Start, edits[i].End)
		}
	}
	return edits, nil
}

// Lasting returns the edits that make the plan's moves lasting in the definition: the words of moved images change and
// nothing else. They get a digest only where the author wrote one or where nothing else tells the images apart. Frontends
// and images that no word of the definition names are left out: the build moves them.
func (p *Plan) Lasting(src []byte) ([]finding.Edit, error) {
	moved := &Plan{}
	texts := map[[2]int]string{}
	for _, d := range p.Decisions {
		if !d.Moved || !d.Allowed || d.Input.Role == RoleFrontend || !editable(d.Input) {
			continue
		}
		moved.Decisions = append(moved.Decisions, d)
		text := d.token()
		name, _, _ := strings.Cut(text, "@")
		if before, _, _ := strings.Cut(d.Input.Ref, "@"); !strings.Contains(d.Input.Written, "@") && d.Effective != before && !strings.Contains(d.Effective, "@") {
			text = name
		}
		texts[[2]int{d.Input.Place.Start.Offset, d.Input.Place.End.Offset}] = text
	}
	edits, err := moved.Edits(src)
	for i := range edits {
		edits[i].New = texts[[2]int{edits[i].Start, edits[i].End}]
	}
	return edits, err
}

// editable says whether a word of the definition names the input. A trigger's is in the base, a context's with the caller.
func editable(in Input) bool {
	return in.Kind == KindImage && in.Role != RoleOnBuild && in.Role != RoleContext
}

// fits checks that the input's place is a word of src.
func (d *Decision) fits(src []byte) error {
	in := d.Input
	start, end := in.Place.Start.Offset, in.Place.End.Offset
	if start < 0 || end > len(src) || start >= end {
		return fmt.Errorf("%s: %s has no place in the text given", in.Place, in.Ref)
	}
	// A word over several lines has continuations that Written has not.
	if got := string(src[start:end]); got != in.Written && !strings.ContainsAny(got, "\r\n") {
		return fmt.Errorf("%s: the text given has %q where the inputs were read from has %q", in.Place, clip(got), clip(in.Written))
	}
	return nil
}

// token is what to write for the decision's image, "" when its digest is not known.
func (d *Decision) token() string {
	ref, err := parseReference(d.Effective)
	if err != nil || d.Digest == "" {
		return ""
	}
	ref.digest = d.Digest
	name, _, _ := strings.Cut(d.Input.Written, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	if familiar(name) != ref.repository {
		return ref.String()
	}
	ref.repository = name
	return ref.String()
}

// familiar spells out a short name as Docker does. It returns "" for what has variables in it.
func familiar(name string) string {
	host, rest, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, rest = "docker.io", name
	}
	if host == "index.docker.io" {
		host = "docker.io"
	}
	if host == "docker.io" && !strings.Contains(rest, "/") {
		rest = "library/" + rest
	}
	full := host + "/" + rest
	if repository, err := parseRepository(full); err != nil || repository != full {
		return ""
	}
	return full
}

// withoutSyntax removes the syntax line that an input was read from. A second one, which BuildKit does not look at as
// long as the first is there, goes with it.
func withoutSyntax(in *Input, src []byte) ([]finding.Edit, error) {
	if in == nil {
		return nil, nil
	}
	var edits []finding.Edit
	found := false
	for _, line := range syntaxLines(src) {
		found = found || line[0] <= in.Place.Start.Offset && in.Place.End.Offset <= line[1]
		edits = append(edits, finding.Edit{File: in.Place.File, Start: line[0], End: line[1]})
	}
	if !found {
		return nil, fmt.Errorf("%s: no syntax line here that could be removed", in.Place)
	}
	return edits, nil
}

var directiveForm = regexp.MustCompile(`^(?:#|//)\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*\S`)

// syntaxLines are the ranges of the syntax directives, line breaks included. Directives stand at the top, after a
// byte-order mark and a "#!" line, and end with the first line that is none.
func syntaxLines(src []byte) [][2]int {
	var out [][2]int
	at := 0
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		at = 3
	}
	for first := true; at < len(src); first = false {
		end := len(src)
		if i := bytes.IndexByte(src[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		m := directiveForm.FindSubmatch(src[at:end])
		switch {
		case m != nil && bytes.EqualFold(m[1], []byte("syntax")):
			out = append(out, [2]int{at, end})
		case m == nil && (!first || !bytes.HasPrefix(src[at:end], []byte("#!"))):
			return out
		}
		at = end
	}
	return out
}
