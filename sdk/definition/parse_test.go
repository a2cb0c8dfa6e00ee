package definition_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestParse prints each testdata/parse/NAME.Dockerfile as a tree, with line:column-line:column of each word, and
// compares with NAME.tree.
func TestParse(t *testing.T) {
	names, err := filepath.Glob("testdata/parse/*.Dockerfile")
	if err != nil || len(names) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			file, err := definition.Parse("Dockerfile", src)
			if err != nil {
				t.Fatal(err)
			}
			checkPlaces(t, file)
			golden := strings.TrimSuffix(name, ".Dockerfile") + ".tree"
			got := tree(file)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			checkLineEndings(t, src, file)
		})
	}
}

// checkLineEndings parses the file with CRLF and with a byte order mark: lines and columns must stay.
func checkLineEndings(t *testing.T, src []byte, plain *definition.File) {
	t.Helper()
	want := tree(plain)
	for name, variant := range map[string]string{
		"CRLF": strings.ReplaceAll(string(src), "\n", "\r\n"),
		"BOM":  "\xef\xbb\xbf" + string(src),
	} {
		file, err := definition.Parse("Dockerfile", []byte(variant))
		if err != nil {
			t.Errorf("with %s: %v", name, err)
			continue
		}
		checkPlaces(t, file)
		if diff := cmp.Diff(want, strings.ReplaceAll(tree(file), `\r\n`, `\n`)); diff != "" {
			t.Errorf("with %s (-plain +got):\n%s", name, diff)
		}
	}
}

func tree(f *definition.File) string {
	var b strings.Builder
	for _, d := range f.Directives {
		fmt.Fprintf(&b, "directive %s %s\n", d.Name, show(d.Value))
	}
	for _, c := range f.Comments {
		fmt.Fprintf(&b, "comment %q %d:%d-%d:%d\n", c.Text, c.Start.Line, c.Start.Column, c.End.Line, c.End.Column)
	}
	for _, in := range f.Instructions {
		treeInstruction(&b, "", in)
	}
	for _, s := range f.Stages {
		fmt.Fprintf(&b, "stage %d %q base %s", s.Index, s.Name, show(s.Base))
		if !s.Alias.IsZero() {
			fmt.Fprintf(&b, " alias %s", show(s.Alias))
		}
		if !s.Platform.IsZero() {
			fmt.Fprintf(&b, " platform %s", show(s.Platform))
		}
		fmt.Fprintf(&b, " %d instructions\n", len(s.Instructions))
	}
	return b.String()
}

func treeInstruction(b *strings.Builder, indent string, in *definition.Instruction) {
	fmt.Fprintf(b, "%s%s %s to %d:%d", indent, in.Name, show(in.Keyword), in.End.Line, in.End.Column)
	if in.JSON {
		b.WriteString(" json")
	}
	b.WriteString("\n")
	for _, f := range in.Flags {
		fmt.Fprintf(b, "%s  flag %s %s", indent, f.Name, show(f.Word))
		if !f.Value.IsZero() {
			fmt.Fprintf(b, " value %s", show(f.Value))
		}
		b.WriteString("\n")
	}
	for _, a := range in.Args {
		fmt.Fprintf(b, "%s  %s\n", indent, show(a))
	}
	for _, h := range in.Heredocs {
		fmt.Fprintf(b, "%s  heredoc %s expand=%t chomp=%t %s\n", indent, h.Name, h.Expand, h.Chomp, show(h.Body))
	}
	if in.Trigger != nil {
		treeInstruction(b, indent+"  ", in.Trigger)
	}
}

func show(w definition.Word) string {
	return fmt.Sprintf("%q %d:%d-%d:%d", w.Text, w.Start.Line, w.Start.Column, w.End.Line, w.End.Column)
}
