package blackbox

import (
	"context"
	"fmt"
	"time"
)

// named returns the steps about the entries of a map of the image, such as its labels.
func named(noun, plural, example, value string, entries func(s *Scenario) map[string]string) []Step {
	step := func(expression, doc, text string, test func(value string, has bool, all []string, a Args) error) Step {
		return Step{
			Group: "Labels and annotations", Kind: KindImage, Expression: expression, Doc: doc, Example: "Then " + text,
			Func: func(_ context.Context, s *Scenario, a Args) error {
				m := entries(s)
				v, has := m[a.String(0)]
				return test(v, has, sortedKeys(m), a)
			},
		}
	}
	what := func(a Args) string { return fmt.Sprintf("the %s %q", noun, a.String(0)) }
	return []Step{
		step("the "+noun+" {string} of the image is {string}", "Compares the value of "+article(noun)+" exactly.",
			fmt.Sprintf("the %s %q of the image is %q", noun, example, value),
			func(v string, has bool, _ []string, a Args) error {
				return expect(has && v == a.String(1), what(a), quote(a.String(1)), foundIf(has, quote(v)))
			}),
		step("the "+noun+" {string} of the image matches {string}", "Passes when the regular expression (RE2) matches in the value of "+article(noun)+".",
			fmt.Sprintf("the %s %q of the image matches '^.'", noun, example),
			func(v string, has bool, all []string, a Args) error {
				if !has {
					return &Mismatch{What: "the " + plural + " of the image", Expected: quote(a.String(0)), Found: list(all)}
				}
				return matches(what(a), v, a.String(1))
			}),
		step("the image has the "+noun+" {string}", "Passes when the image has "+article(noun)+" of that name that is not empty.",
			fmt.Sprintf("the image has the %s %q", noun, example),
			func(v string, _ bool, all []string, a Args) error {
				return expect(v != "", "the "+plural+" of the image", a.String(0)+" with a value", list(all))
			}),
		step("the image does not have the "+noun+" {string}", "Passes when the image has no "+noun+" of that name.",
			fmt.Sprintf("the image does not have the %s %q", noun, "maintainer"),
			func(v string, has bool, _ []string, a Args) error {
				return expect(!has, what(a), "none", quote(v))
			}),
	}
}

func article(noun string) string {
	if noun[0] == 'a' {
		return "an " + noun
	}
	return "a " + noun
}

func labelSteps() []Step {
	labels := func(s *Scenario) map[string]string { return s.image.Config.Config.Labels }
	annotations := func(s *Scenario) map[string]string { return s.image.Manifest.Annotations }
	steps := named("label", "labels", "org.opencontainers.image.title", "service", labels)
	steps = append(steps, named("annotation", "annotations", "org.opencontainers.image.base.name", "registry.example/base:1", annotations)...)
	all := Step{
		Group: "Labels and annotations", Kind: KindImage, Takes: TakesTable, Expression: "the image has the labels",
		Doc:     "Compares the values of several labels; others may be there, too.",
		Example: "Then the image has the labels\n  | org.opencontainers.image.title | service |",
		Func: func(_ context.Context, s *Scenario, a Args) error {
			pairs, err := a.Pairs()
			if err != nil {
				return err
			}
			for _, p := range pairs {
				value, has := labels(s)[p[0]]
				if err := expect(has && value == p[1], fmt.Sprintf("the label %q", p[0]), quote(p[1]), foundIf(has, quote(value))); err != nil {
					return err
				}
			}
			return nil
		},
	}
	return append(steps, all,
		Step{
			Group: "Labels and annotations", Kind: KindImage, Expression: "the image says that it is based on {string}",
			Doc:     "Compares the base image that the annotation or label org.opencontainers.image.base.name names. It is what the image says, not a proof.",
			Example: `Then the image says that it is based on "registry.example/base:1"`,
			Func: func(_ context.Context, s *Scenario, a Args) error {
				const name = "org.opencontainers.image.base.name"
				return equal("the base image", a.String(0), or(annotations(s)[name], labels(s)[name]))
			},
		},
		Step{
			Group: "Labels and annotations", Kind: KindImage, Expression: "the image is less than {duration} old",
			Doc:     "Compares the creation time of the configuration with now. A reproducible build may have set any time.",
			Example: "Then the image is less than 90 days old",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				created := s.image.Config.Created.Time
				if created.IsZero() {
					return &Mismatch{What: "the creation time of the image", Expected: "one", Found: "none"}
				}
				age := s.run.options.Now().Sub(created)
				return expect(age < a.Duration(0), "the age of the image", "less than "+a.Duration(0).String(), age.Round(time.Second).String())
			},
		})
}
