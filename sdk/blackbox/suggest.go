package blackbox

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

var (
	// parameter finds the parameters of an expression, value what stands for them in a text.
	parameter = regexp.MustCompile(`\{\w*\}`)
	value     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|SIG[A-Z0-9]+|\d+(?:\.\d+)?(?: (?:milliseconds?|seconds?|minutes?|hours?|days?|bytes?|B|kB|KB|MB|GB|KiB|MiB|GiB)\b)?`)
)

// suggestions is how many steps an error offers, farthest how different they may be, from 0 to 1, and spread how much
// more than the nearest.
const (
	suggestions = 3
	farthest    = 0.6
	spread      = 0.1
)

// suggest says that the text is no step, and which ones are nearest. Values count little: what was mistyped is a word.
func (l *library) suggest(text string) string {
	type near struct {
		source   string
		distance float64
	}
	shape := value.ReplaceAllString(text, "·")
	var all []near
	for _, p := range l.patterns {
		source := p.expression.Source()
		if d := distance(shape, parameter.ReplaceAllString(source, "·")); d < farthest {
			all = append(all, near{source, d})
		}
	}
	if len(all) == 0 {
		return "no step reads like this; \"plimsoll steps WORD\" and STEPS.md list what there is"
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var b strings.Builder
	b.WriteString("no step reads like this; did you mean")
	for _, n := range all[:min(suggestions, len(all))] {
		if n.distance > all[0].distance+spread {
			break
		}
		fmt.Fprintf(&b, "\n  %s", fill(n.source, text))
	}
	if word := firstOddWord(shape, parameter.ReplaceAllString(all[0].source, "·")); word != "" {
		fmt.Fprintf(&b, "\nthe first word that differs is %q", word)
	}
	return b.String()
}

// distance is 0 for equal texts and 1 for texts that share nothing. Letter by letter finds typing errors, word by word
// finds other orders and missing words; the smaller of both counts.
func distance(a, b string) float64 {
	letters := float64(levenshtein.Distance(a, b, nil)) / float64(max(len(a), len(b), 1))
	in, words := strings.Fields(a), strings.Fields(b)
	shared := 0
	for _, w := range words {
		if slices.Contains(in, w) {
			shared++
		}
	}
	return min(letters, 1-2*float64(shared)/float64(max(len(in)+len(words), 1)))
}

// fill puts the values of the text into the parameters of the expression, as far as their kinds are the same.
func fill(source, text string) string {
	values := value.FindAllString(text, -1)
	fits := func(param, v string) bool {
		first := v[:1]
		switch param {
		case "{string}":
			return strings.ContainsAny(first, `"'`)
		case "{signal}":
			return first == "S"
		case "{duration}", "{size}":
			return strings.ContainsAny(first, "0123456789") && strings.Contains(v, " ")
		default:
			return strings.ContainsAny(first, "0123456789") && !strings.Contains(v, " ")
		}
	}
	return parameter.ReplaceAllStringFunc(source, func(param string) string {
		for i, v := range values {
			if fits(param, v) {
				values = slices.Delete(values, i, i+1)
				return v
			}
		}
		return param
	})
}

// firstOddWord returns the first word of the text that the nearest step does not have in its place.
func firstOddWord(shape, nearest string) string {
	have, want := strings.Fields(shape), strings.Fields(nearest)
	for i, w := range have {
		if i >= len(want) || w != want[i] {
			return strings.ReplaceAll(w, "·", "a value")
		}
	}
	return ""
}
