package deps_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/build/dagger"
)

// One version of the engine is pinned, by all modules; their bindings are generated and not in git.
func TestDaggerModulesAgree(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.Name() != "dagger.json" {
			return err
		}
		found++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var module struct{ EngineVersion, Source string }
		if err := json.Unmarshal(text, &module); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if module.EngineVersion != dagger.Version {
			t.Errorf("%s pins the engine %s, sdk/build/dagger is made for %s", path, module.EngineVersion, dagger.Version)
		}
		ignored, err := os.ReadFile(filepath.Join(filepath.Dir(path), module.Source, ".gitignore"))
		if err != nil || !strings.Contains(string(ignored), "dagger.gen.go") {
			t.Errorf("%s: its bindings are not ignored by git (%v)", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("there is no Dagger module")
	}
}

// A comment on an argument is the help of the command line: every argument of a module's function has one.
func TestDaggerFunctionsAreDocumented(t *testing.T) {
	files, err := filepath.Glob("../../modules/plimsoll/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no code of the module: ", err)
	}
	functions := 0
	for _, name := range files {
		if strings.HasSuffix(name, ".gen.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || fn.Name.Name == "Resolve" {
				continue
			}
			functions++
			if fn.Doc == nil && fn.Name.Name != "New" {
				t.Errorf("%s: %s has no doc comment", set.Position(fn.Pos()), fn.Name.Name)
			}
			for _, param := range fn.Type.Params.List {
				if !documented(set, file, param) {
					t.Errorf("%s: the argument %s of %s has no comment", set.Position(param.Pos()), param.Names, fn.Name.Name)
				}
			}
		}
	}
	if functions < 10 {
		t.Errorf("only %d functions were looked at", functions)
	}
}

// documented says whether a comment ends on the line above a parameter, or it is the context.
func documented(set *token.FileSet, file *ast.File, param *ast.Field) bool {
	if sel, ok := param.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Context" {
		return true
	}
	line := set.Position(param.Pos()).Line
	for _, group := range file.Comments {
		if set.Position(group.End()).Line == line-1 && !strings.HasPrefix(strings.TrimSpace(group.Text()), "+") {
			return true
		}
	}
	return false
}
