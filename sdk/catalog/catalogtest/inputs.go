package catalogtest

import (
	"regexp"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// words are where a line of a Dockerfile names something.
var words = []struct {
	form *regexp.Regexp
	role catalog.Role
	kind catalog.Kind
}{
	{regexp.MustCompile(`^# *syntax *= *(\S+)`), catalog.RoleFrontend, catalog.KindImage},
	{regexp.MustCompile(`^FROM +(?:--platform=\S+ +)?(\S+)(?: +AS +(\S+))?`), catalog.RoleBase, catalog.KindImage},
	{regexp.MustCompile(`^COPY +(?:--\S+ +)*?--from=(\S+)`), catalog.RoleCopy, catalog.KindImage},
	{regexp.MustCompile(`--mount=\S*?\bfrom=([^\s,]+)`), catalog.RoleMount, catalog.KindImage}, // of several in one RUN
	{regexp.MustCompile(`^ADD +(?:--\S+ +)*((?:git@|git://|ssh://)\S+|https?://\S+\.git(?:#\S*)?)(?: |$)`), catalog.RoleAdd, catalog.KindGit},
	{regexp.MustCompile(`^ADD +(?:--\S+ +)*(https?://\S+)`), catalog.RoleAdd, catalog.KindHTTP},
}

var (
	checksum  = regexp.MustCompile(`--checksum=(\S+)`)
	argument  = regexp.MustCompile(`^ARG +(\w+)=(\S+)`)
	reference = regexp.MustCompile(`\$\{(\w+)\}|\$(\w+)`)
)

// Inputs reads what a simple Dockerfile names, for linux/amd64: syntax, FROM, COPY --from, RUN --mount=from, ADD of URLs
// and git repositories, with ARGs put in. The last FROM is the runtime base, every stage counts as reached. It knows
// nothing of continuations, heredocs, quotes and platforms: real definitions are read by package definition/inputs.
// Digests are those of the registry, as far as it has them.
func Inputs(dockerfile string, registry *Registry) []catalog.Input {
	r := reader{args: map[string]string{}, stages: map[string]int{"scratch": -1}, last: -1}
	offset := 0
	for number, line := range strings.SplitAfter(dockerfile, "\n") {
		if m := argument.FindStringSubmatch(line); m != nil {
			r.args[m[1]] = m[2]
		}
		for _, word := range words {
			text := strings.TrimPrefix(line, "\ufeff")
			found := word.form.FindAllStringSubmatchIndex(strings.TrimRight(text, "\r\n"), -1)
			for _, m := range found {
				in := catalog.Input{
					Kind: word.kind, Role: word.role, Platform: "linux/amd64", Written: text[m[2]:m[3]], Reachable: true,
					Place: place(number+1, offset, len(line)-len(text)+m[2], m[3]-m[2]),
				}
				stage := ""
				if len(m) > 4 && m[4] >= 0 {
					stage = strings.ToLower(text[m[4]:m[5]])
				}
				r.add(in, stage, line)
			}
			if found != nil {
				break
			}
		}
		offset += len(line)
	}
	if r.last >= 0 {
		r.inputs[r.last].Runtime = true
	}
	for i := range r.inputs {
		if in := &r.inputs[i]; in.Kind == catalog.KindImage {
			in.Digest = registry.digest(in.Ref)
		}
	}
	return r.inputs
}

// reader reads one Dockerfile, line by line.
type reader struct {
	inputs []catalog.Input
	args   map[string]string
	stages map[string]int // what they stand on, by index; -1 for nothing
	last   int            // what the last stage stands on
	syntax bool           // there was a syntax line
}

// add takes an input, unless it names a stage or is a second syntax line, which counts for nothing.
func (r *reader) add(in catalog.Input, stage, line string) {
	in.Ref = reference.ReplaceAllStringFunc(in.Written, func(v string) string { return r.args[strings.Trim(v, "${}")] })
	base, isStage := r.stages[strings.ToLower(in.Ref)]
	if in.Role == catalog.RoleBase {
		if r.last = base; !isStage {
			r.last = len(r.inputs)
		}
		if stage != "" {
			r.stages[stage] = r.last
		}
	}
	if isStage || in.Role == catalog.RoleFrontend && r.syntax {
		return
	}
	r.syntax = r.syntax || in.Role == catalog.RoleFrontend
	switch in.Kind {
	case catalog.KindImage:
		in.Ref = catalog.FullReference(in.Ref)
	case catalog.KindHTTP:
		if sum := checksum.FindStringSubmatch(line); sum != nil {
			in.Digest = sum[1]
		}
	case catalog.KindGit:
		if _, commit, _ := strings.Cut(in.Ref, "#"); len(commit) >= 40 {
			in.Digest, _, _ = strings.Cut(commit, ":")
		}
	}
	r.inputs = append(r.inputs, in)
}

func place(number, offset, column, length int) finding.Place {
	at := func(c int) finding.Position {
		return finding.Position{Line: number, Column: c + 1, Offset: offset + c}
	}
	return finding.Place{File: "Dockerfile", Start: at(column), End: at(column + length)}
}

func (r *Registry) digest(ref string) string {
	if _, digest, pinned := strings.Cut(ref, "@"); pinned {
		return digest
	}
	if r == nil {
		return ""
	}
	if image, ok := r.Images[ref]; ok {
		return image.digest(ref)
	}
	return ""
}
