package rules

import (
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var undefinedVariable = lint.Rule{
	ID: "DF6011", Name: "undefined-variable", Title: "variable that is not defined where it is used",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"buildkit:UndefinedVar"},
	Run: func(pass *lint.Pass) {
		v := variables{pass: pass, global: globalArgs.Of(pass), ends: make([]names, len(pass.File.Stages))}
		for _, stage := range pass.File.Stages {
			v.stage(stage)
		}
	},
}

// variables follows the definitions through the stages.
type variables struct {
	pass   *lint.Pass
	global map[string]argument
	ends   []names // what is defined at the end of each stage
}

func (v *variables) stage(stage *definition.Stage) {
	defined := names{}
	base := rootBase(v.pass, stage)
	if parent := v.pass.Parent(stage); parent != nil {
		for n := range v.ends[parent.Index] {
			defined[n] = true
		}
	}
	facts, known := v.pass.Base(base)
	known = known || base.Base.Text == "scratch"
	for _, n := range facts.Env {
		defined[n] = true
	}
	for _, in := range stage.Instructions[1:] {
		v.instruction(in, defined, known)
		if in.Name == "env" || in.Name == "arg" {
			for _, p := range in.Pairs() {
				defined[p.Name.Text] = true
			}
		}
	}
	v.ends[stage.Index] = defined
}

// alwaysDefined are variables that BuildKit knows in every stage, or that every base has.
var alwaysDefined = names{
	"PATH": true, "HTTP_PROXY": true, "HTTPS_PROXY": true, "FTP_PROXY": true, "NO_PROXY": true, "ALL_PROXY": true,
	"http_proxy": true, "https_proxy": true, "ftp_proxy": true, "no_proxy": true, "all_proxy": true,
}

// instruction reports what an instruction uses and nobody defines. When the base's variables are not known, a name may
// come from there; then only those that are surely meant to be an ARG of the file, or mistyped, are reported.
func (v *variables) instruction(in *definition.Instruction, defined names, known bool) {
	for _, w := range expandedWords(in) {
		for _, name := range undefined(v.pass, w.Text, defined) {
			if alwaysDefined[name] {
				continue
			}
			_, isGlobal := v.global[name]
			_, isPlatform := platformArgs[name]
			near := nearestName(name, defined)
			switch {
			case isGlobal || isPlatform:
				v.pass.Report(w, "$%s is empty here: it is known before the first FROM only; repeat ARG %s in the stage", name, name)
			case near != "":
				v.pass.Report(w, "$%s is not defined; did you mean $%s?", name, near)
			case known:
				v.pass.Report(w, "$%s is not defined, so it is empty; declare it with ARG or ENV", name)
			}
		}
	}
}

// nearestName returns the defined name that differs by one letter, for names long enough to be mistyped.
func nearestName(name string, defined names) string {
	best := ""
	for n := range defined {
		if len(name) > 4 && len(n) > 4 && oneEdit(n, name) && (best == "" || n < best) {
			best = n
		}
	}
	return best
}

// expandedWords returns the words in which BuildKit expands variables.
func expandedWords(in *definition.Instruction) []definition.Word {
	switch in.Name {
	case "add", "copy", "env", "label", "expose", "user", "volume", "workdir", "stopsignal":
		words := in.Args
		for _, f := range in.Flags {
			words = append(slices.Clip(words), f.Value)
		}
		return words
	case "arg":
		var words []definition.Word
		for _, p := range in.Pairs() {
			words = append(words, p.Value)
		}
		return words
	}
	return nil
}
