package bake

import (
	"math"
	"regexp"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxPadding is how wide a function may be told to make a text.
const maxPadding = 1000

// padded refuses calls that make a long text of a number. What is not written out could be any number.
func (f *file) padded(call *hclsyntax.FunctionCallExpr) error {
	if len(call.Args) == 0 {
		return nil
	}
	switch call.Name {
	case "format", "formatlist":
		form, ok := constant(call.Args[0])
		if !ok {
			return f.errorAt(f.native(call.Args[0].Range()), "the first argument of %s is not a text that is written out, so how wide it makes others is not known", call.Name)
		}
		if width(form) > maxPadding {
			return f.errorAt(f.native(call.Args[0].Range()), "%s makes texts wider than %d characters", call.Name, maxPadding)
		}
	case "indent":
		text, ok := constant(call.Args[0])
		if n, err := strconv.Atoi(text); !ok || err != nil || n > maxPadding {
			return f.errorAt(f.native(call.Args[0].Range()), "the first argument of indent is not a number up to %d that is written out", maxPadding)
		}
	}
	return nil
}

// native is a range in a file of HCL's own syntax; in JSON the ranges of expressions count from where they begin.
func (f *file) native(r hcl.Range) hcl.Range {
	if _, ok := f.syntax.Body.(*hclsyntax.Body); ok {
		return r
	}
	return hcl.Range{}
}

// constant is what an expression says that depends on nothing, as a text.
func constant(e hclsyntax.Expression) (string, bool) {
	if len(e.Variables()) > 0 {
		return "", false
	}
	value, diags := e.Value(&hcl.EvalContext{}) // without functions
	if diags.HasErrors() || !value.IsKnown() || value.IsNull() {
		return "", false
	}
	switch value.Type().FriendlyName() {
	case "string":
		return value.AsString(), true
	case "number":
		return value.AsBigFloat().Text('f', -1), true
	}
	return "", false
}

var verbs = regexp.MustCompile(`%[-+# 0]*(\[\d+\])?(\d+|\*)?(?:\.(\[\d+\])?(\d+|\*)?)?`)

// width is the largest width or precision in a format; a "*" may be any.
func width(form string) int {
	widest := 0
	for _, m := range verbs.FindAllStringSubmatch(form, -1) {
		for _, number := range []string{m[2], m[4]} {
			switch n, err := strconv.Atoi(number); {
			case number == "":
			case err != nil:
				return math.MaxInt
			default:
				widest = max(widest, n)
			}
		}
	}
	return widest
}
