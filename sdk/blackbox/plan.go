package blackbox

import (
	"context"
	"fmt"
	"slices"
	"strings"

	messages "github.com/cucumber/messages/go/v21"
	tagexpressions "github.com/cucumber/tag-expressions/go/v6"
)

// plan is what a suite will run: godog's scenarios, each with its steps already looked up.
type plan struct {
	features *features
	tags     string // godog's filter for what was selected
	order    []*planned
	byID     map[string]*planned
}

// planned is one scenario. Its result is filled when it runs.
type planned struct {
	result ScenarioResult
	calls  []call
	errs   []error // why a step is none, by its number
	alone  bool    // it shares no instance
	needs  bool    // it needs a sandbox
	starts int     // how many instances it starts
	began  bool    // it was run
}

// makePlan selects scenarios and looks up their steps.
func makePlan(f *features, options Options, l *library) (*plan, error) {
	expression := options.Tags
	selected, err := parseTags(expression)
	if err != nil {
		return nil, err
	}
	p := &plan{features: f, byID: map[string]*planned{}}
	if len(f.paths) == 0 {
		return p, nil
	}
	documents, err := p.godog(context.Background(), nil).RetrieveFeatures()
	if err != nil {
		return nil, err
	}
	var every, unselected [][]string
	for _, d := range documents {
		nodes := indexNodes(d.Feature)
		for _, pickle := range d.Pickles {
			tags := pickleTags(pickle)
			every = append(every, tags)
			if !selected.Evaluate(tags) {
				unselected = append(unselected, tags)
				continue
			}
			s := nodes.planned(pickle, l, options.Params)
			p.order = append(p.order, s)
			p.byID[pickle.Id] = s
		}
	}
	if len(p.order) == 0 {
		f.problems = append(f.problems, problem(ruleNoScenario, f.paths[0], 1, 1, "no scenario was selected: %d were looked at with the tag expression %q in %s", len(every), expression, list(f.paths)))
	}
	p.tags = excluding(unselected, slices.Concat(every...))
	return p, nil
}

// needsRuntime says whether a scenario needs a sandbox.
func (p *plan) needsRuntime() bool {
	return slices.ContainsFunc(p.order, func(s *planned) bool { return s.needs })
}

// parseTags parses a tag expression. The parser panics on one that ends too early.
func parseTags(expression string) (e tagexpressions.Evaluatable, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("tag expression %q: it is not complete", expression)
		}
	}()
	e, err = tagexpressions.Parse(expression)
	if err != nil {
		return nil, fmt.Errorf("tag expression %q: %w", expression, err)
	}
	return e, nil
}

// excluding returns the filter, in godog's own notation, that lets everything pass but scenarios with exactly one of
// these sets of tags. Tags decide alone whether a scenario is selected, so this is any tag expression.
func excluding(sets [][]string, every []string) string {
	slices.Sort(every)
	every = slices.Compact(every)
	var clauses []string
	for _, tags := range sets {
		var clause []string
		for _, tag := range every {
			if slices.Contains(tags, tag) {
				tag = "~" + tag
			}
			clause = append(clause, tag)
		}
		clauses = append(clauses, strings.Join(clause, ","))
	}
	slices.Sort(clauses)
	return strings.Join(slices.Compact(clauses), " && ")
}

func pickleTags(p *messages.Pickle) []string {
	var tags []string
	for _, t := range p.Tags {
		tags = append(tags, t.Name)
	}
	return tags
}
