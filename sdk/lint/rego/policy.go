package rego

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// policy is all rules of one name in one package.
type policy struct {
	query, namespace, name, file string
	id, title, description       string

	compiler *ast.Compiler
	timeout  time.Duration
}

// maxPlaced limits the instructions among which a finding's place is looked for.
const maxPlaced = 300

// run evaluates the policy over one file.
func (p *policy) run(pass *lint.Pass) {
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	commands := commandsOf(pass.File)
	query, err := p.prepare(ctx, pass.File)
	if err == nil {
		err = p.judge(ctx, pass, query, commands)
	}
	if err == nil {
		return
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("it took longer than %s", p.timeout)
	}
	pass.Report(definition.Word{}, "the policy %s can't be evaluated: %v", strings.TrimPrefix(p.query, "data."), err).
		Help("mend the policy in " + p.file + "; until then it allows nothing")
}

// prepare compiles the query for a file.
func (p *policy) prepare(ctx context.Context, file *definition.File) (rego.PreparedEvalQuery, error) {
	store := inmem.NewFromObject(map[string]any{"conftest": map[string]any{"file": map[string]any{
		"name": path.Base(file.Name), "dir": path.Dir(file.Name),
	}}})
	excepted := fmt.Sprintf("{x | x := data.%s.exception[_][_]}", strings.TrimPrefix(p.namespace, "data."))
	text := "said := " + p.query
	if p.hasException() {
		text += "; excepted := " + excepted
	}
	return rego.New(rego.Query(text), rego.Compiler(p.compiler), rego.Store(store), rego.StrictBuiltinErrors(true)).PrepareForEval(ctx)
}

// hasException says whether the package has exception rules; a query for one that does not exist is an error.
func (p *policy) hasException() bool {
	for _, m := range p.compiler.Modules {
		if m.Package.Path.String() != p.namespace {
			continue
		}
		for _, r := range m.Rules {
			if r.Head.Name == "exception" {
				return true
			}
		}
	}
	return false
}

// judge reports what the policy says.
func (p *policy) judge(ctx context.Context, pass *lint.Pass, query rego.PreparedEvalQuery, commands []command) error {
	answers, err := p.eval(ctx, query, commands, -1)
	if err != nil || len(answers) == 0 {
		return err
	}
	places, err := p.places(ctx, query, commands, answers)
	if err != nil {
		return err
	}
	for _, a := range answers {
		r := pass.Report(a.place(pass.File, commands, places[a.key]), "%s", a.message)
		if p.description != "" {
			r.Help(p.description)
		}
	}
	return nil
}

// answer is one thing that a policy says.
type answer struct {
	key     string // the value as a whole
	message string
	line    int // as the policy gives it, 0 when it does not
}

// eval asks the policy about the commands, of which one may be blank.
func (p *policy) eval(ctx context.Context, query rego.PreparedEvalQuery, commands []command, blank int) ([]answer, error) {
	results, err := query.Eval(ctx, rego.EvalParsedInput(inputOf(commands, blank)))
	if err != nil {
		return nil, err
	}
	var answers []answer
	for _, result := range results {
		if p.excepted(result.Bindings["excepted"]) {
			return nil, nil
		}
		list, ok := result.Bindings["said"].([]any)
		if !ok {
			if said, isBool := result.Bindings["said"].(bool); isBool && !said {
				continue
			}
			return nil, errors.New("it yields no set of texts or objects; write `deny contains msg if {...}`")
		}
		for _, value := range list {
			a, err := newAnswer(value)
			if err != nil {
				return nil, err
			}
			answers = append(answers, a)
		}
	}
	return answers, nil
}

// excepted says whether an exception names the rule, by what follows deny_, violation_ or warn_.
func (p *policy) excepted(value any) bool {
	_, short, _ := strings.Cut(p.name, "_")
	list, _ := value.([]any)
	for _, item := range list {
		if name, ok := item.(string); ok && name == short {
			return true
		}
	}
	return false
}

func newAnswer(value any) (answer, error) {
	a := answer{key: fmt.Sprint(value)}
	switch v := value.(type) {
	case string:
		a.message = v
	case map[string]any:
		msg, ok := v["msg"].(string)
		if !ok {
			return a, errors.New("it yields an object without msg, a text")
		}
		a.message = msg
		if id, ok := v["id"].(string); ok {
			a.message = id + ": " + msg
		}
		for _, key := range []string{"line", "startline", "StartLine"} {
			if n, ok := v[key].(interface{ Int64() (int64, error) }); ok {
				if line, err := n.Int64(); err == nil && line > 0 {
					a.line = int(line)
				}
			}
		}
	default:
		return a, fmt.Errorf("it yields a %T; it should be a text, or an object with msg", value)
	}
	return a, nil
}

// places finds for each answer the commands without which it would not have been given: each is left blank once.
func (p *policy) places(ctx context.Context, query rego.PreparedEvalQuery, commands []command, answers []answer) (map[string][]int, error) {
	places := map[string][]int{}
	if len(commands) > maxPlaced {
		return places, nil
	}
	for i, c := range commands {
		if c.instruction == nil {
			continue
		}
		left, err := p.eval(ctx, query, commands, i)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			continue // the policy takes for granted what is blank now
		}
		said := map[string]bool{}
		for _, a := range left {
			said[a.key] = true
		}
		for _, a := range answers {
			if !said[a.key] {
				places[a.key] = append(places[a.key], i)
			}
		}
	}
	return places, nil
}

// place is the line that the policy names, else the command that decides; of several the one that the message has words
// of, or the last.
func (a answer) place(file *definition.File, commands []command, deciding []int) definition.Word {
	for _, in := range file.Instructions {
		if a.line > 0 && in.Start.Line <= a.line && a.line <= in.End.Line {
			return whole(in)
		}
	}
	if len(deciding) == 0 {
		return definition.Word{}
	}
	best := deciding[len(deciding)-1]
	for _, i := range deciding {
		for _, value := range commands[i].Value {
			if len(value) > 2 && strings.Contains(a.message, value) {
				best = i
			}
		}
	}
	return whole(commands[best].instruction)
}

func whole(in *definition.Instruction) definition.Word {
	return definition.Word{Text: in.Keyword.Text, Start: in.Start, End: in.End}
}
