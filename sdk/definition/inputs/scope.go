package inputs

import (
	"cmp"
	"maps"
	"slices"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// scope expands the words of FROM as BuildKit does: with the platform's arguments, the ARGs before the first stage and
// the build arguments. What it says decides nothing; it finds the place for what BuildKit read.
type scope struct {
	file *definition.File
	args map[string]string // build arguments
	env  env
	// known are the setters of each stage that was asked about.
	known map[*definition.Stage][]setter
}

func newScope(f *definition.File, args map[string]string, target string, platform, build ocispec.Platform) *scope {
	s := &scope{file: f, args: args, known: map[*definition.Stage][]setter{}, env: env{
		"BUILDPLATFORM": platforms.Format(build), "BUILDOS": build.OS, "BUILDOSVERSION": build.OSVersion,
		"BUILDARCH": build.Architecture, "BUILDVARIANT": build.Variant,
		"TARGETPLATFORM": platforms.FormatAll(platform), "TARGETOS": platform.OS, "TARGETOSVERSION": platform.OSVersion,
		"TARGETARCH": platform.Architecture, "TARGETVARIANT": platform.Variant,
		"TARGETSTAGE": cmp.Or(target, "default"),
	}}
	for name := range s.env {
		if value, ok := args[name]; ok {
			s.env[name] = value
		}
	}
	for _, in := range s.globals() {
		for _, p := range in.Pairs() {
			if value, ok := args[p.Name.Text]; ok {
				s.env[p.Name.Text] = value
			} else if p.Separator == "=" {
				s.env[p.Name.Text], _ = s.expand(p.Value)
			}
		}
	}
	return s
}

// globals are the ARGs before the first FROM.
func (s *scope) globals() []*definition.Instruction {
	end := slices.IndexFunc(s.file.Instructions, func(in *definition.Instruction) bool { return in.Stage != nil })
	return s.file.Instructions[:max(0, end)]
}

// expand returns a word's value; ok is false if BuildKit would refuse it.
func (s *scope) expand(w definition.Word) (value string, ok bool) {
	value, _, err := shell.NewLex(rune(s.file.Escape)).ProcessWord(w.Text, s.env)
	return value, err == nil
}

// setter is an ARG or ENV that sets one variable.
type setter struct {
	arg   bool
	name  string
	value definition.Word
	word  definition.Word
}

// setters are those among some instructions, in order.
func setters(instructions []*definition.Instruction) []setter {
	var all []setter
	for _, in := range instructions {
		if in.Name != "arg" && in.Name != "env" {
			continue
		}
		for i, p := range in.Pairs() {
			word := p.Name
			if p.Separator != " " {
				word = in.Args[i]
			}
			all = append(all, setter{arg: in.Name == "arg", name: p.Name.Text, value: p.Value, word: word})
		}
	}
	return all
}

// maxRelated is as much as helps to understand a value.
const maxRelated = 20

// related are the places that a word's value depends on, in the order of the file: what sets a variable in it, and what
// sets a variable in that. It looks before the first stage and in the stages of a chain, of which the first has the word.
func (s *scope) related(w definition.Word, chain []*definition.Stage) []finding.Related {
	wanted := s.variables(w)
	if len(wanted) == 0 {
		return nil
	}
	var related []finding.Related
	look := func(all []setter) {
		for _, set := range slices.Backward(all) {
			if !wanted[set.name] || set.word.Start.Offset > w.Start.Offset || len(related) == maxRelated {
				continue
			}
			message := set.name + " is set here"
			if _, ok := s.args[set.name]; ok && set.arg {
				message = set.name + " is declared here and set by a build argument"
			} else {
				maps.Copy(wanted, s.variables(set.value))
			}
			related = append(related, finding.Related{Place: s.file.Place(set.word), Message: message})
		}
	}
	for _, st := range chain {
		look(s.setters(st))
	}
	look(s.setters(nil))
	slices.Reverse(related)
	return related
}

// setters are those of a stage, or with nil those before the first.
func (s *scope) setters(st *definition.Stage) []setter {
	all, ok := s.known[st]
	if !ok {
		all = setters(s.globals())
		if st != nil {
			all = setters(st.Instructions)
		}
		s.known[st] = all
	}
	return all
}

// variables are the names that BuildKit looks up for a word.
func (s *scope) variables(w definition.Word) map[string]bool {
	names := map[string]bool{}
	if _, _, err := shell.NewLex(rune(s.file.Escape)).ProcessWord(w.Text, anyEnv{names}); err != nil {
		return names
	}
	return names
}

type env map[string]string

// Get implements shell.EnvGetter.
func (e env) Get(name string) (string, bool) {
	value, ok := e[name]
	return value, ok
}

// Keys implements shell.EnvGetter.
func (e env) Keys() []string {
	var names []string
	for name := range e {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// anyEnv has every variable and notes which were looked up.
type anyEnv struct{ names map[string]bool }

func (e anyEnv) Get(name string) (string, bool) {
	e.names[name] = true
	return "x", true
}

func (e anyEnv) Keys() []string { return nil }
