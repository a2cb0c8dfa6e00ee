package rules

import (
	"iter"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// text is something that a definition may write to a file: an argument of a command in a RUN, or a line of a heredoc
// that is no script.
type text struct {
	text string
	arg  lint.Arg
	line definition.Word
}

// place is where the text stands.
func (x text) place() definition.Word {
	if !x.line.IsZero() {
		return x.line
	}
	return x.arg.Word()
}

// texts yields all of them.
func texts(pass *lint.Pass) iter.Seq[text] {
	return func(yield func(text) bool) {
		for c := range pass.Commands() {
			for _, a := range c.Args {
				if !yield(text{text: a.Text, arg: a}) {
					return
				}
			}
			for _, body := range inputs(c) {
				if !yieldLines(c.Script.Word(body), yield) {
					return
				}
			}
		}
		for in := range pass.Instructions("copy", "add") {
			for _, h := range in.Heredocs {
				if !yieldLines(h.Body, yield) {
					return
				}
			}
		}
	}
}

// inputs returns the heredocs that a command reads, unless it is a shell that runs them.
func inputs(c *lint.Command) []*syntax.Word {
	var bodies []*syntax.Word
	if c.Stmt != nil && c.Via == nil && !interpreters[c.Name] {
		for _, r := range c.Stmt.Redirs {
			if r.Hdoc != nil {
				bodies = append(bodies, r.Hdoc)
			}
		}
	}
	return bodies
}

func yieldLines(body definition.Word, yield func(text) bool) bool {
	for start := 0; start < len(body.Text); {
		end := start + len(body.Text[start:])
		if n := strings.IndexByte(body.Text[start:], '\n'); n >= 0 {
			end = start + n
		}
		if line := strings.TrimRight(body.Text[start:end], "\r"); strings.TrimSpace(line) != "" {
			if !yield(text{text: line, line: body.Slice(start, start+len(line))}) {
				return false
			}
		}
		start = end + 1
	}
	return true
}
