package definition_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// FuzzParse holds Parse against BuildKit: both accept the same files, and the places of what Parse returns are in
// order, nest, and read back as the text that they stand for.
func FuzzParse(f *testing.F) {
	seeds, err := filepath.Glob("testdata/parse/*.Dockerfile")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, seed := range seeds {
		src, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
		f.Add(bytes.ReplaceAll(src, []byte("\n"), []byte("\r\n")))
		f.Add(append([]byte("\xef\xbb\xbf"), src...))
	}
	f.Fuzz(checkAgainstBuildKit)
}

// FuzzParseTokens does the same with files put together from the pieces that matter, one for each byte of input: it
// gets much deeper than changing bytes.
func FuzzParseTokens(f *testing.F) {
	tokens := []string{
		"FROM alpine\n", "FROM", "fr\\\nom", "RUN ", "COPY ", "ADD", "ENV ", "LABEL ", "ARG ", "ONBUILD ", "HEALTHCHECK ",
		"CMD ", "SHELL ", "USER ", "VOLUME ", " AS ", "NONE", "--from=", "--mount=type=bind,", "--", "--link", "from=a", "a", "b=c",
		"=", "$X", "<<E", "<<-E", "<<'E'", "E", "\n", "\r\n", "\r", "\\\n", "\\\r\n", "\\ \n", "\\", "`", "`\n", "\n# c\n", "#", "\n\n", " ", "\t",
		"\v", "\u00a0", "\xa0", "\x85", "é", "\xff", `"`, "'", "[", "]", `["a", "b"]`, `"\u00e9"`, `\ud83d\ude00`, `\ud800`, ",",
		"# escape=`\n", "# syntax=x y\n", "# check=skip=all\n", "#!sh\n", "\xef\xbb\xbf", "// syntax=x\n", "\n\t", "/",
	}
	f.Add([]byte{0, 3, 26, 10, 29, 30})
	f.Fuzz(func(t *testing.T, picks []byte) {
		var src []byte
		for _, p := range picks {
			src = append(src, tokens[int(p)%len(tokens)]...)
		}
		checkAgainstBuildKit(t, src)
	})
}

func checkAgainstBuildKit(t *testing.T, src []byte) {
	t.Helper()
	file, err := definition.Parse("Dockerfile", src)
	if theirs := buildkitAccepts(src); (err == nil) != (theirs == nil) && !refusedOnPurpose(src) {
		t.Fatalf("%q\nParse: %v\nBuildKit: %v", src, err, theirs)
	}
	if err == nil {
		checkPlaces(t, file)
	}
}

// buildkitAccepts does what BuildKit's frontend does before it looks at variables.
func buildkitAccepts(src []byte) error {
	result, err := parser.Parse(bytes.NewReader(src))
	if err != nil {
		return err
	}
	stages, _, err := instructions.Parse(result.AST, linter.New(&linter.Config{}))
	if err == nil && len(stages) == 0 {
		return definition.ErrNoStage
	}
	return err
}

func refusedOnPurpose(src []byte) bool {
	return bytes.IndexByte(src, 0) >= 0 || len(src) > definition.MaxDockerfile
}

// checkPlaces asserts that everything stands where it says.
func checkPlaces(t *testing.T, f *definition.File) {
	t.Helper()
	end := 0
	for _, in := range f.Instructions {
		if in.Start.Offset < end {
			t.Fatalf("%s at %v begins before the one above ends (%d)", in.Name, in.Start, end)
		}
		end = in.End.Offset
		checkInstruction(t, f, in)
	}
	end = 0
	for _, c := range f.Comments {
		if c.Start.Offset < end || c.End.Offset > len(f.Src) || f.Src[c.Start.Offset] != '#' {
			t.Fatalf("comment %q is not at %v", c.Text, c.Start)
		}
		if end = c.End.Offset; strings.TrimSpace(string(f.Src[c.Start.Offset+1:end])) != c.Text {
			t.Fatalf("comment %q reads %q", c.Text, f.Src[c.Start.Offset:end])
		}
	}
	if name, _, _, ok := parser.DetectSyntax(f.Src); ok {
		if d, _ := f.Directive("syntax"); strings.Split(d.Value.Text, " ")[0] != name {
			t.Fatalf("syntax is %q, BuildKit reads %q", d.Value.Text, name)
		}
	}
	for _, d := range f.Directives {
		checkWord(t, f, d.Value, true)
	}
}

