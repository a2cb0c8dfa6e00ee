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
	{regexp.MustCompile(`^COPY +--from=(\S+)`), catalog.RoleCopy, catalog.KindImage},
	{regexp.MustCompile(`^RUN +--mount=\S*\bfrom=([^\s,]+)`), catalog.RoleMount, catalog.KindImage},
	{regexp.MustCompile(`^ADD +(?:--checksum=(?:\S+) +)?(https?://\S+)`), catalog.RoleAdd, catalog.KindHTTP},
	{regexp.MustCompile(`^ADD +((?:git@|git://|ssh://)\S+|https?://\S+\.git(?:#\S*)?)(?: |$)`), catalog.RoleAdd, catalog.KindGit},
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
		if in, ok := r.input(strings.Trim(line, "\ufeff\r\n")); ok {
			in.Place = place(number+1, offset, line, in.Written)
			if in.Digest == "" {
				in.Digest = registry.digest(in.Ref)
			}
			r.inputs = append(r.inputs, in)
		}
		offset += len(line)
	}
	if r.last >= 0 {
		r.inputs[r.last].Runtime = true
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

func (r *reader) input(line string) (catalog.Input, bool) {
	for i := len(words) - 1; i >= 0; i-- { // git before http
		m := words[i].form.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		in := catalog.Input{Kind: words[i].kind, Role: words[i].role, Platform: "linux/amd64", Written: m[1], Reachable: true}
		in.Ref = reference.ReplaceAllStringFunc(m[1], func(v string) string { return r.args[strings.Trim(v, "${}")] })
		base, isStage := r.stages[strings.ToLower(in.Ref)]
		if in.Role == catalog.RoleBase {
			if r.last = base; !isStage {
				r.last = len(r.inputs)
			}
			if m[2] != "" {
				r.stages[strings.ToLower(m[2])] = r.last
			}
		}
		if isStage || in.Role == catalog.RoleFrontend && r.syntax {
			return in, false
		}
		r.syntax = r.syntax || in.Role == catalog.RoleFrontend
		switch in.Kind {
		case catalog.KindImage:
			in.Ref = Full(in.Ref)
		case catalog.KindHTTP:
			if sum := checksum.FindStringSubmatch(line); sum != nil {
				in.Digest = sum[1]
			}
		case catalog.KindGit:
			if _, commit, _ := strings.Cut(in.Ref, "#"); len(commit) >= 40 {
				in.Digest, _, _ = strings.Cut(commit, ":")
			}
		}
		return in, true
	}
	return catalog.Input{}, false
}

func place(number, offset int, line, word string) finding.Place {
	column := strings.Index(line, word)
	at := func(c int) finding.Position {
		return finding.Position{Line: number, Column: c + 1, Offset: offset + c}
	}
	return finding.Place{File: "Dockerfile", Start: at(column), End: at(column + len(word))}
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

// Full spells an image reference out as Docker does: "debian" is "docker.io/library/debian:latest".
func Full(ref string) string {
	name, digest, pinned := strings.Cut(ref, "@")
	host, path, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, path = "docker.io", name
	}
	if host == "index.docker.io" {
		host = "docker.io"
	}
	if host == "docker.io" && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	if !strings.Contains(path, ":") && !pinned {
		path += ":latest"
	}
	if pinned {
		return host + "/" + path + "@" + digest
	}
	return host + "/" + path
}
