package blackbox

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// requestSteps send HTTP requests. The short forms test the status at once; after the others, response steps look at
// what came back.
func requestSteps() []Step {
	const group = "HTTP requests"
	const started = "When an instance is started\n"
	var steps []Step
	for _, secure := range []bool{false, true} {
		over, port := "", 8080
		if secure {
			over, port = "over TLS ", 8443
		}
		send := func(ctx context.Context, s *Scenario, r request) error {
			i, err := s.instance("")
			if err != nil {
				return err
			}
			r.tls = secure
			s.response = nil
			res, err := s.send(ctx, i, r)
			if err != nil {
				return err
			}
			s.response = res
			return nil
		}
		answers := func(ctx context.Context, s *Scenario, a Args) error {
			if err := send(ctx, s, request{line: a.String(0), port: a.Int(1)}); err != nil {
				return err
			}
			return s.response.hasStatus(a.Int(2))
		}
		tls := ""
		if secure {
			tls = " The certificate is not verified."
		}
		steps = append(steps,
			Step{
				Expression: "{string} " + over + "on port {int} answers {int}", Within: true, aloneIf: changing,
				Doc:     "Sends a request into the instance's own network and compares the status." + tls,
				Example: started + fmt.Sprintf("Then within 10 seconds \"GET /health\" %son port %d answers 200", over, port),
				Func:    answers,
			},
			Step{
				Expression: "{string} " + over + "on port {int} answers {int} with the text {string}", Within: true, aloneIf: changing,
				Doc:     "Sends a request, compares the status, and passes when the body has the text in it." + tls,
				Example: started + fmt.Sprintf("Then within 10 seconds \"GET /health\" %son port %d answers 200 with the text \"ok\"", over, port),
				Func: func(ctx context.Context, s *Scenario, a Args) error {
					if err := answers(ctx, s, a); err != nil {
						return err
					}
					return contains("the body of "+a.String(0), string(s.response.body), a.String(3))
				},
			},
			Step{
				Expression: "{string} is sent " + over + "to port {int}", Within: true, aloneIf: changing,
				Doc:     "Sends a request. Steps after it look at the response." + tls,
				Example: started + fmt.Sprintf("And within 10 seconds \"GET /health\" is sent %sto port %d\nThen the response status is 200", over, port),
				Func: func(ctx context.Context, s *Scenario, a Args) error {
					return send(ctx, s, request{line: a.String(0), port: a.Int(1)})
				},
			},
			Step{
				Expression: "{string} is sent " + over + "to port {int} with the headers", Takes: TakesTable, Within: true, aloneIf: changing,
				Doc:     "Sends a request with header fields." + tls,
				Example: started + fmt.Sprintf("And within 10 seconds \"GET /headers\" is sent %sto port %d with the headers\n  | Accept-Language | nl |\nThen the response body contains \"nl\"", over, port),
				Func: func(ctx context.Context, s *Scenario, a Args) error {
					header, err := a.Pairs()
					if err != nil {
						return err
					}
					return send(ctx, s, request{line: a.String(0), port: a.Int(1), header: header})
				},
			},
			Step{
				Expression: "{string} is sent " + over + "to port {int} with the body", Takes: TakesDocString, Within: true, aloneIf: changing,
				Doc:     "Sends a request with a body. It is declared as JSON when it begins like it, else as text." + tls,
				Example: started + fmt.Sprintf("And within 10 seconds \"POST /echo\" is sent %sto port %d with the body\n  \"\"\"\n  {\"amount\": 12}\n  \"\"\"\nThen the response JSON has \"12\" at \"$.amount\"", over, port),
				Func: func(ctx context.Context, s *Scenario, a Args) error {
					kind := "text/plain; charset=utf-8"
					if strings.HasPrefix(strings.TrimSpace(a.DocString), "{") || strings.HasPrefix(strings.TrimSpace(a.DocString), "[") {
						kind = "application/json"
					}
					return send(ctx, s, request{line: a.String(0), port: a.Int(1), body: a.DocString, header: [][2]string{{"Content-Type", kind}}})
				},
			},
		)
	}
	for i := range steps {
		steps[i].Group, steps[i].Kind = group, KindInstance
	}
	return steps
}

func changing(a Args) bool { return changes(a.String(0)) }

func (r *response) hasStatus(want int) error {
	found := fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))
	if r.status != want && len(r.body) > 0 {
		found += ": " + quote(string(r.body))
	}
	return expect(r.status == want, "the status of "+r.request, strconv.Itoa(want), found)
}
