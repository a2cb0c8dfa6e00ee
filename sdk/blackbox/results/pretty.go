package results

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

// Options of [Pretty].
type Options struct {
	// Color uses the colours of a terminal.
	Color bool
	// All prints the steps of scenarios that passed, too.
	All bool
}

// Pretty prints a verdict for people: a line for each scenario and, for each one that did not pass, its steps with
// what was expected and found, and what is attached.
func Pretty(w io.Writer, v *blackbox.Verdict, o Options) error {
	p := printer{o: o}
	p.line("%s", p.bold(text(v.Reference)))
	for _, w := range v.Weaknesses {
		p.line("%s", p.yellow("weakness of the sandbox: "+text(w)))
	}
	for _, platform := range v.Platforms {
		p.line("%s  %s", platform.Platform, platform.Digest)
		if platform.Untested != "" {
			p.line("  %s", p.yellow("scenarios that need an instance were not tested: "+text(platform.Untested)))
		}
		for _, scenarios := range byFeature(platform) {
			p.line("\n%s  %s", p.bold("Feature: "+text(scenarios[0].Feature)), p.dim(scenarios[0].Place.File))
			for _, s := range scenarios {
				p.scenario(s)
			}
		}
	}
	if len(v.Problems) > 0 {
		p.line("\n%s", p.bold("Features that could not be run"))
		for _, problem := range v.Problems {
			p.line("  %s", p.red(text(problem.String())))
		}
	}
	p.summary(v)
	_, err := w.Write(p.b.Bytes())
	return err
}

type printer struct {
	o Options
	b bytes.Buffer
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

func (p *printer) color(code, s string) string {
	if !p.o.Color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *printer) bold(s string) string   { return p.color("1", s) }
func (p *printer) dim(s string) string    { return p.color("2", s) }
func (p *printer) red(s string) string    { return p.color("31", s) }
func (p *printer) green(s string) string  { return p.color("32", s) }
func (p *printer) yellow(s string) string { return p.color("33", s) }

func (p *printer) mark(s blackbox.Status) string {
	switch s {
	case blackbox.Passed:
		return p.green("✓")
	case blackbox.Skipped:
		return p.dim("-")
	case blackbox.Untested:
		return p.yellow("?")
	default:
		return p.red("✗")
	}
}

func (p *printer) scenario(s blackbox.ScenarioResult) {
	p.line("  %s %s  %s", p.mark(s.Status), text(s.Name), p.dim(short(s.Duration)))
	if len(s.Loosened) > 0 {
		p.line("    %s", p.yellow("loosened: "+text(strings.Join(s.Loosened, ", "))))
	}
	if s.Status == blackbox.Passed && !p.o.All {
		return
	}
	for _, step := range s.Steps {
		p.line("    %s %s %s", p.mark(step.Status), step.Keyword, text(step.Text))
		if step.Status == blackbox.Passed || step.Status == blackbox.Skipped {
			continue
		}
		p.line("      %s", p.dim(step.Place.String()))
		if step.Expected != "" {
			p.line("      expected  %s\n      found     %s", p.green(text(step.Expected)), p.red(text(step.Found)))
		} else {
			p.line("      %s", p.red(strings.ReplaceAll(text(step.Error), "\n", "\n      ")))
		}
		for _, a := range step.Attachments {
			p.line("      %s", p.dim(text(a.Name)))
			for line := range strings.Lines(strings.TrimSuffix(text(string(a.Body)), "\n")) {
				p.line("      | %s", strings.TrimSuffix(line, "\n"))
			}
		}
	}
}

func (p *printer) summary(v *blackbox.Verdict) {
	counts := v.Counts()
	total := 0
	var parts []string
	for _, s := range []blackbox.Status{blackbox.Passed, blackbox.Failed, blackbox.Undefined, blackbox.Ambiguous, blackbox.Pending, blackbox.Untested, blackbox.Skipped} {
		if n := counts[s]; n > 0 {
			total += n
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if n := len(v.Problems); n > 0 {
		parts = append(parts, count(n, "problem")+" of features")
	}
	result := string(v.Result())
	switch v.Result() {
	case blackbox.ResultPassed:
		result = p.green(result)
	case blackbox.ResultWarned:
		result = p.yellow(result)
	default:
		result = p.red(result)
	}
	p.line("\n%s  %s: %s  %s", p.bold(result), count(total, "scenario"), or(strings.Join(parts, ", "), "none ran"), p.dim(short(v.Duration)))
}

// count prints "1 scenario" and "2 scenarios".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}
