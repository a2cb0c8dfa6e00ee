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

	arg  Arg
	line definition.Word
}

// Word is where the text stands.
func (t Text) Word() definition.Word {
	if !t.line.IsZero() {
		return t.line
	}
	return t.arg.Word()
}

// Texts returns all of them. The slice is shared by the rules.
func (p *Pass) Texts() []Text {
	if p.texts != nil {
		return p.texts
	}
	p.texts = []Text{}
	for c := range p.Commands() {
		for _, a := range c.Args {
			p.texts = append(p.texts, Text{Text: a.Text, arg: a})
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
			p.texts = append(p.texts, Text{Text: text, line: body.Slice(at, at+len(text))})
		}
		at += len(line)
	}
}
