// Package lines finds the instruction of a Dockerfile that a step of a build stands for.
package lines

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

// Lines finds the instruction that a step stands for. BuildKit tells places in errors only; in progress there is the
// step's name, which counts the instructions of its stage: "[build 2/4] RUN go build".
type Lines struct {
	file   string
	text   []string
	stages []stage
}

// stage is one FROM and what follows it.
type stage struct {
	name    string // in lower case, stage-0 for the first that has none
	base    string // the image, "" for none
	parent  int    // the stage that it goes on from, or -1
	from    int    // the line of FROM
	counted []int  // the lines of the instructions that BuildKit counts
}

// New reads the Dockerfile. One that doesn't parse has no stages; BuildKit says why in its error.
func New(name string, dockerfile []byte) Lines {
	l := Lines{file: name, text: strings.Split(string(dockerfile), "\n")}
	parsed, err := parser.Parse(bytes.NewReader(dockerfile))
	if err != nil {
		return l
	}
	for _, node := range parsed.AST.Children {
		switch strings.ToLower(node.Value) {
		case "from":
			l.stages = append(l.stages, l.newStage(node))
		case "run", "copy", "add", "workdir":
			if last := len(l.stages) - 1; last >= 0 {
				l.stages[last].counted = append(l.stages[last].counted, node.StartLine)
			}
		}
	}
	return l
}

// newStage reads `FROM base AS name`.
func (l Lines) newStage(from *parser.Node) stage {
	var words []string
	for n := from.Next; n != nil; n = n.Next {
		words = append(words, n.Value)
	}
	s := stage{name: fmt.Sprintf("stage-%d", len(l.stages)), parent: -1, from: from.StartLine}
	if len(words) == 3 {
		s.name = strings.ToLower(words[2])
	}
	if len(words) == 0 || words[0] == "scratch" {
		return s
	}
	if s.parent = l.find(words[0]); s.parent < 0 {
		s.base = words[0]
		s.counted = []int{from.StartLine}
	}
	return s
}

// find is the last stage of that name, or -1.
func (l Lines) find(name string) int {
	for i, s := range slices.Backward(l.stages) {
		if strings.EqualFold(s.name, name) {
			return i
		}
	}
	return -1
}

// Base is the image that a target stands on as the Dockerfile names it, or "" for none. The target is the name or number
// of a stage, the last one if it is empty.
func (l Lines) Base(target string) string {
	i := l.find(target)
	if target == "" {
		i = len(l.stages) - 1
	} else if n, err := strconv.Atoi(target); i < 0 && err == nil && n < len(l.stages) {
		i = n
	}
	for i >= 0 {
		if l.stages[i].base != "" {
			return l.stages[i].base
		}
		i = l.stages[i].parent
	}
	return ""
}

// stepName matches "[linux/amd64 build 2/4] RUN go build". Platform and stage may be missing.
var stepName = regexp.MustCompile(`^\[(?:[a-z0-9]+/[^\s\]]+ )?(?:(\S+) )? *(\d+)/(\d+)\] `)

// loadName matches "[internal] load metadata for docker.io/library/debian:12@sha256:...".
var loadName = regexp.MustCompile(`internal\] load metadata for (\S+)$`)

// Place is where the step's instruction begins, or zero.
func (l Lines) Place(step string) finding.Place {
	if m := loadName.FindStringSubmatch(step); m != nil {
		return l.At(1 + slices.IndexFunc(l.text, func(line string) bool { return strings.Contains(line, m[1]) }))
	}
	m := stepName.FindStringSubmatch(step)
	if m == nil {
		return finding.Place{}
	}
	i := l.find(m[1])
	if m[1] == "" && len(l.stages) == 1 {
		i = 0 // BuildKit leaves out the name of the only stage
	}
	if i < 0 {
		return finding.Place{}
	}
	number, _ := strconv.Atoi(m[2])
	total, _ := strconv.Atoi(m[3])
	return l.At(l.stages[i].line(number, total))
}

// line is that of the instruction with this number, or 0. Triggers that the base image brings along are counted after
// FROM, and belong to it.
func (s stage) line(number, total int) int {
	triggers := total - len(s.counted)
	switch {
	case triggers < 0 || number < 1 || number > total:
		return 0
	case number == 1 && s.base != "":
		return s.from
	case number <= 1+triggers && triggers > 0:
		return s.from
	default:
		return s.counted[number-1-triggers]
	}
}

// At is where the instruction on a line begins, or zero for no line of the file.
func (l Lines) At(line int) finding.Place {
	if line < 1 || line > len(l.text) {
		return finding.Place{}
	}
	text := strings.TrimPrefix(l.text[line-1], "\ufeff")
	column := 1 + len(text) - len(strings.TrimLeft(text, " \t"))
	return finding.Place{File: l.file, Start: finding.Position{Line: line, Column: column}}
}
