package definition_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

func TestApply(t *testing.T) {
	edit := func(start, end int, text string) finding.Edit {
		return finding.Edit{File: "Dockerfile", Start: start, End: end, New: text}
	}
	tests := []struct {
		name  string
		edits []finding.Edit
		want  string
		err   error
	}{
		{name: "none", want: "0123456789"},
		{name: "any order", edits: []finding.Edit{edit(8, 9, "b"), edit(1, 3, "aaa")}, want: "0aaa34567b9"},
		{name: "touching", edits: []finding.Edit{edit(1, 3, "a"), edit(3, 4, "b")}, want: "0ab456789"},
		{name: "insert at both ends", edits: []finding.Edit{edit(0, 0, "<"), edit(10, 10, ">")}, want: "<0123456789>"},
		{name: "delete all", edits: []finding.Edit{edit(0, 10, "")}, want: ""},
		{name: "insert before a change", edits: []finding.Edit{edit(3, 3, "a"), edit(1, 3, "")}, want: "0a3456789"},
		{name: "overlap", edits: []finding.Edit{edit(2, 4, "a"), edit(1, 3, "b")}, err: definition.ErrOverlap},
		{name: "inside", edits: []finding.Edit{edit(1, 9, "a"), edit(3, 3, "b")}, err: definition.ErrOverlap},
		{name: "two insertions", edits: []finding.Edit{edit(3, 3, "a"), edit(3, 3, "b")}, err: definition.ErrOverlap},
		{name: "twice the same", edits: []finding.Edit{edit(3, 4, "a"), edit(3, 4, "a")}, err: definition.ErrOverlap},
		{name: "beyond the end", edits: []finding.Edit{edit(3, 11, "a")}, err: definition.ErrOutOfRange},
		{name: "negative", edits: []finding.Edit{edit(-1, 1, "a")}, err: definition.ErrOutOfRange},
		{name: "backwards", edits: []finding.Edit{edit(3, 2, "a")}, err: definition.ErrOutOfRange},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			src := []byte("0123456789")
			got, err := definition.Apply(src, test.edits)
			if !errors.Is(err, test.err) {
				t.Fatalf("error is %v, want %v", err, test.err)
			}
			if string(got) != test.want {
				t.Errorf("result is %q, want %q", got, test.want)
			}
			if string(src) != "0123456789" {
				t.Errorf("the source was changed to %q", src)
			}
		})
	}
}

func TestEditError(t *testing.T) {
	_, err := definition.Apply([]byte("FROM a"), []finding.Edit{
		{File: "Dockerfile", Start: 5, End: 6, New: "b"}, {File: "Dockerfile", Start: 4, End: 6, New: "c"},
	})
	want := "Dockerfile: edits overlap: bytes 4 to 6 and bytes 5 to 6; apply one, parse again and look for the other"
	if err == nil || err.Error() != want {
		t.Errorf("error is %q, want %q", err, want)
	}
}

// TestDiffWithGit has git apply what Diff made, for line endings and names that break naive diffs.
func TestDiffWithGit(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("needs git:", err)
	}
	long := strings.Repeat("RUN true\n", 40)
	tests := []struct{ name, file, before, after string }{
		{"one word", "Dockerfile", "FROM a:1\nRUN x\n", "FROM a:2\nRUN x\n"},
		{"no newline at the end", "Dockerfile", "FROM a:1", "FROM a:2"},
		{"newline added", "Dockerfile", "FROM a:1\nRUN b", "FROM a:1\nRUN b\n"},
		{"newline taken away", "Dockerfile", "FROM a:1\nRUN b\n", "FROM a:2\nRUN b"},
		{"CRLF", "Dockerfile", "FROM a:1\r\nRUN b\r\n", "FROM a:2\r\nRUN b\r\n"},
		{"mixed line endings", "Dockerfile", "FROM a:1\r\nRUN b\nRUN c\r\n", "FROM a:1\r\nRUN d\nRUN c\r\n"},
		{"byte order mark", "Dockerfile", "\xef\xbb\xbfFROM a:1\n", "\xef\xbb\xbfFROM a:2\n"},
		{"two hunks", "Dockerfile", "FROM a:1\n" + long + "RUN z\n", "FROM a:2\n" + long + "RUN y\n"},
		{"lines that look like a diff", "Dockerfile", "FROM a\n--- b\n+++ c\n", "FROM b\n--- b\n+++ d\n"},
		{"trailing space", "Dockerfile", "FROM a:1 \t\n\n\n", "FROM a:2 \t\n\n\n"},
		{"sub-directory", "deploy/prod/app.Dockerfile", "FROM a:1\n", "FROM a:2\n"},
		{"name with spaces", "my app/Docker file", "FROM a:1\n", "FROM a:2\n"},
		{"name with quotes", `q"uo\te` + "\t/Dockerfile", "FROM a:1\n", "FROM a:2\n"},
		{"name with umlauts", "größe/Dockerfile", "FROM a:1\n", "FROM a:2\n"},
		{"from nothing", "Dockerfile", "", "FROM a\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, filepath.FromSlash(test.file))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(test.before), 0o644); err != nil {
				t.Fatal(err)
			}
			patch := definition.Diff(test.file, []byte(test.before), []byte(test.after))
			cmd := exec.CommandContext(t.Context(), git, "apply", "--whitespace=nowarn", "-")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir), "GIT_CONFIG_GLOBAL=/dev/null")
			cmd.Stdin = strings.NewReader(patch)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("git apply: %v: %s\n%s", err, out, patch)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, []byte(test.after)) {
				t.Errorf("git made %q, want %q from\n%s", got, test.after, patch)
			}
		})
	}
}

func TestDiff(t *testing.T) {
	want := `diff --git a/app/Dockerfile b/app/Dockerfile
--- a/app/Dockerfile
+++ b/app/Dockerfile
@@ -1,2 +1,2 @@
-FROM alpine:3.20
+FROM alpine:3.21
 RUN true
\ No newline at end of file
`
	got := definition.Diff("app/Dockerfile", []byte("FROM alpine:3.20\nRUN true"), []byte("FROM alpine:3.21\nRUN true"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("diff (-want +got):\n%s", diff)
	}
	if got := definition.Diff("Dockerfile", []byte("FROM a"), []byte("FROM a")); got != "" {
		t.Errorf("the diff of equal files is %q", got)
	}
}
