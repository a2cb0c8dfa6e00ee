package blackbox

import (
	"context"
	"strconv"
	"time"
)

// outputSteps look at what the last command left.
func outputSteps() []Step {
	const group = "Output of commands"
	const ran = "When the command \"/app/service say\" is run\nThen "
	step := func(expression, doc, example string, test func(o *output, a Args) error) Step {
		return Step{
			Group: group, Kind: KindInstance, Expression: expression, Doc: doc, Example: ran + example,
			Func: func(_ context.Context, s *Scenario, a Args) error {
				if s.output == nil {
					return errNoCommand
				}
				return test(s.output, a)
			},
		}
	}
	steps := []Step{
		step("the exit code is {int}", "Compares the exit code of the last command.", "the exit code is 0",
			func(o *output, a Args) error { return o.hasCode(a.Int(0)) }),
		step("the exit code is not {int}", "Passes when the exit code of the last command is another one.", "the exit code is not 1",
			func(o *output, a Args) error {
				return differ("the exit code of "+o.command, strconv.Itoa(a.Int(0)), strconv.Itoa(o.Exit.Code))
			}),
		step("the command took less than {duration}", "Compares the time that the last command took.", "the command took less than 20 seconds",
			func(o *output, a Args) error {
				return expect(o.Duration < a.Duration(0), "the time of "+o.command, "less than "+a.Duration(0).String(), o.Duration.Round(time.Millisecond).String())
			}),
		step("the standard output is empty", "Passes when the last command wrote nothing but white space.", "the standard error is empty",
			func(o *output, _ Args) error { return empty("the standard output", string(o.Logs.Stdout), "") }),
		step("the standard error is empty", "Passes when the last command wrote no error but white space.", "the standard error is empty",
			func(o *output, _ Args) error { return empty("the standard error", string(o.Logs.Stderr), "") }),
		step("the standard output JSON has {string} at {string}", "Compares the value at a JSONPath (RFC 9535) of what the last command wrote.", "",
			func(o *output, a Args) error {
				return jsonEqual(a.String(1)+" of the standard output", o.Logs.Stdout, a.String(1), a.String(0))
			}),
	}
	steps[3].Example = "When the command \"/app/service quiet\" is run\nThen the standard output is empty"
	steps[5].Example = "When the command \"/app/service json\" is run\nThen the standard output JSON has \"up\" at \"$.state\""
	stream := func(name string, of func(*output) []byte, before string) []Step {
		return text{
			group: group, subject: name, what: name, kind: KindInstance, before: before, example: name,
			whole: "ready\nto serve", part: "ready", pattern: "^to .*ve$", absent: "panic",
			read: func(_ context.Context, s *Scenario, _ Args) (string, error) {
				if s.output == nil {
					return "", errNoCommand
				}
				_, err := whole(s.output.Logs, name)
				return string(of(s.output)), err
			},
		}.steps()
	}
	steps = append(steps, stream("the standard output", func(o *output) []byte { return o.Logs.Stdout }, "When the command \"/app/service say\" is run\n")...)
	return append(steps, stream("the standard error", func(o *output) []byte { return o.Logs.Stderr }, "When the command \"/app/service complain\" is run\n")...)
}
