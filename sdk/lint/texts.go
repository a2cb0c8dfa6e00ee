package lint

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// Text is something that a definition may write to a file: an argument of a command in a RUN, or a line of a heredoc that
// no shell runs.
type Text struct {
	// Text is what it says: an argument without its quotes, a line without its line break.
	Text string

	arg  *Arg
	line *definition.Word // when it is no argument
}

// Word is where the text stands.
func (t Text) Word() definition.Word {
	switch {
	case t.line != nil:
		return *t.line
	case t.arg != nil:
		return t.arg.Word()
	}
	return definition.Word{}
}

// Texts returns all of them. The slice is shared by the rules.
func (p *Pass) Texts() []Text {
	if p.texts != nil {
		return p.texts
	}
	n := 0
	for c := range p.Commands() {
		n += len(c.Args)
	}
	p.texts = make([]Text, 0, n)
	for c := range p.Commands() {
		for i := range c.Args {
			p.texts = append(p.texts, Text{Text: c.Args[i].Text, arg: &c.Args[i]})
		}
		p.readHeredocs(c)
	}
	for in := range p.Instructions("copy", "add") {
		for _, h := range in.Heredocs {
			p.addLines(h.Body)
		}
	}
	return p.texts
}

// readHeredocs adds the heredocs that a command reads, unless it is a shell, which runs them.
func (p *Pass) readHeredocs(c *Command) {
	if c.Stmt == nil || c.Via != nil || isShell(c.Name) {
		return
	}
	for _, r := range c.Stmt.Redirs {
		if r.Hdoc != nil {
			p.addLines(c.Script.Word(r.Hdoc))
		}
	}
}

func (p *Pass) addLines(body definition.Word) {
	at := 0
	for line := range strings.Lines(body.Text) {
		if text := strings.TrimRight(line, "\r\n"); strings.TrimSpace(text) != "" {
			w := body.Slice(at, at+len(text))
			p.texts = append(p.texts, Text{Text: text, line: &w})
		}
		at += len(line)
	}
}
