package deps_test

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// needEngine lists packages whose examples are compiled and not run, since they need what a machine may lack.
var needEngine = map[string]string{
	"sdk/build/buildkit":          "needs a builder",
	"sdk/build/buildkit/embedded": "needs root or user namespaces",
	"sdk/sandbox/docker":          "needs Docker",
	"sdk/admission/docker":        "needs Docker",
	"sdk/fleet/docker":            "needs Docker",
	"sdk/fleet/namespaces":        "needs root and Docker",
}

// An example that runs is the shortest documentation of a package, and the one that can't go stale. Packages for tests
// (linttest) are shown by tests.
func TestEveryPackageOfTheSDKHasAnExample(t *testing.T) {
	for dir, files := range packages(t, "../../sdk") {
		if strings.HasSuffix(dir, "test") || strings.Contains(dir, "/internal/") || strings.Contains(dir, "/testdata/") {
			continue
		}
		name := strings.TrimPrefix(dir, "../../")
		examples := doc.Examples(files...)
		if _, ok := needEngine[name]; ok && len(examples) > 0 {
			continue
		}
		if !slices.ContainsFunc(examples, func(e *doc.Example) bool { return e.Output != "" || e.EmptyOutput }) {
			t.Errorf("%s has no Example with an // Output: comment", name)
		}
	}
}

// packages returns the parsed test files of every directory below root that has Go files.
func packages(t *testing.T, root string) map[string][]*ast.File {
	t.Helper()
	found := map[string][]*ast.File{}
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		dir := filepath.Dir(path)
		if _, seen := found[dir]; !seen {
			found[dir] = nil // a package without tests counts as well
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		found[dir] = append(found[dir], f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What was true on one machine only must not be committed: paths of a checkout, of a home or of a cache.
func TestNoPathsOfOneMachine(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "git", "-C", "../..", "ls-files", "-z").Output()
	if err != nil {
		t.Skipf("needs git and a work tree: %v", err)
	}
	machine := regexp.MustCompile(`(^|[^\w./~-])/(Users/\w+|root/go)/`)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // deleted, but not committed so
		}
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(data, 0) >= 0 {
			continue // binary
		}
		for i, line := range bytes.Split(data, []byte("\n")) {
			if m := machine.Find(line); m != nil {
				t.Errorf("%s:%d: %s is a path of one machine", name, i+1, bytes.TrimSpace(m))
			}
		}
	}
}
