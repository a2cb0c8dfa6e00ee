package blackbox

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	expressions "github.com/cucumber/cucumber-expressions/go/v18"
)

// within is what stands in front of a step that may be waited for.
const within = "within {duration} "

// pattern is a compiled expression of a step; wait is that of the form with "within" in front.
type pattern struct {
	step       *Step
	expression expressions.Expression
	wait       bool
}

var durationUnits = map[string]time.Duration{
	"millisecond": time.Millisecond, "second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour,
}

var sizeUnits = map[string]float64{
	"byte": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

// ParameterType is a parameter of expressions beside Cucumber's own.
type ParameterType struct {
	Name      string
	Pattern   string // regular expression
	transform func(string) any
}

// ParameterTypes returns the parameters that steps have beside Cucumber's own.
func ParameterTypes() []ParameterType {
	return []ParameterType{
		{"duration", `\d+(?:\.\d+)? (?:milliseconds?|seconds?|minutes?|hours?|days?)`, func(s string) any { return duration(s) }},
		{"size", `\d+(?:\.\d+)? (?:bytes?|B|kB|KB|MB|GB|KiB|MiB|GiB)`, func(s string) any { return size(s) }},
		{"signal", `SIG[A-Z0-9]+`, func(s string) any { return s }},
	}
}

// parameterTypes are Cucumber's and our own.
func parameterTypes() (*expressions.ParameterTypeRegistry, error) {
	registry := expressions.NewParameterTypeRegistry()
	for _, p := range ParameterTypes() {
		t, err := expressions.NewParameterType(p.Name, []*regexp.Regexp{regexp.MustCompile(p.Pattern)}, p.Name,
			func(groups ...*string) any { return p.transform(*groups[0]) }, true, false, false)
		if err != nil {
			return nil, err
		}
		if err := registry.DefineParameterType(t); err != nil {
			return nil, err
		}
	}
	return registry, nil
}

// duration reads what the pattern of {duration} matched.
func duration(s string) time.Duration {
	number, unit, _ := strings.Cut(s, " ")
	n, _ := strconv.ParseFloat(number, 64) // the pattern lets nothing else through
	return time.Duration(math.Min(n*float64(durationUnits[strings.TrimSuffix(unit, "s")]), math.MaxInt64))
}

// size reads what the pattern of {size} matched.
func size(s string) int64 {
	number, unit, _ := strings.Cut(s, " ")
	n, _ := strconv.ParseFloat(number, 64) // the pattern lets nothing else through
	return int64(math.Min(n*sizeUnits[strings.TrimSuffix(unit, "s")], math.MaxInt64))
}

// compile makes the patterns of a step.
func compile(step *Step, registry *expressions.ParameterTypeRegistry) ([]pattern, error) {
	sources := []string{step.Expression}
	if step.Within {
		sources = append(sources, within+step.Expression)
	}
	var patterns []pattern
	for i, source := range sources {
		e, err := expressions.NewCucumberExpression(source, registry)
		if err != nil {
			return nil, fmt.Errorf("step %q: %w", step.Expression, err)
		}
		patterns = append(patterns, pattern{step: step, expression: e, wait: i > 0})
	}
	return patterns, nil
}

// match returns the values of the parameters, and whether the text matches at all.
func (p pattern) match(text string) (values []any, ok bool, err error) {
	if !p.expression.Regexp().MatchString(text) {
		return nil, false, nil
	}
	defer func() {
		// Cucumber's own transformers panic on numbers that no int holds.
		if r := recover(); r != nil {
			err = fmt.Errorf("a number that is too big: %v", r)
		}
	}()
	arguments, err := p.expression.Match(text)
	if err != nil || arguments == nil {
		return nil, false, err
	}
	for _, a := range arguments {
		v := a.GetValue()
		if f, ok := v.(float32); ok {
			v, _ = strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64) // as it was written
		}
		values = append(values, v)
	}
	return values, true, nil
}
