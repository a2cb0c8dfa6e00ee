// Package cel compiles the conditions of a catalog's exceptions, which are expressions in the Common Expression Language:
//
//	cat, err := catalog.Loader{Conditions: cel.Compile}.Load("catalog.yaml", src)
//
// It is apart from package catalog because CEL is heavy and most catalogs have no conditions. An expression sees the
// project and nothing else:
//
//   - repository: the source repository's address, a string
//   - directory: the definition's directory in it, a string
//   - labels: the project's labels, a map of strings; a label that the project lacks is the empty string
//
// It can't loop without end, read files or know the time, and its cost is limited.
package cel

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// Limits of expressions: people write them, and they compare a few words.
const (
	maxLength = 4096
	maxNodes  = 500
	maxDepth  = 50
	maxCost   = 100_000
)

// Compile reads a condition. What is no expression, or one that is neither true nor false, is an error that names the
// place in the expression. The condition is safe for concurrent use; it is an error when its cost exceeds the limit.
func Compile(expression string) (catalog.Condition, error) {
	if len(expression) > maxLength {
		return nil, fmt.Errorf("the expression has %d bytes; %d are allowed", len(expression), maxLength)
	}
	env, err := cel.NewEnv(
		cel.Variable("repository", cel.StringType),
		cel.Variable("directory", cel.StringType),
		cel.Variable("labels", cel.MapType(cel.StringType, cel.StringType)),
		cel.ExpressionNodeLimit(maxNodes), cel.ExpressionNestingDepthLimit(maxDepth), cel.ParserRecursionLimit(maxDepth),
	)
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, syntaxError(issues)
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("the expression is a %s, neither true nor false", ast.OutputType())
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost))
	if err != nil {
		return nil, err
	}
	return func(p catalog.Project) (bool, error) {
		out, _, err := program.Eval(map[string]any{
			"repository": p.Repository, "directory": p.Directory,
			"labels": labels{types.NewStringStringMap(types.DefaultTypeAdapter, p.Labels)},
		})
		if err != nil {
			return false, err
		}
		holds, ok := out.Value().(bool)
		if !ok {
			return false, fmt.Errorf("the expression is %v, neither true nor false", out.Type())
		}
		return holds, nil
	}, nil
}

// syntaxError makes one line of CEL's several.
func syntaxError(issues *cel.Issues) error {
	var all []string
	for _, e := range issues.Errors() {
		all = append(all, fmt.Sprintf("column %d: %s", e.Location.Column()+1, e.Message))
	}
	if len(all) == 0 {
		return issues.Err()
	}
	return errors.New(strings.Join(all[:min(3, len(all))], "; "))
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
