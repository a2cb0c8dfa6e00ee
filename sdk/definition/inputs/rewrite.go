package inputs

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// BuildKit's conversion dials the host of every ADD from git over SSH, to scan its key: a definition could make us
// connect to anything before it is judged. So ADD never reaches the conversion. Each of its words that may name
// something remote is replaced by a probe,
//
//	USER word
//	RUN ["/plimsoll/probe", "3"]
//
// BuildKit expands the word of a USER exactly as that of an ADD, with the variables of that very line, and the RUN has
// the result as its user in the build graph. What the value means is then decided by BuildKit's own functions.

// probe is one word of an ADD whose value BuildKit is to tell.
type probe struct {
	word   definition.Word
	number string
	// checksum is the probe of the ADD's --checksum, nil if it has none; isSum says that this is it.
	checksum *probe
	isSum    bool
	// instruction is the ADD; trigger says that it stands in an ONBUILD. An ADD that a base image brings has neither.
	instruction *definition.Instruction
	trigger     bool
}

const probeCommand = "/plimsoll/probe"

// probeNumber reads the arguments of a RUN in the build graph.
func probeNumber(args []string) (number string, ok bool) {
	if len(args) != 2 || args[0] != probeCommand {
		return "", false
	}
	return args[1], true
}

// rewriting is a Dockerfile as it goes to the conversion.
type rewriting struct {
	text []byte
	// origin is the line of the source for each line of text; both count from 1.
	origin []int
	probes []*probe
}

// rewrite returns the source with probes in place of ADD.
func rewrite(f *definition.File) (*rewriting, error) {
	w := &rewriting{origin: []int{0}}
	at, line := 0, 1
	for _, cut := range replacements(f) {
		line = w.copy(f.Src[at:cut.start], line, 1)
		text, err := w.replace(cut)
		if err != nil {
			return nil, err
		}
		w.copy([]byte(text), line, 0)
		line += bytes.Count(f.Src[cut.start:cut.end], []byte("\n"))
		at = cut.end
	}
	w.copy(f.Src[at:], line, 1)
	w.origin = append(w.origin, line)
	return w, nil
}

// copy adds text that begins on a line of the source; step is 0 if all of it stands for that line. It returns the line
// after it.
func (w *rewriting) copy(text []byte, line, step int) int {
	w.text = append(w.text, text...)
	for range bytes.Count(text, []byte("\n")) {
		w.origin = append(w.origin, line)
		line += step
	}
	return line
}

// source returns the line of the source for a line that BuildKit names.
func (w *rewriting) source(line int) int {
	if line <= 0 || line >= len(w.origin) {
		return 0
	}
	return w.origin[line]
}

// cut is a piece of the source that goes.
type cut struct {
	start, end int
	add        *definition.Instruction // nil for the value of a check directive
	trigger    bool
}

func replacements(f *definition.File) []cut {
	var cuts []cut
	if check, ok := f.Directive("check"); ok {
		cuts = append(cuts, cut{start: check.Value.Start.Offset, end: check.Value.End.Offset})
	}
	for _, in := range f.Instructions {
		c := cut{start: in.Start.Offset, end: in.End.Offset, add: in}
		if in.Trigger != nil {
			c.add, c.trigger = in.Trigger, true
		}
		if c.add.Name == "add" && slices.ContainsFunc(sources(c.add), perhapsRemote) {
			cuts = append(cuts, c)
		}
	}
	return cuts
}

// replace writes what stands in the place of a cut.
func (w *rewriting) replace(c cut) (string, error) {
	if c.add == nil {
		return "skip=all", nil // the author's wishes for BuildKit's linter have no say here
	}
	var checksum definition.Word
	if flag, ok := c.add.Flag("checksum"); ok {
		checksum = flag.Value
	}
	probes := newProbes(sources(c.add), checksum, strconv.Itoa(c.start)+".")
	w.probes = append(w.probes, probes...)
	var lines []string
	for _, p := range probes {
		p.instruction, p.trigger = c.add, c.trigger
		two, err := p.lines()
		if err != nil {
			return "", &wordError{word: p.word, err: err}
		}
		lines = append(lines, two...)
	}
	if c.trigger {
		return "ONBUILD " + strings.Join(lines, "\nONBUILD "), nil
	}
	return strings.Join(lines, "\n"), nil
}

// newProbes makes the probes of one ADD: of its sources, as far as they are perhaps remote, and of its checksum.
func newProbes(sources []definition.Word, checksum definition.Word, prefix string) []*probe {
	var probes []*probe
	for _, word := range sources {
		if perhapsRemote(word) {
			probes = append(probes, &probe{word: word, number: prefix + strconv.Itoa(len(probes))})
		}
	}
	if checksum.Text != "" {
		sum := &probe{word: checksum, number: prefix + "sum", isSum: true}
		for _, p := range probes {
			p.checksum = sum
		}
		probes = append(probes, sum)
	}
	return probes
}

// lines are the two instructions that have BuildKit tell the word's value.
func (p *probe) lines() ([]string, error) {
	if err := embeddable(p.word.Text); err != nil {
		return nil, err
	}
	return []string{"USER " + p.word.Text, fmt.Sprintf("RUN [%q, %q]", probeCommand, p.number)}, nil
}

// sources are the words of an ADD or COPY but for heredocs and the last, the destination.
func sources(in *definition.Instruction) []definition.Word {
	if len(in.Args) < 2 {
		return nil
	}
	var words []definition.Word
	for _, w := range in.Args[:len(in.Args)-1] {
		if !strings.HasPrefix(w.Text, "<<") {
			words = append(words, w)
		}
	}
	return words
}

// perhapsRemote says whether a word can name something remote: no URL goes without a colon, in one spelling or another.
func perhapsRemote(w definition.Word) bool { return strings.ContainsAny(w.Text, ":$") }

// embeddable says whether a word means the same in a USER as in an ADD.
func embeddable(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return fmt.Errorf("empty source")
	case strings.ContainsAny(text, "\n\r\v\f\u0085"):
		return fmt.Errorf("source %q has a line break", text)
	case strings.HasPrefix(strings.TrimSpace(text), "--"):
		return fmt.Errorf("source %q looks like a flag: write ./%s", text, strings.TrimSpace(text))
	case strings.HasSuffix(strings.TrimSpace(text), `\`), strings.HasSuffix(strings.TrimSpace(text), "`"):
		return fmt.Errorf("source %q ends with an escape character", text)
	}
	return nil
}

// wordError is an error at a word.
type wordError struct {
	word definition.Word
	err  error
}

func (e *wordError) Error() string { return e.err.Error() }
func (e *wordError) Unwrap() error { return e.err }
