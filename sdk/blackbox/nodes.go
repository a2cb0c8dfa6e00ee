package blackbox

import (
	"slices"
	"strings"

	messages "github.com/cucumber/messages/go/v21"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// nodes finds the parts of a feature by the ids that its scenarios refer to.
type nodes struct {
	feature    string
	scenarios  map[string]*messages.Scenario
	rules      map[string]string // by scenario
	rows       map[string]*messages.TableRow
	steps      map[string]*messages.Step
	background map[string]bool
}

func indexNodes(f *messages.Feature) *nodes {
	n := &nodes{
		feature: f.Name, scenarios: map[string]*messages.Scenario{}, rules: map[string]string{},
		rows: map[string]*messages.TableRow{}, steps: map[string]*messages.Step{}, background: map[string]bool{},
	}
	for _, child := range f.Children {
		n.add("", child.Background, child.Scenario)
		if child.Rule != nil {
			for _, inner := range child.Rule.Children {
				n.add(child.Rule.Name, inner.Background, inner.Scenario)
			}
		}
	}
	return n
}

func (n *nodes) add(rule string, b *messages.Background, s *messages.Scenario) {
	if b != nil {
		for _, step := range b.Steps {
			n.steps[step.Id], n.background[step.Id] = step, true
		}
	}
	if s == nil {
		return
	}
	n.scenarios[s.Id], n.rules[s.Id] = s, rule
	for _, step := range s.Steps {
		n.steps[step.Id] = step
	}
	for _, e := range s.Examples {
		for _, row := range e.TableBody {
			n.rows[row.Id] = row
		}
	}
}

// planned looks up the steps of a scenario, with the parameters put in.
func (n *nodes) planned(p *messages.Pickle, l *library, params map[string]string) *planned {
	at := n.scenarios[p.AstNodeIds[0]].Location
	if len(p.AstNodeIds) > 1 {
		at = n.rows[p.AstNodeIds[1]].Location
	}
	file := lineSuffix.ReplaceAllString(p.Uri, "")
	tags := pickleTags(p)
	s := &planned{result: ScenarioResult{
		ID: p.Id, Feature: n.feature, Rule: n.rules[p.AstNodeIds[0]], Name: p.Name, Tags: tags, Place: place(file, at), Status: Skipped,
	}}
	for _, step := range p.Steps {
		node := n.steps[step.AstNodeIds[0]]
		below := argument(step.Argument)
		e := &expander{params: params}
		text, args := e.quoted(step.Text), e.args(below)
		c, err := call{}, e.err()
		if err == nil {
			c, err = l.find(text, args)
		}
		s.calls, s.errs = append(s.calls, c), append(s.errs, err)
		s.result.Steps = append(s.result.Steps, StepResult{
			ID: step.Id, Keyword: strings.TrimSpace(node.Keyword), Text: step.Text, Table: below.Table, DocString: below.DocString,
			Place: place(file, node.Location), Background: n.background[node.Id], Status: Skipped,
		})
		if c.step != nil {
			s.result.Steps[len(s.result.Steps)-1].Expression = c.step.Expression
			s.alone = s.alone || c.step.Alone || err == nil && c.step.aloneIf != nil && c.step.aloneIf(c.args)
			s.needs = s.needs || c.step.Kind == KindInstance
			if c.step.Starts {
				s.starts++
			}
		}
	}
	switch {
	case slices.Contains(tags, "@shared"):
		s.alone = false
	case slices.Contains(tags, "@alone"), s.starts > 1:
		s.alone = true
	}
	return s
}

func argument(a *messages.PickleStepArgument) Args {
	var args Args
	if a == nil {
		return args
	}
	if a.DocString != nil {
		args.DocString, args.hasDocString = a.DocString.Content, true
	}
	if a.DataTable != nil {
		for _, row := range a.DataTable.Rows {
			var cells []string
			for _, cell := range row.Cells {
				cells = append(cells, cell.Value)
			}
			args.Table = append(args.Table, cells)
		}
	}
	return args
}

func place(file string, at *messages.Location) finding.Place {
	return finding.Place{File: file, Start: finding.Position{Line: int(at.Line), Column: int(at.Column)}}
}
