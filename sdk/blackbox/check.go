package blackbox

import (
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	gherkin "github.com/cucumber/gherkin/go/v26"
	messages "github.com/cucumber/messages/go/v21"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// checker looks through a parsed feature for what parses and yet does not run: a misspelled keyword is a description
// to Gherkin, and a scenario without steps passes.
type checker struct {
	path      string
	lines     []string
	dialect   *gherkin.Dialect
	scenarios int
	problems  []finding.Finding
}

func dialectOf(language string) *gherkin.Dialect {
	return gherkin.DialectsBuiltin().GetDialect(language)
}

func (c *checker) add(rule string, at *messages.Location, format string, args ...any) {
	c.problems = append(c.problems, problem(rule, c.path, at.Line, max(at.Column, 1), format, args...))
}

func (c *checker) feature(f *messages.Feature) {
	c.description(f.Location, f.Description)
	for _, child := range f.Children {
		if child.Rule != nil {
			c.description(child.Rule.Location, child.Rule.Description)
			for _, inner := range child.Rule.Children {
				c.background(inner.Background)
				c.scenario(inner.Scenario)
			}
		}
		c.background(child.Background)
		c.scenario(child.Scenario)
	}
}

func (c *checker) background(b *messages.Background) {
	if b != nil {
		c.description(b.Location, b.Description)
	}
}

func (c *checker) scenario(s *messages.Scenario) {
	if s == nil {
		return
	}
	c.scenarios++
	c.description(s.Location, s.Description)
	if len(s.Steps) == 0 {
		c.add(ruleNoSteps, s.Location, "scenario %q has no steps", s.Name)
	}
	rows := 0
	for _, e := range s.Examples {
		c.description(e.Location, e.Description)
		rows += len(e.TableBody)
		if len(e.TableBody) == 0 {
			c.add(ruleNoSteps, e.Location, "the examples of %q have no rows", s.Name)
		}
		c.placeholders(s, e)
	}
	if outline := slices.Contains(c.dialect.ScenarioOutlineKeywords(), s.Keyword); outline && rows == 0 && len(s.Examples) == 0 {
		c.add(ruleNoSteps, s.Location, "scenario outline %q has no examples", s.Name)
	}
}

var placeholder = regexp.MustCompile(`<([^<>"\s][^<>"]*)>`)

// placeholders finds columns that a scenario outline names and its examples lack.
func (c *checker) placeholders(s *messages.Scenario, e *messages.Examples) {
	if e.TableHeader == nil {
		return
	}
	var columns []string
	for _, cell := range e.TableHeader.Cells {
		columns = append(columns, cell.Value)
	}
	for _, step := range s.Steps {
		for _, m := range placeholder.FindAllStringSubmatch(step.Text, -1) {
			if !slices.Contains(columns, m[1]) {
				c.add(rulePlaceholder, step.Location, "the examples at line %d have no column %q: they have %s", e.Location.Line, m[1], list(columns))
			}
		}
	}
}

// keywordLike is a line that reads like a keyword.
var keywordLike = regexp.MustCompile(`^([\pL][\pL ]*?)\s*:`)

// description finds lines of a description that are most likely meant as a keyword: misspelled, or without its colon.
func (c *checker) description(at *messages.Location, text string) {
	if text == "" {
		return
	}
	keywords := slices.Concat(c.dialect.ScenarioKeywords(), c.dialect.ScenarioOutlineKeywords(), c.dialect.BackgroundKeywords(),
		c.dialect.ExamplesKeywords(), c.dialect.RuleKeywords(), c.dialect.FeatureKeywords())
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		place := c.find(at, line)
		if m := keywordLike.FindStringSubmatch(trimmed); m != nil {
			if near := nearest(m[1], keywords, 3); near != "" {
				c.add(ruleKeyword, place, "%q is no keyword, so this line and those below it would be a description: did you mean %q?", m[1]+":", near+":")
				return
			}
		}
		if i+1 < len(lines) && beginsWith(trimmed, c.dialect.ScenarioKeywords()) && beginsWith(strings.TrimSpace(lines[i+1]), c.dialect.StepKeywords()) {
			c.add(ruleKeyword, place, "a keyword without its colon, so this line and those below it would be a description: write %q", strings.Fields(trimmed)[0]+":")
			return
		}
	}
}

// find returns where a line of a description stands: blank lines above a description are no part of it.
func (c *checker) find(after *messages.Location, line string) *messages.Location {
	at := &messages.Location{Line: after.Line, Column: int64(len(line)-len(strings.TrimLeft(line, " \t"))) + 1}
	for i, l := range c.lines[min(int(after.Line), len(c.lines)):] {
		if strings.TrimRight(l, "\r") == line {
			at.Line = after.Line + int64(i) + 1
			break
		}
	}
	return at
}

func beginsWith(line string, keywords []string) bool {
	return slices.ContainsFunc(keywords, func(k string) bool {
		return strings.HasPrefix(line, strings.TrimSpace(k)+" ") && k != "* "
	})
}

// nearest returns the word that is at most so many letters away, or "".
func nearest(word string, words []string, most int) string {
	best := ""
	for _, w := range words {
		if d := levenshtein.Distance(strings.ToLower(word), strings.ToLower(w), nil); d <= most && d < len(w)/2+1 {
			best, most = w, d-1
		}
	}
	return best
}
