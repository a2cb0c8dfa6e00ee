package buildkit

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// lines finds the instruction that a step stands for. BuildKit tells places in errors only; in progress there is the
// step's name, which counts the instructions of its stage: "[build 2/4] RUN go build".
type lines struct {
	file string
	text []string
	// stages has, by name, the lines of each stage's FROM and of the instructions that BuildKit counts.
	stages map[string]stage
}

type stage struct {
	from    int
	counted []int
}

// newLines reads the Dockerfile. One that doesn't parse has no stages; BuildKit says why in its error.
func newLines(name string, dockerfile []byte) lines {
	l := lines{file: name, text: strings.Split(string(dockerfile), "\n"), stages: map[string]stage{}}
	parsed, err := parser.Parse(bytes.NewReader(dockerfile))
	if err != nil {
		return l
	}
	var names []string
	for _, node := range parsed.AST.Children {
		if strings.EqualFold(node.Value, "from") {
			base, name := fromWords(node)
			if name == "" {
				name = fmt.Sprintf("stage-%d", len(names))
			}
			s := stage{from: node.StartLine}
			if base != "scratch" && !slices.Contains(names, base) {
				s.counted = []int{node.StartLine}
			}
			names = append(names, name)
			l.stages[name] = s
			continue
		}
		if len(names) == 0 || !slices.Contains([]string{"run", "copy", "add", "workdir"}, strings.ToLower(node.Value)) {
			continue
		}
		current := names[len(names)-1]
		s := l.stages[current]
		s.counted = append(s.counted, node.StartLine)
		l.stages[current] = s
	}
	if len(names) == 1 {
		l.stages[""] = l.stages[names[0]] // BuildKit leaves out the name of the only stage
	}
	return l
}

// fromWords are the base and the name of `FROM base AS name`, in lower case.
func fromWords(from *parser.Node) (base, name string) {
	var words []string
	for n := from.Next; n != nil; n = n.Next {
		words = append(words, strings.ToLower(n.Value))
	}
	if len(words) > 0 {
		base = words[0]
	}
	if len(words) == 3 {
		name = words[2]
	}
	return base, name
}

// stepName matches "[linux/amd64 build 2/4] RUN go build". Platform and stage may be missing.
var stepName = regexp.MustCompile(`^\[(?:[a-z0-9]+/[^\s\]]+ )?(?:(\S+) )? *(\d+)/(\d+)\] `)

// loadName matches "[internal] load metadata for docker.io/library/debian:12@sha256:...".
var loadName = regexp.MustCompile(`internal\] load metadata for (\S+)$`)

// place is where the step's instruction begins, or zero.
func (l lines) place(step string) finding.Place {
	if m := loadName.FindStringSubmatch(step); m != nil {
		return l.at(1 + slices.IndexFunc(l.text, func(line string) bool { return strings.Contains(line, m[1]) }))
	}
	m := stepName.FindStringSubmatch(step)
	if m == nil {
		return finding.Place{}
	}
	s := l.stages[m[1]]
	number, _ := strconv.Atoi(m[2])
	total, _ := strconv.Atoi(m[3])
	// Triggers that the base image brings along are counted after FROM.
	triggers := total - len(s.counted)
	switch {
	case triggers < 0 || number < 1 || number > total:
		return finding.Place{}
	case number == 1:
		return l.at(s.counted[0])
	case number <= 1+triggers:
		return l.at(s.from)
	default:
		return l.at(s.counted[number-1-triggers])
	}
}

// at is where the instruction on a line begins, or zero for no line of the file.
func (l lines) at(line int) finding.Place {
	if line < 1 || line > len(l.text) {
		return finding.Place{}
	}
	text := strings.TrimPrefix(l.text[line-1], "\ufeff")
	column := 1 + len(text) - len(strings.TrimLeft(text, " \t"))
	return finding.Place{File: l.file, Start: finding.Position{Line: line, Column: column}}
}
