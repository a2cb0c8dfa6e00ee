package definition

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
)

// Pair is one name and value of an ENV, LABEL or ARG, quotes as written.
type Pair struct {
	Name, Value Word
	// Separator is "=", " " for the old form `ENV name value`, and "" for an ARG without default, which has no Value.
	Separator string
}

// Pairs returns the names and values of an ENV, LABEL or ARG; nil for other instructions. The slice is the instruction's
// own: don't change it.
func (in *Instruction) Pairs() []Pair { return in.pairs }

// makePairs splits the arguments into pairs.
func (in *Instruction) makePairs() []Pair {
	switch in.Name {
	case command.Arg:
	case command.Env, command.Label:
		if in.oldForm() {
			return []Pair{{Name: in.Args[0], Value: in.Args[1], Separator: " "}}
		}
	default:
		return nil
	}
	pairs := make([]Pair, 0, len(in.Args))
	for _, w := range in.Args {
		p := Pair{Name: w}
		if i := strings.Index(w.Text, "="); i >= 0 {
			p.Name, p.Value = w.cut(i, 1)
			p.Separator = "="
		}
		pairs = append(pairs, p)
	}
	return pairs
}

// oldForm says whether an ENV or LABEL has no "=" between name and value: BuildKit's third node is that separator.
func (in *Instruction) oldForm() bool {
	name := in.Node.Next
	return len(in.Args) == 2 && name != nil && name.Next != nil && name.Next.Next != nil && name.Next.Next.Value == ""
}

// splitPairs splits the arguments of ENV and LABEL; the old form has two words, name and the rest of the line.
func splitPairs(rest Word, escape byte) []Word {
	words := splitWords(rest, escape)
	if len(words) == 0 || strings.Contains(words[0].Text, "=") {
		return words
	}
	start, end := nextSpace(rest.Text, 0)
	if start < 0 {
		return words
	}
	name, value := rest.cut(start, end-start)
	return []Word{name, value}
}