func checkInstruction(t *testing.T, f *definition.File, in *definition.Instruction) {
	t.Helper()
	words := []definition.Word{in.Keyword}
	checkWord(t, f, in.Keyword, true)
	for _, flag := range in.Flags {
		words = append(words, flag.Word)
		checkWord(t, f, flag.Word, false)
		if v := flag.Value; !v.IsZero() && (v.Start.Offset < flag.Word.Start.Offset || v.End.Offset > flag.Word.End.Offset) {
			t.Fatalf("value of --%s is outside of its flag", flag.Name)
		}
	}
	if in.Trigger != nil {
		checkInstruction(t, f, in.Trigger)
	}
	words = append(words, in.Args...)
	for _, arg := range in.Args {
		checkWord(t, f, arg, !in.JSON)
	}
	for _, h := range in.Heredocs {
		words = append(words, h.Body)
		if h.Body.Text != string(f.Src[h.Body.Start.Offset:h.Body.End.Offset]) {
			t.Fatalf("heredoc %s is not what stands at its place", h.Name)
		}
	}
	end := in.Start.Offset
	for _, w := range words {
		if w.Start.Offset < end || w.End.Offset < w.Start.Offset || w.End.Offset > in.End.Offset {
			t.Fatalf("%q at %v-%v: out of order in %s", w.Text, w.Start, w.End, in.Name)
		}
		end = w.End.Offset
	}
}

// checkWord reads the bytes at the word's place again, and each half of the word too. A word that is not exact may have
// quotes and escapes in the file.
func checkWord(t *testing.T, f *definition.File, w definition.Word, exact bool) {
	t.Helper()
	for i := range min(len(w.Text), 50) {
		for _, part := range []definition.Word{w.Slice(0, i), w.Slice(i, len(w.Text))} {
			if exact && !sameText(read(f, part), part.Text) {
				t.Fatalf("%q at %v-%v reads %q", part.Text, part.Start, part.End, read(f, part))
			}
			if !exact && (part.Start.Offset < w.Start.Offset || part.End.Offset > w.End.Offset) {
				t.Fatalf("part %q of %q is outside of it", part.Text, w.Text)
			}
		}
	}
	checkPosition(t, f, w.Start)
	checkPosition(t, f, w.End)
	if exact && !sameText(read(f, w), w.Text) {
		t.Fatalf("%q at %v-%v reads %q", w.Text, w.Start, w.End, read(f, w))
	}
}

// sameText allows for bytes that are not UTF-8, which BuildKit replaces in some words.
func sameText(read, text string) bool {
	return read == text || strings.ToValidUTF8(read, "") == strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\ufffd", "")
}

// read joins the lines at a word's place.
func read(f *definition.File, w definition.Word) string {
	lines := strings.Split(string(f.Src[w.Start.Offset:w.End.Offset]), "\n")
	var b strings.Builder
	for i, line := range lines {
		space := strings.TrimSpace(line)
		if i == len(lines)-1 {
			b.WriteString(line)
		} else if i == 0 || space != "" && space[0] != '#' {
			line = strings.TrimRight(line, "\r")
			b.WriteString(strings.TrimSuffix(strings.TrimRight(line, " \t"), string(f.Escape)))
		}
	}
	return b.String()
}

func checkPosition(t *testing.T, f *definition.File, p finding.Position) {
	t.Helper()
	before := f.Src[:p.Offset]
	line := bytes.Count(before, []byte("\n")) + 1
	column := p.Offset - bytes.LastIndexByte(before, '\n')
	if line == 1 && bytes.HasPrefix(f.Src, []byte("\xef\xbb\xbf")) {
		column = max(1, column-3)
	}
	if p.Line != line || p.Column != column {
		t.Fatalf("offset %d is %d:%d, not %d:%d", p.Offset, line, column, p.Line, p.Column)
	}
}
