package buildkit

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// lines finds the instruction that a step stands for. BuildKit tells places in errors only; in progress there is the
// step's name, which counts the instructions of its stage: "[build 2/4] RUN go build".
type lines struct {
	file string
	text []string
	// stages has, by stage name, the places of the instructions that BuildKit counts.
	stages map[string][]finding.Place
	// froms has the place of each stage's FROM.
	froms map[string]finding.Place
}

// newLines reads the Dockerfile. One that doesn't parse has no lines; BuildKit says why in its error.
func newLines(name string, dockerfile []byte) lines {
	l := lines{
		file:   name,
		text:   strings.Split(string(dockerfile), "\n"),
		stages: map[string][]finding.Place{},
		froms:  map[string]finding.Place{},
	}
	file, err := definition.Parse(name, dockerfile)
	if err != nil {
		return l
	}
	known := map[string]bool{"scratch": true}
	for _, stage := range file.Stages {
		stageName := stage.Name
		if stageName == "" {
			stageName = fmt.Sprintf("stage-%d", stage.Index)
		}
		if len(file.Stages) == 1 {
			stageName = ""
		}
		l.froms[stageName] = file.Place(stage.From.Keyword)
		var counted []finding.Place
		for _, in := range stage.Instructions {
			switch in.Name {
			case "from":
				if known[strings.ToLower(stage.Base.Text)] {
					continue
				}
			case "run", "copy", "add", "workdir":
			default:
				continue
			}
			counted = append(counted, file.Place(in.Keyword))
		}
		l.stages[stageName] = counted
		known[stage.Name] = true
	}
	return l
}

// stepName matches "[linux/amd64 build 2/4] RUN go build". Platform and stage may be missing.
var stepName = regexp.MustCompile(`^\[(?:[a-z0-9]+/[^\s\]]+ )?(?:(\S+) )? *(\d+)/(\d+)\] `)

// loadName matches "[internal] load metadata for docker.io/library/debian:12@sha256:...".
var loadName = regexp.MustCompile(`internal\] load metadata for (\S+)$`)

// place is where the step's instruction stands, or zero.
func (l lines) place(step string) finding.Place {
	if m := loadName.FindStringSubmatch(step); m != nil {
		return l.at(1 + slices.IndexFunc(l.text, func(line string) bool { return strings.Contains(line, m[1]) }))
	}
	m := stepName.FindStringSubmatch(step)
	if m == nil {
		return finding.Place{}
	}
	counted, from := l.stages[m[1]], l.froms[m[1]]
	number, _ := strconv.Atoi(m[2])
	total, _ := strconv.Atoi(m[3])
	// Triggers that the base image brings along are counted after FROM.
	triggers := total - len(counted)
	if number > 1 && number <= 1+triggers {
		return from
	}
	if number > 1 {
		number -= triggers
	}
	if triggers < 0 || number < 1 || number > len(counted) {
		return finding.Place{}
	}
	return counted[number-1]
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
