package blackbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// library is the steps that a suite understands.
type library struct{ patterns []pattern }

// builtIn compiles the built-in steps once: all suites of a process have the same.
var builtIn = sync.OnceValues(func() ([]pattern, error) { return compileAll(Steps()) })

// newLibrary returns the built-in steps and those of the options.
func newLibrary(own []Step) (*library, error) {
	first, err := builtIn()
	if err != nil {
		return nil, err
	}
	second, err := compileAll(own)
	return &library{patterns: slices.Concat(first, second)}, err
}

func compileAll(steps []Step) ([]pattern, error) {
	registry, err := parameterTypes()
	if err != nil {
		return nil, err
	}
	var all []pattern
	for _, step := range steps {
		if step.Func == nil || step.Expression == "" {
			return nil, fmt.Errorf("step %q: Expression and Func are required", step.Expression)
		}
		patterns, err := compile(&step, registry)
		if err != nil {
			return nil, err
		}
		all = append(all, patterns...)
	}
	return all, nil
}

// call is a step of a feature with the step of the library that it is.
type call struct {
	step *Step
	args Args
	wait time.Duration // how long to try, from "within"; 0 means once
}

// matchError says why a text is no step. Status is Undefined or Ambiguous.
type matchError struct {
	status Status
	msg    string
}

func (e *matchError) Error() string { return e.msg }

// find returns the one step that matches the text; below is what stands below it.
func (l *library) find(text string, below Args) (call, error) {
	var found []call
	var sources []string
	for _, p := range l.patterns {
		values, ok, err := p.match(text)
		if err != nil {
			return call{}, err
		}
		if !ok {
			continue
		}
		c := call{step: p.step, args: below}
		c.args.values = values
		if p.wait {
			c.wait = values[0].(time.Duration)
			c.args.values = values[1:]
		}
		found = append(found, c)
		sources = append(sources, p.expression.Source())
	}
	switch len(found) {
	case 0:
		return call{}, &matchError{Undefined, l.suggest(text)}
	case 1:
		return found[0], found[0].checkArgument()
	default:
		return call{}, &matchError{Ambiguous, fmt.Sprintf("%d steps match this text: %s: reword one of them", len(found), list(sources))}
	}
}

func (c call) checkArgument() error {
	table, docString := len(c.args.Table) > 0, c.args.hasDocString
	switch takes := c.step.Takes; {
	case takes == TakesTable && !table:
		return errors.New("the step needs a table below it, for example:\n" + argumentOf(c.step.Example, "|"))
	case takes == TakesDocString && !docString:
		return errors.New("the step needs a doc string below it: text between two lines of \"\"\"")
	case takes != TakesTable && table:
		return errors.New("there is a table below the step, but it takes none")
	case takes != TakesDocString && docString:
		return errors.New("there is a doc string below the step, but it takes none")
	}
	return nil
}

// argumentOf returns the lines of an example that begin with the mark.
func argumentOf(example, mark string) string {
	lines := slices.DeleteFunc(strings.Split(example, "\n"), func(line string) bool {
		return !strings.HasPrefix(strings.TrimSpace(line), mark)
	})
	return strings.Join(lines, "\n")
}
