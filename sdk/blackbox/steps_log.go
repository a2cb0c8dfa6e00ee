package blackbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// logText is standard output and standard error of the instance, one after the other.
func logText(ctx context.Context, s *Scenario, _ Args) (string, error) {
	i, err := s.instance("")
	if err != nil {
		return "", err
	}
	logs, err := i.Logs(ctx)
	if err != nil {
		return "", err
	}
	return whole(logs, "the log")
}

// whole returns all that was written. What was cut off can't be judged, so that it is an error.
func whole(logs sandbox.Logs, what string) (string, error) {
	if logs.Truncated {
		return "", fmt.Errorf("%s is longer than the sandbox keeps: %d bytes and more can't be judged", what, len(logs.Stdout)+len(logs.Stderr))
	}
	return string(logs.Stdout) + string(logs.Stderr), nil
}

func logSteps() []Step {
	const group = "Logs"
	const started = "When an instance is started\nThen within 10 seconds "
	step := func(expression, doc, example string, test func(lines []string, a Args) error) Step {
		return Step{
			Group: group, Kind: KindInstance, Within: true, Alone: true, Expression: expression, Doc: doc, Example: started + example,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				text, err := logText(ctx, s, a)
				if err != nil {
					return err
				}
				return test(strings.Split(strings.TrimSuffix(text, "\n"), "\n"), a)
			},
		}
	}
	steps := text{
		group: group, subject: "the log", what: "the log", kind: KindInstance, within: true, read: logText,
		before:  "Given the arguments \"say\"\nWhen an instance is started\nAnd within 10 seconds the log is not empty\n",
		example: "the log", whole: "ready\nto serve", part: "ready", pattern: "^to .*ve$", absent: "panic",
	}.steps()
	steps = append(steps,
		step("the log has {int} lines with {string}", "Counts the lines of the log that have the text in them.",
			`the log has 1 lines with "listening"`,
			func(lines []string, a Args) error {
				n := 0
				for _, line := range lines {
					if strings.Contains(line, a.String(1)) {
						n++
					}
				}
				return expect(n == a.Int(0), "the lines of the log with "+quote(a.String(1)), fmt.Sprint(a.Int(0)), fmt.Sprint(n))
			}),
		step("the log has at most {int} lines", "Counts the lines of the log.",
			"the log has at most 100 lines",
			func(lines []string, a Args) error {
				return expect(len(lines) <= a.Int(0), "the lines of the log", fmt.Sprintf("at most %d", a.Int(0)), fmt.Sprint(len(lines)))
			}),
		step("every line of the log is JSON", "Passes when the log has lines and each is a JSON value.",
			"every line of the log is JSON",
			func(lines []string, _ Args) error {
				for n, line := range lines {
					if !json.Valid([]byte(line)) {
						return &Mismatch{What: fmt.Sprintf("line %d of the log", n+1), Expected: "JSON", Found: quote(line)}
					}
				}
				return nil
			}))
	steps[len(steps)-1].Example = "Given the arguments \"json\"\nWhen an instance is started\nThen within 10 seconds every line of the log is JSON"
	return append(steps, text{
		group: "Files of the instance", subject: "the file {string} of the instance", what: "the content of the file", kind: KindInstance, within: true,
		before:  "When an instance is started\nAnd within 10 seconds port 8080 accepts connections\n",
		example: `the file "/tmp/state" of the instance`, whole: "state=serving\nsince=start", part: "serving", pattern: "^since=", absent: "broken",
		read: func(ctx context.Context, s *Scenario, a Args) (string, error) {
			i, err := s.instance("")
			if err != nil {
				return "", err
			}
			inspector, ok := i.Instance.(sandbox.Inspector)
			if !ok {
				return "", missing(i, "reading files")
			}
			data, err := inspector.ReadFile(ctx, a.String(0))
			return string(data), err
		},
	}.steps()...)
}

var errNoCommand = errors.New(`no command was run: write a step such as 'the command "service --version" is run' before`)
