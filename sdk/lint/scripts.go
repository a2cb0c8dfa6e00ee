package lint

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"mvdan.cc/sh/v3/syntax"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// ErrForeign is the [Script.Err] of a script in a language that no parser here reads: PowerShell, cmd, Python.
var ErrForeign = errors.New("not in the language of a POSIX-like shell")

var (
	linuxShell   = []string{"/bin/sh", "-c"}
	windowsShell = []string{"cmd", "/S", "/C"}
)

// parseScripts parses every script of the file once, for all rules.
func (p *Pass) parseScripts() {
	sp := &scriptParser{pass: p, variants: make(map[syntax.LangVariant]*syntax.Parser)}
	defer func() {
		for v, parser := range sp.variants {
			parsers[v].Put(parser)
		}
	}()
	shells := make([][]string, len(p.File.Stages)) // the shell at the end of each stage
	for _, in := range p.File.Instructions {
		if in.Stage == nil {
			continue
		}
		i := in.Stage.Index
		if shells[i] == nil {
			shells[i] = p.firstShell(in.Stage, shells)
		}
		if in.Name == "shell" {
			shells[i] = texts(in.Args)
		}
		for ; in != nil; in = in.Trigger {
			sp.instruction(in, shells[i])
		}
	}
	p.Scripts = sp.scripts
}

// firstShell is the shell that a stage starts with.
func (p *Pass) firstShell(stage *definition.Stage, shells [][]string) []string {
	if parent := p.Parent(stage); parent != nil {
		return shells[parent.Index]
	}
	base, known := p.Base(stage)
	switch {
	case len(base.Shell) > 0:
		return base.Shell
	case base.OS == "windows", !known && looksWindows(p.File, stage):
		return windowsShell
	}
	return linuxShell
}

// looksWindows guesses for want of the image's config.
func looksWindows(f *definition.File, stage *definition.Stage) bool {
	name := strings.ToLower(stage.Base.Text)
	return f.Escape == '`' || strings.HasPrefix(strings.ToLower(stage.Platform.Text), "windows") ||
		strings.Contains(name, "windows") || strings.Contains(name, "nanoserver") || strings.Contains(name, "dotnet/framework")
}

func texts(words []definition.Word) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = w.Text
	}
	return all
}

// parsers are idle ones, by the language that they read.
var parsers = map[syntax.LangVariant]*sync.Pool{
	syntax.LangPOSIX: {}, syntax.LangBash: {}, syntax.LangMirBSDKorn: {},
}

// scriptParser collects scripts; it keeps one syntax parser per shell language.
type scriptParser struct {
	pass     *Pass
	variants map[syntax.LangVariant]*syntax.Parser
	scripts  []*Script
}

func (sp *scriptParser) instruction(in *definition.Instruction, shell []string) {
	words := in.Args
	switch in.Name {
	case "run", "cmd", "entrypoint":
	case "healthcheck":
		words = words[min(1, len(words)):]
	default:
		return
	}
	switch {
	case len(words) == 0:
	case in.JSON:
		sp.exec(in, words)
	default:
		sp.shell(shellScript(in, shell, words[0]))
	}
}

// exec adds an exec form: one command that no shell reads.
func (sp *scriptParser) exec(in *definition.Instruction, words []definition.Word) {
	s := &Script{Instruction: in}
	args := make([]Arg, len(words))
	for i := range words {
		args[i] = Arg{Text: words[i].Text, Literal: true, word: &words[i]}
	}
	sp.scripts = append(sp.scripts, s)
	s.add(nil, nil, args)
	sp.nested(s)
}

// shell parses a script and those in it.
func (sp *scriptParser) shell(s *Script) {
	sp.scripts = append(sp.scripts, s)
	variant, ok := variantOf(s.ShellName())
	if !ok {
		s.Err = ErrForeign
		return
	}
	s.File, s.Err = sp.parse(variant, s.text)
	if s.Err != nil && variant == syntax.LangPOSIX {
		// The sh of many images is bash or reads more than POSIX has. If bash can read it, judging it beats not looking.
		if f, err := sp.parse(syntax.LangBash, s.text); err == nil {
			s.File, s.Err = f, nil
		}
	}
	if s.Err != nil {
		s.File = nil
		return
	}
	s.walk(s.File)
	sp.nested(s)
}

// nested adds the scripts that the commands of s hand to a shell.
func (sp *scriptParser) nested(s *Script) {
	for _, c := range s.Commands {
		if inner := c.script(); inner != nil {
			sp.shell(inner)
		}
	}
}

// maxScript is the length in bytes above which a script is not parsed: Linux takes no longer argument, so no shell runs
// it as one, and the parser's stack does not grow without end.
const maxScript = 128 << 10

var errTooLong = fmt.Errorf("it is longer than %d bytes", maxScript)

func (sp *scriptParser) parse(v syntax.LangVariant, text string) (*syntax.File, error) {
	if len(text) > maxScript {
		return nil, errTooLong
	}
	parser, ok := sp.variants[v]
	if !ok {
		if parser, ok = parsers[v].Get().(*syntax.Parser); !ok {
			parser = syntax.NewParser(syntax.Variant(v))
		}
		sp.variants[v] = parser
	}
	return parser.Parse(strings.NewReader(text), "")
}

// variantOf returns the language of a shell by its base name, and whether there is a parser for it.
func variantOf(shell string) (syntax.LangVariant, bool) {
	switch strings.TrimSuffix(shell, ".exe") {
	case "sh", "ash", "dash":
		return syntax.LangPOSIX, true
	case "bash", "rbash", "zsh": // what zsh has of its own does not parse, and is reported
		return syntax.LangBash, true
	case "ksh", "mksh", "pdksh", "oksh", "ksh93":
		return syntax.LangMirBSDKorn, true
	}
	return 0, false
}

// isShell says whether a command reads shell scripts that this package can parse.
func isShell(name string) bool {
	_, ok := variantOf(path.Base(name))
	return ok
}
