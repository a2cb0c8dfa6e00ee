package blackbox

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// responseStep is a step about the response to the last request.
func responseStep(expression, doc, example string, test func(r *response, a Args) error) Step {
	const sent = "When an instance is started\nAnd within 10 seconds \"GET /status\" is sent to port 8080\nThen "
	return Step{
		Group: "HTTP responses", Kind: KindInstance, Expression: expression, Doc: doc, Example: sent + example,
		Func: func(_ context.Context, s *Scenario, a Args) error {
			r, err := s.answer()
			if err != nil {
				return err
			}
			return test(r, a)
		},
	}
}

func responseSteps() []Step {
	header := func(r *response, a Args) (string, string) {
		return "the header " + a.String(0) + " of " + r.request, strings.Join(r.header.Values(a.String(0)), ", ")
	}
	steps := []Step{
		responseStep("the response status is {int}", "Compares the status of the last response.", "the response status is 200",
			func(r *response, a Args) error { return r.hasStatus(a.Int(0)) }),
		responseStep("the response status is not {int}", "Passes when the status of the last response is another one.", "the response status is not 500",
			func(r *response, a Args) error {
				return differ("the status of "+r.request, strconv.Itoa(a.Int(0)), strconv.Itoa(r.status))
			}),
		responseStep("the response status is from {int} to {int}", "Passes when the status of the last response is in the range, its ends included.", "the response status is from 200 to 299",
			func(r *response, a Args) error {
				ok := r.status >= a.Int(0) && r.status <= a.Int(1)
				return expect(ok, "the status of "+r.request, fmt.Sprintf("%d to %d", a.Int(0), a.Int(1)), strconv.Itoa(r.status))
			}),
		responseStep("the response header {string} is {string}", "Compares a header field of the last response. Several of the name are joined by commas.", `the response header "Content-Type" is "application/json"`,
			func(r *response, a Args) error { what, found := header(r, a); return equal(what, a.String(1), found) }),
		responseStep("the response header {string} contains {string}", "Passes when a header field of the last response has the text in it.", `the response header "Content-Type" contains "json"`,
			func(r *response, a Args) error {
				what, found := header(r, a)
				return contains(what, found, a.String(1))
			}),
		responseStep("the response header {string} matches {string}", "Passes when the regular expression (RE2) matches in a header field of the last response.", `the response header "Content-Type" matches '^application/'`,
			func(r *response, a Args) error { what, found := header(r, a); return matches(what, found, a.String(1)) }),
		responseStep("the response has no header {string}", "Passes when the last response does not have the header field.", `the response has no header "X-Powered-By"`,
			func(r *response, a Args) error { what, found := header(r, a); return empty(what, found, "") }),
		responseStep("the response JSON has {string} at {string}", "Compares the value at a JSONPath (RFC 9535) of the last response's body. Numbers and booleans are compared as they are written.", `the response JSON has "up" at "$.state"`,
			func(r *response, a Args) error {
				return jsonEqual(a.String(1)+" of "+r.request, r.body, a.String(1), a.String(0))
			}),
		responseStep("the response JSON has something at {string}", "Passes when there is any value at a JSONPath of the last response's body.", `the response JSON has something at "$.checks[0].name"`,
			func(r *response, a Args) error {
				return jsonCount(r, a.String(0), "at least one value", func(n int) bool { return n > 0 })
			}),
		responseStep("the response JSON has nothing at {string}", "Passes when there is no value at a JSONPath of the last response's body.", `the response JSON has nothing at "$.password"`,
			func(r *response, a Args) error {
				return jsonCount(r, a.String(0), "no value", func(n int) bool { return n == 0 })
			}),
		responseStep("the response JSON has {int} values at {string}", "Counts the values at a JSONPath of the last response's body, such as \"$.items[*]\".", `the response JSON has 2 values at "$.checks[*]"`,
			func(r *response, a Args) error {
				return jsonCount(r, a.String(1), fmt.Sprintf("%d values", a.Int(0)), func(n int) bool { return n == a.Int(0) })
			}),
		responseStep("the response took less than {duration}", "Compares the time from sending the last request to the end of its body.", "the response took less than 5 seconds",
			func(r *response, a Args) error {
				return expect(r.duration < a.Duration(0), "the time of "+r.request, "less than "+a.Duration(0).String(), r.duration.String())
			}),
	}
	return append(steps, text{
		group: "HTTP responses", subject: "the response body", what: "the response body", kind: KindInstance,
		before:  "When an instance is started\nAnd within 10 seconds \"GET /text\" is sent to port 8080\n",
		example: "the response body", whole: "hello\nworld", part: "hello", pattern: "^wor", absent: "error",
		read: func(_ context.Context, s *Scenario, _ Args) (string, error) {
			r, err := s.answer()
			if err != nil {
				return "", err
			}
			return string(r.body), nil
		},
	}.steps()...)
}

func jsonCount(r *response, at, expected string, ok func(int) bool) error {
	found, err := jsonAt(r.body, at)
	if err != nil {
		return err
	}
	return expect(ok(len(found)), at+" of "+r.request, expected, strconv.Itoa(len(found)))
}
