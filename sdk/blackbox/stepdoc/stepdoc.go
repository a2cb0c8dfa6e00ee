// Package stepdoc writes about the steps of package blackbox: the reference, the file from which editors complete
// them, and the answer to a search. It makes all of them from the table of steps, your own included.
//
// Everything is safe for concurrent use. The API follows the module's version.
package stepdoc

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

// Markdown returns the reference of the steps, under the headings of their groups.
func Markdown(steps []blackbox.Step) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!-- Code generated from the table of steps. DO NOT EDIT. -->\n\n# Steps\n\n")
	fmt.Fprintf(&b, "%d steps. They are [Cucumber expressions](https://github.com/cucumber/cucumber-expressions): `{string}` stands for a text in single or double quotes, ", len(steps))
	fmt.Fprintf(&b, "`{int}` and `{float}` for numbers, `{word}` for one word without quotes, `{duration}` for \"10 seconds\" (milliseconds, seconds, minutes, hours, days), ")
	fmt.Fprintf(&b, "`{size}` for \"64 MiB\" (bytes, kB, MB, GB, KiB, MiB, GiB) and `{signal}` for \"SIGTERM\". Given, When, Then, And and But are for the reader; any step may follow any.\n\n")
	fmt.Fprintf(&b, "Steps marked *waits* may have \"within 10 seconds\" in front: they are tried until they pass or the time is over. ")
	fmt.Fprintf(&b, "`${name}` in a step is replaced by a parameter of the run.\n\n")
	fmt.Fprintf(&b, "What a step needs stands behind it: *image* the configuration, *file* the layers, *instance* a sandbox. A scenario shares its instance with others as long as it only looks; ")
	fmt.Fprintf(&b, "with a step marked *alone* it gets its own. The tags `@alone` and `@shared` decide otherwise.\n")
	for _, group := range groups(steps) {
		fmt.Fprintf(&b, "\n## %s\n", group)
		for _, s := range steps {
			if s.Group == group {
				fmt.Fprintf(&b, "\n### %s\n\n%s *%s*\n\n```gherkin\n%s\n```\n", code(s.Expression), s.Doc, strings.Join(marks(s), ", "), s.Example)
			}
		}
	}
	return b.Bytes()
}

func code(s string) string { return "`" + s + "`" }

func marks(s blackbox.Step) []string {
	marks := []string{string(s.Kind)}
	if s.Within {
		marks = append(marks, "waits")
	}
	if s.Alone {
		marks = append(marks, "alone")
	}
	if s.Takes != blackbox.TakesNothing {
		marks = append(marks, "with a "+string(s.Takes))
	}
	return marks
}

// groups returns the groups in the order in which they come first.
func groups(steps []blackbox.Step) []string {
	var all []string
	for _, s := range steps {
		if !slices.Contains(all, s.Group) {
			all = append(all, s.Group)
		}
	}
	return all
}

// Glue returns a file in JavaScript that only editors read: the Cucumber language server completes and checks steps
// from it when its setting "cucumber.glue" names the file.
func Glue(steps []blackbox.Step) []byte {
	var b bytes.Buffer
	b.WriteString("// Code generated from the table of steps. DO NOT EDIT.\n// For editors: name this file in the setting \"cucumber.glue\" of the Cucumber language server. It is never run.\n")
	b.WriteString("import { Given, defineParameterType } from '@cucumber/cucumber'\n\n")
	for _, p := range blackbox.ParameterTypes() {
		fmt.Fprintf(&b, "defineParameterType({ name: '%s', regexp: /%s/, transformer: (s) => s })\n", p.Name, p.Pattern)
	}
	b.WriteString("\n")
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, s := range steps {
		fmt.Fprintf(&b, "Given('%s', () => {})\n", quote.Replace(s.Expression))
		if s.Within {
			fmt.Fprintf(&b, "Given('within {duration} %s', () => {})\n", quote.Replace(s.Expression))
		}
	}
	return b.Bytes()
}

var word = regexp.MustCompile(`[\pL\pN]+`)

// Search returns the steps that have every one of the words in them, in any case and order; those that have them in
// the expression come before those that have them in the description only. Without words it returns all.
func Search(steps []blackbox.Step, words ...string) []blackbox.Step {
	var first, second []blackbox.Step
	for _, s := range steps {
		switch {
		case hasAll(s.Expression, words):
			first = append(first, s)
		case hasAll(s.Expression+" "+s.Doc+" "+s.Group, words):
			second = append(second, s)
		}
	}
	return append(first, second...)
}

// hasAll says whether each word begins a word of the text.
func hasAll(text string, words []string) bool {
	in := word.FindAllString(strings.ToLower(text), -1)
	for _, w := range word.FindAllString(strings.ToLower(strings.Join(words, " ")), -1) {
		if !slices.ContainsFunc(in, func(have string) bool { return strings.HasPrefix(have, w) }) {
			return false
		}
	}
	return true
}
