// Package where compiles the conditions of remedies: expressions in the Common Expression Language over a running
// container and what it stands on.
//
//	condition, err := where.Compile(`derivedFrom("debian:12", "<12.9") && namespace == "shop"`)
//	selector, err := condition.Prepare(ctx, store, time.Now)
//	meant, unknown := fleet.Select(inventory.Instances(), selector)
//
// An expression is checked when it is compiled: a name that does not exist, a comparison of a number with a word and a
// version range that is none are errors with their column. It sees
//
//   - name, place, host, runtime, kind, namespace, service, owner, image: strings, see [fleet.Instance]
//   - labels: a map of strings; a label that the instance lacks is the empty string
//   - ports: a list of numbers
//   - paused: true or false
//   - age: how long it has run, a duration: age > duration("24h")
//   - known: whether lineage knows its image
//   - derivedFrom("debian:12"), derivedFrom("debian:12", "<12.9"), derivedFrom("sha256:..."): it stands on that image, or
//     on a tag of the repository that is a version in the range and begins with the tag
//   - carries("libssl3"), carries("libssl3", "<3.0.14"), carries("deb/libssl3", ">=3.0.0 <3.0.14"): its image has the
//     package, by its package manager's own order of versions
//
// Lineage is asked once, by Prepare. Of an image that lineage does not know the layers are compared with those of the
// images meant, where the host has them; where that says nothing and the answer hinges on it, the instance is unknown.
package where

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Limits of expressions: people write them, and they compare a few words.
const (
	maxLength = 4096
	maxNodes  = 500
	maxDepth  = 50
	maxCost   = 100_000
)

// Condition is a compiled expression.
type Condition struct {
	text    string
	program cel.Program
	queries []query
}

// String is the expression.
func (c *Condition) String() string { return c.text }

// Compile reads a condition. What is no expression, is neither true nor false, or names what does not exist, is an error
// with the place in the expression.
func Compile(expression string) (*Condition, error) {
	if strings.TrimSpace(expression) == "" {
		return nil, errors.New(`the condition is empty: write "true" if everything is meant`)
	}
	if len(expression) > maxLength {
		return nil, fmt.Errorf("the condition has %d bytes; %d are allowed", len(expression), maxLength)
	}
	c := &Condition{text: expression}
	env, err := cel.NewEnv(c.options()...)
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(spell(expression))
	if issues.Err() != nil {
		return nil, syntaxError(issues)
	}
	if checked.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("the condition is a %s, neither true nor false", checked.OutputType())
	}
	opts := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if loops(checked.NativeRep()) {
		opts = append(opts, cel.CostLimit(maxCost)) // counting makes it thirty times slower; without loops the text is the limit
	}
	c.program, err = env.Program(checked, opts...)
	return c, err
}

// loops says whether an expression goes over labels or ports.
func loops(checked *ast.AST) bool {
	found := false
	ast.PostOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) { found = found || e.Kind() == ast.ComprehensionKind }))
	return found
}

// reserved is a name that CEL keeps for itself, and the one that stands for it, of the same length so that columns hold.
const reserved, unreserved = "namespace", "nameSpace"

var words = regexp.MustCompile(`"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\w+`)

// spell writes the reserved name as CEL takes it, but not inside of texts.
func spell(expression string) string {
	return words.ReplaceAllStringFunc(expression, func(word string) string {
		if word == reserved {
			return unreserved
		}
		return word
	})
}

// The names of what the macros expand to; no expression can write them.
const (
	subject = "@instance"
	asked   = "@asked"
)

func (c *Condition) options() []cel.EnvOption {
	opts := []cel.EnvOption{
		cel.Variable("labels", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("ports", cel.ListType(cel.IntType)),
		cel.Variable("paused", cel.BoolType),
		cel.Variable("age", cel.DurationType),
		cel.Variable("known", cel.BoolType),
		cel.Variable(subject, cel.DynType),
		cel.Function(asked, cel.Overload("asked_of_instance", []*cel.Type{cel.DynType, cel.IntType}, cel.BoolType, cel.BinaryBinding(ask))),
		cel.Macros(append(cel.StandardMacros,
			cel.GlobalVarArgMacro("derivedFrom", c.expand(derivedFrom)),
			cel.GlobalVarArgMacro("carries", c.expand(carries)))...),
		cel.ExpressionNodeLimit(maxNodes), cel.ExpressionNestingDepthLimit(maxDepth), cel.ParserRecursionLimit(maxDepth),
	}
	for _, name := range []string{"name", "place", "host", "runtime", "kind", unreserved, "service", "owner", "image"} {
		opts = append(opts, cel.Variable(name, cel.StringType))
	}
	return opts
}

// expand makes of a question to lineage the number of that question, so that lineage is asked once and not for each
// instance. Its arguments must be literals therefore.
func (c *Condition) expand(parse func(args []string) (query, error)) cel.MacroFactory {
	return func(mef cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		var words []string
		for _, arg := range args {
			word, ok := "", false
			if arg.Kind() == ast.LiteralKind {
				word, ok = arg.AsLiteral().Value().(string)
			}
			if !ok {
				return nil, mef.NewError(arg.ID(), "it must be a text in quotes: lineage is asked before any instance is looked at")
			}
			words = append(words, word)
		}
		q, err := parse(words)
		if err != nil {
			id := int64(0)
			if len(args) > 0 {
				id = args[len(args)-1].ID()
			}
			return nil, mef.NewError(id, err.Error())
		}
		c.queries = append(c.queries, q)
		return mef.NewCall(asked, mef.NewIdent(subject), mef.NewLiteral(types.Int(len(c.queries)-1))), nil
	}
}

// ask answers a question about the instance at hand.
func ask(instance, question ref.Val) ref.Val {
	f, ok := instance.(*facts)
	n, isInt := question.(types.Int)
	if !ok || !isInt {
		return types.NewErr("no instance")
	}
	return types.Bool(f.answer(int(n)))
}

// syntaxError makes one line of CEL's several.
func syntaxError(issues *cel.Issues) error {
	var all []string
	for _, e := range issues.Errors() {
		all = append(all, fmt.Sprintf("column %d: %s", e.Location.Column()+1, strings.ReplaceAll(e.Message, unreserved, reserved)))
	}
	if len(all) == 0 {
		return issues.Err()
	}
	return errors.New("the condition: " + strings.Join(all[:min(3, len(all))], "; "))
}

// labels are a map that has every key.
type labels struct{ traits.Mapper }

// Find implements traits.Mapper.
func (l labels) Find(key ref.Val) (ref.Val, bool) {
	if value, ok := l.Mapper.Find(key); ok {
		return value, true
	}
	return types.String(""), true
}

// Get implements traits.Indexer.
func (l labels) Get(key ref.Val) ref.Val {
	value, _ := l.Find(key)
	return value
}

func age(now, started time.Time) types.Duration {
	if started.IsZero() {
		return types.Duration{}
	}
	return types.Duration{Duration: now.Sub(started)}
}
