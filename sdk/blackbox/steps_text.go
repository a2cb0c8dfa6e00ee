package blackbox

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// text describes something that has a text, so that all of them are tested by steps of the same words.
type text struct {
	group   string
	subject string // in expressions: "the file {string}"
	what    string // in the reference: "the content of the file"
	kind    Kind
	within  bool
	alone   bool // also for steps that say what is there
	read    func(ctx context.Context, s *Scenario, args Args) (string, error)
	before  string // lines of the example that lead to it
	example string // the subject in examples, and words that are and are not in it
	whole   string
	part    string
	pattern string
	absent  string
}

// steps returns the steps about the text. The last parameter of each is what to look for.
func (t text) steps() []Step {
	step := func(predicate, doc, example string, test func(what, text, arg string) error) Step {
		return Step{
			Group: t.group, Kind: t.kind, Within: t.within,
			// What must not be there may be there because of another scenario.
			Alone:      t.alone || t.kind == KindInstance && strings.Contains(predicate, "not "),
			Expression: t.subject + " " + predicate,
			Doc:        fmt.Sprintf(doc, t.what),
			Example:    t.before + "Then " + t.example + " " + example,
			Func: func(ctx context.Context, s *Scenario, args Args) error {
				text, err := t.read(ctx, s, args)
				if err != nil {
					return err
				}
				return test(t.what, text, args.last())
			},
		}
	}
	whole := Step{
		Group: t.group, Kind: t.kind, Within: t.within, Alone: t.alone, Takes: TakesDocString,
		Expression: t.subject + " is",
		Doc:        fmt.Sprintf("Passes when %s is exactly the doc string; a line feed at its end counts for nothing.", t.what),
		Example:    t.before + "Then " + t.example + " is\n  \"\"\"\n" + indent(t.whole) + "\n  \"\"\"",
		Func: func(ctx context.Context, s *Scenario, args Args) error {
			text, err := t.read(ctx, s, args)
			if err != nil {
				return err
			}
			return equal(t.what, strings.TrimSuffix(args.DocString, "\n"), strings.TrimSuffix(text, "\n"))
		},
	}
	return []Step{
		step("contains {string}", "Passes when %s has the text in it.", fmt.Sprintf("contains %q", t.part), contains),
		step("does not contain {string}", "Passes when %s does not have the text in it.", fmt.Sprintf("does not contain %q", t.absent), containsNot),
		step("matches {string}", "Passes when the regular expression (RE2) matches in %s; \"^\" and \"$\" stand for the ends of lines.", "matches '"+t.pattern+"'", matches),
		step("does not match {string}", "Passes when the regular expression (RE2) matches nowhere in %s.", "does not match '"+t.absent+"$'", matchesNot),
		step("is not empty", "Passes when %s has anything but white space.", "is not empty", notEmpty),
		whole,
	}
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ")
}

func contains(what, text, part string) error {
	return expect(strings.Contains(text, part), what, "the text "+quote(part), quote(text))
}

func containsNot(what, text, part string) error {
	return expect(!strings.Contains(text, part), what, "no "+quote(part), quote(lineWith(text, part)))
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return strings.TrimSuffix(line, "\n")
		}
	}
	return text
}

func matches(what, text, pattern string) error {
	re, err := compilePattern(pattern)
	if err != nil {
		return err
	}
	return expect(re.MatchString(text), what, "a match of /"+pattern+"/", quote(text))
}

func matchesNot(what, text, pattern string) error {
	re, err := compilePattern(pattern)
	if err != nil {
		return err
	}
	return expect(!re.MatchString(text), what, "no match of /"+pattern+"/", quote(re.FindString(text)))
}

func empty(what, text, _ string) error {
	return expect(strings.TrimSpace(text) == "", what, "nothing", quote(text))
}

func notEmpty(what, text, _ string) error {
	return expect(strings.TrimSpace(text) != "", what, "something", "nothing")
}

// compilePattern compiles a regular expression of a feature; its anchors are those of lines.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", pattern, err)
	}
	return re, nil
}
