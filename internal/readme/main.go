// Command readme brings README.md up to date: programs are copied from Example functions, which the tests run, and the
// table of packages from the packages themselves.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

//go:generate go run . ../../README.md

func main() {
	if err := update(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

// section is a part of the README that is made from something else: <!-- snippet FILE FUNCTION --> or <!-- packages -->
// up to <!-- end -->.
var section = regexp.MustCompile(`(?s)<!-- (snippet (\S+) (\S+)|packages) -->\n.*?<!-- end -->`)

func update(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var errs []error
	updated := section.ReplaceAllFunc(text, func(old []byte) []byte {
		m := section.FindSubmatch(old)
		var body string
		var err error
		if len(m[2]) > 0 {
			body, err = snippet("../../"+string(m[2]), string(m[3]))
		} else {
			body, err = packages()
		}
		errs = append(errs, err)
		return fmt.Appendf(nil, "<!-- %s -->\n%s<!-- end -->", m[1], body)
	})
	if err := errors.Join(errs...); err != nil || bytes.Equal(text, updated) {
		return err
	}
	return os.WriteFile(path, updated, 0o644)
}

// snippet is the body of an Example function, without the output that the tests compare.
func snippet(file, function string) (string, error) {
	fset := token.NewFileSet()
	src, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	tree, err := parser.ParseFile(fset, file, src, 0)
	if err != nil {
		return "", err
	}
	for _, decl := range tree.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != function {
			continue
		}
		body := string(src[fset.Position(f.Body.Lbrace).Offset+1 : fset.Position(f.Body.Rbrace).Offset])
		body, _, _ = strings.Cut(body, "\t// Output:")
		_, body, found := strings.Cut(body, "// ---\n")
		if !found {
			return "", fmt.Errorf("%s: %s has no line \"// ---\" before what is shown", file, function)
		}
		formatted, err := format.Source([]byte(body))
		if err != nil {
			return "", err
		}
		text := strings.ReplaceAll("\n"+string(formatted), "\n\t", "\n")
		return "```go\n" + strings.TrimSpace(text) + "\n```\n", nil
	}
	return "", fmt.Errorf("%s has no function %s", file, function)
}

// listed is a package as go list shows it.
type listed struct {
	ImportPath, Doc, Dir string
	Standard             bool
	Deps                 []string
	Module               *struct{ Path string }
}

// packages is a table of the SDK's packages with what each brings into a program.
func packages() (string, error) {
	const module = "github.com/plimsoll-dev/plimsoll/"
	out, err := exec.CommandContext(context.Background(), "go", "list", "-deps", "-json=ImportPath,Doc,Dir,Standard,Deps,Module", module+"sdk/...").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	third := map[string]bool{}
	var own []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
		third[p.ImportPath] = !p.Standard && !strings.HasPrefix(p.ImportPath, module)
		if strings.HasPrefix(p.ImportPath, module+"sdk/") && !strings.Contains(p.ImportPath, "/internal/") && !strings.HasSuffix(p.ImportPath, "/testdata") {
			own = append(own, p)
		}
	}
	var b strings.Builder
	b.WriteString("| package | what it is | packages of others that it brings along |\n|---|---|---|\n")
	for _, p := range sorted(own) {
		name := strings.TrimPrefix(p.ImportPath, module)
		n := 0
		for _, d := range p.Deps {
			if third[d] {
				n++
			}
		}
		synopsis := new(doc.Package).Synopsis(p.Doc)
		synopsis = strings.TrimSuffix(synopsis, ":")
		synopsis = strings.TrimPrefix(synopsis, "Package "+name[strings.LastIndex(name, "/")+1:]+" ")
		fmt.Fprintf(&b, "| [`%s`](%s) | %s | %d |\n", name, name, strings.ReplaceAll(synopsis, "|", "\\|"), n)
	}
	return b.String(), nil
}

func sorted(all []listed) []listed {
	slices.SortFunc(all, func(a, b listed) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return all
}
