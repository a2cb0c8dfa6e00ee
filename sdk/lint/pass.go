package lint

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Pass is the whole world that a rule may see: one file, its scripts, and the facts gathered for it. Rules must not
// change anything in it. It is used by one goroutine.
type Pass struct {
	// File is the definition under judgement.
	File *definition.File
	// Scripts are the shell scripts of the file, parsed, in order: RUN, and CMD, ENTRYPOINT and HEALTHCHECK in shell form or
	// with a shell in exec form; strings that a script hands to a shell are scripts of their own, after the one they are in.
	// Those that could not be read have an Err and no commands.
	Scripts []*Script
	// Suppressions are those in the file, in order. Whether they are used is known to rules that run Last.
	Suppressions []*Suppression

	cfg      Config
	all      []*definition.Instruction // with those inside an ONBUILD
	named    map[string][]*definition.Instruction
	scripts  map[*definition.Instruction][]*Script
	commands map[string][]*Command
	texts    []Text
	shared   map[any]any // by *Shared
	reports  []*Report
}

func newPass(file *definition.File, cfg Config) *Pass {
	p := &Pass{File: file, cfg: cfg, named: map[string][]*definition.Instruction{}}
	for _, in := range file.Instructions {
		for ; in != nil; in = in.Trigger {
			p.all = append(p.all, in)
			p.named[in.Name] = append(p.named[in.Name], in)
		}
	}
	p.parseScripts()
	p.scripts = make(map[*definition.Instruction][]*Script, len(p.Scripts))
	p.commands = make(map[string][]*Command)
	for _, s := range p.Scripts {
		p.scripts[s.Instruction] = append(p.scripts[s.Instruction], s)
		for _, c := range s.Commands {
			if s.Build() && c.Name != "" {
				p.commands[c.Name] = append(p.commands[c.Name], c)
			}
		}
	}
	return p
}

// Base returns what is known about the base image of a stage, and whether anything is.
func (p *Pass) Base(stage *definition.Stage) (Base, bool) {
	b, ok := p.cfg.Bases[stage.Index]
	return b, ok
}

// Images returns the names that the catalog uses for images, see [Config.Images].
func (p *Pass) Images() []string { return p.cfg.Images }

// Parent returns the stage that a stage starts from, or nil when it starts from an image.
func (p *Pass) Parent(stage *definition.Stage) *definition.Stage {
	return p.StageNamed(stage.Base.Text, stage)
}

// StageNamed returns the stage that a name means in the given stage: the last one before it that has the name in any
// case. It returns nil when there is none; then the name is an image.
func (p *Pass) StageNamed(name string, in *definition.Stage) *definition.Stage {
	for i := in.Index - 1; i >= 0; i-- {
		if s := p.File.Stages[i]; s.Name != "" && strings.EqualFold(s.Name, name) {
			return s
		}
	}
	return nil
}

// Final returns the stage that is built when no target is named: the last one.
func (p *Pass) Final() *definition.Stage { return p.File.Stages[len(p.File.Stages)-1] }

// ScriptsOf returns the scripts of an instruction: its own first, then those that it hands to a shell.
func (p *Pass) ScriptsOf(in *definition.Instruction) []*Script { return p.scripts[in] }

// Instructions yields the instructions with one of the lower-case names, or all when none is given. What is inside an
// ONBUILD comes right after the ONBUILD.
func (p *Pass) Instructions(names ...string) iter.Seq[*definition.Instruction] {
	return func(yield func(*definition.Instruction) bool) {
		all := p.all
		if len(names) > 0 {
			last, present := "", 0
			for _, name := range names {
				if len(p.named[name]) > 0 {
					last, present = name, present+1
				}
			}
			switch present {
			case 0:
				return
			case 1:
				all, names = p.named[last], nil
			}
		}
		for _, in := range all {
			if isOneOf(in.Name, names) && !yield(in) {
				return
			}
		}
	}
}

// Commands yields the simple commands of RUN scripts that have one of the names, such as "apt-get", or all when none is
// given. `sudo apt-get` and `/usr/bin/apt-get` count as apt-get.
func (p *Pass) Commands(names ...string) iter.Seq[*Command] {
	return func(yield func(*Command) bool) {
		for _, name := range names {
			for _, c := range p.commands[name] {
				if !yield(c) {
					return
				}
			}
		}
		if len(names) > 0 {
			return
		}
		for _, s := range p.Scripts {
			for _, c := range s.Commands {
				if s.Build() && !yield(c) {
					return
				}
			}
		}
	}
}

func (p *Pass) countCommands() int {
	n := 0
	for _, s := range p.Scripts {
		n += len(s.Commands)
	}
	return n
}

func isOneOf(name string, names []string) bool {
	return len(names) == 0 || slices.Contains(names, name)
}

// Report is one finding on its way. The driver adds rule, severity and address.
type Report struct{ finding finding.Finding }

// Report reports a finding at a place in the file. The message says what is there and what should be.
func (p *Pass) Report(at definition.Word, format string, args ...any) *Report {
	message := format
	if len(args) > 0 {
		message = fmt.Sprintf(format, args...)
	}
	r := &Report{finding.Finding{Place: p.File.Place(at), Message: message}}
	p.reports = append(p.reports, r)
	return r
}

// Help adds what to do next, when the message does not say so.
func (r *Report) Help(text string) *Report {
	r.finding.Help = text
	return r
}

// Related adds another place that explains the finding.
func (r *Report) Related(at definition.Word, message string) *Report {
	place := finding.Place{File: r.finding.Place.File, Start: at.Start, End: at.End}
	r.finding.Related = append(r.finding.Related, finding.Related{Place: place, Message: message})
	return r
}

// Fix adds a way to make the finding vanish, described by a verb phrase. The edits are those that [Replace], [Insert]
// and [Delete] make; they must not overlap. A rule gives a fix only where it is safe.
func (r *Report) Fix(message string, edits ...finding.Edit) *Report {
	for i := range edits {
		edits[i].File = r.finding.Place.File
	}
	r.finding.Fixes = append(r.finding.Fixes, finding.Fix{Message: message, Edits: edits})
	return r
}

// Replace is the edit that puts text in place of a word.
func Replace(w definition.Word, text string) finding.Edit {
	return finding.Edit{Start: w.Start.Offset, End: w.End.Offset, New: text}
}

// Insert is the edit that puts text at a position.
func Insert(at finding.Position, text string) finding.Edit {
	return finding.Edit{Start: at.Offset, End: at.Offset, New: text}
}

// Delete is the edit that takes out what is between two positions.
func Delete(start, end finding.Position) finding.Edit {
	return finding.Edit{Start: start.Offset, End: end.Offset}
}

func (p *Pass) findings() []finding.Finding {
	all := make([]finding.Finding, 0, len(p.reports))
	for _, r := range p.reports {
		all = append(all, r.finding)
	}
	return all
}
