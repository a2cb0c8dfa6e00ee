package inputs

import (
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
}

func newScope(f *definition.File, args map[string]string, target string, platform, build ocispec.Platform) *scope {
	s := &scope{file: f, args: args, env: env{
		"BUILDPLATFORM": platforms.Format(build), "BUILDOS": build.OS, "BUILDOSVERSION": build.OSVersion,
		"BUILDARCH": build.Architecture, "BUILDVARIANT": build.Variant,
		"TARGETPLATFORM": platforms.FormatAll(platform), "TARGETOS": platform.OS, "TARGETOSVERSION": platform.OSVersion,
		"TARGETARCH": platform.Architecture, "TARGETVARIANT": platform.Variant,
		"TARGETSTAGE": target,
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
			} else if p.Separator != "" {
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

// related are the instructions that a word's value depends on, in the order of the file: those among the given ones that
// set a variable in it, and those that set a variable in what they set.
func (s *scope) related(w definition.Word, among []*definition.Instruction) []finding.Related {
	wanted := s.variables(w)
	var related []finding.Related
	for _, in := range slices.Backward(among) {
		for i, p := range slices.Backward(in.Pairs()) {
			if !wanted[p.Name.Text] {
				continue
			}
			message := p.Name.Text + " is set here"
			if _, ok := s.args[p.Name.Text]; ok && in.Name == "arg" {
				message = p.Name.Text + " is declared here and set by a build argument"
			} else {
				for name := range s.variables(p.Value) {
					wanted[name] = true
				}
			}
			word := p.Name
			if in.Name == "arg" || p.Separator == "=" {
				word = in.Args[i]
			}
			related = append(related, finding.Related{Place: s.file.Place(word), Message: message})
		}
	}
	slices.Reverse(related)
	return related
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
