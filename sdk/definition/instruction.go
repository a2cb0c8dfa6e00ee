package definition

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// newInstruction splits a joined line into words that have their places.
func newInstruction(line Word, node *parser.Node, escape byte) *Instruction {
	keyword, flags, rest := splitCommand(line, escape)
	in := &Instruction{
		Name: strings.ToLower(keyword.Text), Keyword: keyword, Flags: flags,
		JSON: node.Attributes["json"], Node: node,
	}
	if in.Name == command.Onbuild && rest.Text != "" {
		in.Trigger = newInstruction(rest, node.Next.Children[0], escape)
	} else if rest.Text != "" {
		in.Args = in.split(rest, escape)
		in.pairs = in.makePairs()
	}
	return in
}

// split makes the arguments; an instruction that nobody knows has none.
func (in *Instruction) split(rest Word, escape byte) []Word {
	switch in.Name {
	case command.Env, command.Label:
		return splitPairs(rest, escape)
	case command.Arg:
		return splitWords(rest, escape)
	case command.From, command.Expose:
		return splitSpaces(rest)
	case command.Add, command.Copy, command.Volume:
		if in.JSON {
			return splitJSON(rest)
		}
		return splitSpaces(rest)
	case command.Run, command.Cmd, command.Entrypoint, command.Shell:
		return in.script(rest)
	case command.Healthcheck:
		kind, script := splitFirst(rest)
		if kind.Text == "" { // an odd byte that BuildKit takes for space
			return nil
		}
		return append([]Word{kind}, in.script(script)...)
	case command.Maintainer, command.StopSignal, command.User, command.Workdir:
		return []Word{rest}
	default:
		return nil
	}
}

// script is the one word of the shell form or the words of the JSON form.
func (in *Instruction) script(rest Word) []Word {
	switch {
	case rest.Text == "":
		return nil
	case in.JSON:
		return splitJSON(rest)
	default:
		return []Word{rest}
	}
}

// newStage reads the words of a FROM. One with too few or too many is refused later, by BuildKit's own check.
func newStage(index int, from *Instruction) *Stage {
	s := &Stage{Index: index, From: from}
	if f, ok := from.Flag("platform"); ok {
		s.Platform = f.Value
	}
	if len(from.Args) > 0 {
		s.Base = from.Args[0]
	}
	if len(from.Args) == 3 {
		s.Alias = from.Args[2]
		s.Name = strings.ToLower(s.Alias.Text)
	}
	return s
}

// matches says whether the words are those that BuildKit found.
func (in *Instruction) matches() bool {
	sameFlag := func(f Flag, flag string) bool { return f.Word.Text == flag }
	if in.Keyword.Text != in.Node.Value || !slices.EqualFunc(in.Flags, in.Node.Flags, sameFlag) {
		return false
	}
	if in.Trigger != nil {
		return in.Trigger.matches()
	}
	if _, known := command.Commands[in.Name]; !known {
		return true // BuildKit has no arguments for it either
	}
	theirs := in.Node.Next
	next := func(ours string) bool {
		same := theirs != nil && theirs.Value == ours
		if same {
			theirs = theirs.Next
		}
		return same
	}
	if in.Name == command.Env || in.Name == command.Label {
		for _, p := range in.Pairs() {
			if !next(p.Name.Text) || !next(p.Value.Text) || !next(strings.TrimSpace(p.Separator)) {
				return false
			}
		}
		return theirs == nil
	}
	for _, w := range in.Args {
		if !next(w.Text) {
			return false
		}
	}
	return theirs == nil
}
