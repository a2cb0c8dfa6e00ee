package lint

import (
	"path"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// walk collects the commands and pipelines under a node.
func (s *Script) walk(root syntax.Node) {
	syntax.Walk(root, func(n syntax.Node) bool {
		stmt, ok := n.(*syntax.Stmt)
		if !ok {
			word, ok := n.(*syntax.Word)
			return !ok || !isPlain(word)
		}
		switch cmd := stmt.Cmd.(type) {
		case *syntax.CallExpr:
			s.assign(cmd.Assigns)
			s.call(stmt, cmd)
		case *syntax.DeclClause:
			s.assign(cmd.Args)
		case *syntax.BinaryCmd:
			if isPipe(cmd) {
				s.pipeline(stmt)
				return false
			}
		}
		return true
	})
}

// isPlain says whether a word is one piece of text, so that no command is in it.
func isPlain(w *syntax.Word) bool {
	if len(w.Parts) != 1 {
		return false
	}
	switch w.Parts[0].(type) {
	case *syntax.Lit, *syntax.SglQuoted:
		return true
	}
	return false
}

func (s *Script) call(stmt *syntax.Stmt, call *syntax.CallExpr) {
	if len(call.Args) == 0 {
		return
	}
	args := make([]Arg, len(call.Args))
	for i, w := range call.Args {
		args[i] = s.arg(w)
	}
	s.add(stmt, call, args)
	switch args[0].Text {
	case "export", "readonly", "local": // ordinary commands in the POSIX grammar
		for _, a := range args[1:] {
			if name, value, ok := strings.Cut(a.Text, "="); ok {
				a.Text = value
				s.Assigns = append(s.Assigns, Assign{name, a})
			}
		}
	}
}

func (s *Script) assign(assigns []*syntax.Assign) {
	for _, a := range assigns {
		if a.Name != nil && a.Value != nil {
			s.Assigns = append(s.Assigns, Assign{a.Name.Value, s.arg(a.Value)})
		}
	}
}

func isPipe(b *syntax.BinaryCmd) bool { return b.Op == syntax.Pipe || b.Op == syntax.PipeAll }

// pipeline collects the commands of each stage.
func (s *Script) pipeline(stmt *syntax.Stmt) {
	p := &Pipeline{Script: s, Stmt: stmt}
	s.Pipelines = append(s.Pipelines, p)
	for _, stage := range stages(stmt, nil) {
		first := len(s.Commands)
		s.walk(stage)
		p.Stages = append(p.Stages, s.Commands[first:len(s.Commands):len(s.Commands)])
	}
}

// stages flattens a | b | c, however the parser nested it.
func stages(stmt *syntax.Stmt, all []*syntax.Stmt) []*syntax.Stmt {
	if b, ok := stmt.Cmd.(*syntax.BinaryCmd); ok && isPipe(b) {
		return stages(b.Y, stages(b.X, all))
	}
	return append(all, stmt)
}

// add adds the command that words say, and the one it runs if it is a wrapper.
func (s *Script) add(stmt *syntax.Stmt, call *syntax.CallExpr, words []Arg) {
	var via *Command
	for len(words) > 0 {
		c := &Command{Script: s, Stmt: stmt, Call: call, Via: via, name: words[0], Args: words[1:]}
		if words[0].Literal {
			c.Name = path.Base(words[0].Text)
		}
		s.Commands = append(s.Commands, c)
		words, via = wrapped(c), c
	}
}

// wrapper says how a command that runs another one takes its arguments.
type wrapper struct {
	withValue string // flags that take the next argument
	operands  int    // arguments before the command
	assigns   bool   // NAME=value may stand before the command
}

var wrappers = map[string]wrapper{
	"sudo":      {withValue: "-u -g -h -p -C -r -t -U -D -R --user --group --host --prompt --chdir --chroot", assigns: true},
	"doas":      {withValue: "-u -C", assigns: true},
	"env":       {withValue: "-u -C --unset --chdir", assigns: true},
	"exec":      {withValue: "-a"},
	"command":   {},
	"builtin":   {},
	"busybox":   {},
	"eatmydata": {},
	"nohup":     {},
	"time":      {withValue: "-o -f"},
	"nice":      {withValue: "-n --adjustment"},
	"ionice":    {withValue: "-c -n -p"},
	"stdbuf":    {withValue: "-i -o -e"},
	"timeout":   {withValue: "-k -s --signal --kill-after", operands: 1},
	"gosu":      {operands: 1},
	"su-exec":   {operands: 1},
	"chroot":    {operands: 1},
	"setpriv":   {withValue: "--reuid --regid --groups"},
	"tini":      {withValue: "-p -e"},
	"dumb-init": {withValue: "-r --rewrite"},
	"xargs":     {withValue: "-a -d -E -I -L -n -P -s --arg-file --delimiter --max-args --max-procs"},
}

// wrapped returns the words of the command that c runs, or nil.
func wrapped(c *Command) []Arg {
	if c.Name == "find" {
		return findExec(c.Args)
	}
	w, ok := wrappers[c.Name]
	if !ok {
		return nil
	}
	left := w.operands
	for i := 0; i < len(c.Args); i++ {
		text := c.Args[i].Text
		switch {
		case c.Name == "command" && (text == "-v" || text == "-V"):
			return nil
		case text == "--":
		case c.Args[i].IsFlag():
			for f := range strings.FieldsSeq(w.withValue) {
				if f == text {
					i++
					break
				}
			}
		case w.assigns && strings.Contains(text, "="):
		case left > 0:
			left--
		default:
			return c.Args[i:]
		}
	}
	return nil
}

// findExec returns the command in find ... -exec command {} +
func findExec(args []Arg) []Arg {
	for i, a := range args {
		if a.Text == "-exec" || a.Text == "-execdir" {
			args = args[i+1:]
			for j, end := range args {
				if end.Text == ";" || end.Text == "+" {
					return args[:j]
				}
			}
			return args
		}
	}
	return nil
}
