package definition_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

func TestParseErrors(t *testing.T) {
	tests := []struct {
		name, src, want string
		err             error
	}{
		{"empty", "", "Dockerfile: a Dockerfile needs at least one FROM: the file is empty", definition.ErrNoStage},
		{"only space", " \r\n\t\n", "Dockerfile: a Dockerfile needs at least one FROM: the file is empty", definition.ErrNoStage},
		{"only a byte order mark", "\xef\xbb\xbf", "Dockerfile: a Dockerfile needs at least one FROM: the file is empty", definition.ErrNoStage},
		{"only comments", "# syntax=x\n# FROM a\n", "Dockerfile: a Dockerfile needs at least one FROM: the file has only comments", definition.ErrNoStage},
		{"only ARG", "ARG A=1\n", "Dockerfile: a Dockerfile needs at least one FROM: the file has only ARG", definition.ErrNoStage},
		{"NUL byte", "FROM a\nRUN \x00\n", "Dockerfile:2:5: file is not UTF-8 text: NUL byte", definition.ErrNotText},
		{"UTF-16 little", "\xff\xfeF\x00R\x00", "Dockerfile: file is not UTF-8 text: it is UTF-16; save it as UTF-8", definition.ErrNotText},
		{"UTF-16 big", "\xfe\xff\x00F\x00R", "Dockerfile: file is not UTF-8 text: it is UTF-16; save it as UTF-8", definition.ErrNotText},
		{"too large", "FROM a\n" + strings.Repeat("#", 10<<20), "Dockerfile: file is too large: 10485767 bytes, the limit is 1048576", definition.ErrTooLarge},
		{"too long a line", "FROM a\nRUN " + strings.Repeat("x", 70_000) + "\n", "Dockerfile:2:1: dockerfile line greater than max allowed size of 65535", nil},
		{"before FROM", "ARG A\n\n  RUN x\nFROM a\n", "Dockerfile:3:3: no build stage yet: RUN before the first FROM; only ARG may stand there", nil},
		{"unknown instruction", "FROM a\n# comment\n\n  FRMO b\n", "Dockerfile:4:3: unknown instruction: FRMO (did you mean FROM?)", nil},
		{"unknown over two lines", "FROM a\n\\\nFR\\\nMO b\n", "Dockerfile:3:1: unknown instruction: FRMO (did you mean FROM?)", nil},
		{"unknown flag", "FROM a\nCOPY --chown=a \\\n  --form=b c d\n", "Dockerfile:3:3: unknown flag: --form (did you mean from?)", nil},
		{"flag without value", "FROM a\nCOPY --link --from a b\n", "Dockerfile:2:13: missing a value on flag: --from", nil},
		{"variable in from", "FROM a\nRUN --mount=from=$X,target=/x true\n", "Dockerfile:2:1: 'from' doesn't support variable expansion, define alias stage instead", nil},
		{"unterminated heredoc", "FROM a\n  RUN <<EOF\ntrue\n", "Dockerfile:2:3: unterminated heredoc", nil},
		{"heredoc as destination", "FROM a\nCOPY x <<EOF\nEOF\n", "Dockerfile:2:1: COPY cannot accept a heredoc as a destination", nil},
		{"stage name", "FROM a AS 1b\n", "Dockerfile:1:1: invalid name for build stage: \"1b\", name can't start with a number or contain symbols", nil},
		{"too many words", "FROM a b\n", "Dockerfile:1:1: FROM requires either one or three arguments", nil},
		{"JSON with numbers", "FROM a\nCMD [1]\n", "Dockerfile:2:1: when using JSON array syntax, arrays must be comprised of strings only", nil},
		{"directive twice", "# escape=`\n# escape=`\nFROM a\n", "Dockerfile:1:1: only one escape parser directive can be used", nil},
		{"bad escape", "\xef\xbb\xbf# escape=x\nFROM a\n", "Dockerfile:1:1: invalid escape token 'x' does not match ` or \\", nil},
		{"ONBUILD FROM", "FROM a\nONBUILD FROM b\n", "Dockerfile:2:1: FROM isn't allowed as an ONBUILD trigger", nil},
		{"a slash comment names a frontend", "// syntax=evil/frontend\nFROM a\n", `Dockerfile:1:1: file is not a Dockerfile: its syntax line hands it to the frontend "evil/frontend"`, definition.ErrForeignSyntax},
		{"after a shebang", "#!/bin/x\n// syntax=evil\n", `Dockerfile:1:1: file is not a Dockerfile: its syntax line hands it to the frontend "evil"`, definition.ErrForeignSyntax},
		{"JSON names a frontend", "{\"syntax\": \"evil\", \"x\": 1}", `Dockerfile:1:1: file is not a Dockerfile: its syntax line hands it to the frontend "evil"`, definition.ErrForeignSyntax},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := definition.Parse("Dockerfile", []byte(test.src))
			if _, ok := errors.AsType[*definition.SyntaxError](err); !ok {
				t.Fatalf("error is %v, want a SyntaxError", err)
			}
			if test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("error is %v, want %v", err, test.err)
			}
			if err.Error() != test.want {
				t.Errorf("error is\n%s, want\n%s", err, test.want)
			}
		})
	}
}

// TestDirectives: BuildKit's parser and frontend read directives in two ways; only those that take effect count.
func TestDirectives(t *testing.T) {
	type directive struct{ Name, Value, Place string }
	tests := []struct {
		name, src string
		want      []directive
		comments  []string
	}{
		{"all", "#syntax=a:1\n#  ESCAPE = ` \n# check=skip=all;error=true\n# x=y\nFROM a\n", []directive{
			{"syntax", "a:1", "Dockerfile:1:9"}, {"escape", "`", "Dockerfile:2:13"}, {"check", "skip=all;error=true", "Dockerfile:3:9"},
		}, []string{"x=y"}},
		{"byte order mark", "\xef\xbb\xbf# syntax=a\nFROM a\n", []directive{{"syntax", "a", "Dockerfile:1:10"}}, nil},
		{"CRLF", "# syntax=a\r\n# escape=\\\r\nFROM a\r\n", []directive{{"syntax", "a", "Dockerfile:1:10"}, {"escape", "\\", "Dockerfile:2:10"}}, nil},
		{"shebang", "#!/bin/sh\n# syntax=a\nFROM a\n", []directive{{"syntax", "a", "Dockerfile:2:10"}}, []string{"!/bin/sh"}},
		{"after a shebang escape is a comment", "#!/bin/sh\n# escape=`\nFROM a\n", nil, []string{"!/bin/sh", "escape=`"}},
		{"syntax must begin its line", "  # syntax=a\nFROM a\n", nil, []string{"syntax=a"}},
		{"escape need not", "  # escape=`\nFROM a\n", []directive{{"escape", "`", "Dockerfile:1:12"}}, nil},
		{"after a comment", "# hello\n# syntax=a\nFROM a\n", nil, []string{"hello", "syntax=a"}},
		{"after an empty line", "\n# syntax=a\nFROM a\n", nil, []string{"syntax=a"}},
		{"after an instruction", "FROM a\n# syntax=a\n", nil, []string{"syntax=a"}},
		{"unknown directive ends them", "# foo=bar\n# syntax=a\nFROM a\n", nil, []string{"foo=bar", "syntax=a"}},
		{"value with spaces", "# syntax=a b c\t\nFROM a\n", []directive{{"syntax", "a b c", "Dockerfile:1:10"}}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := parseString(t, test.src)
			var got []directive
			for _, d := range f.Directives {
				got = append(got, directive{d.Name, d.Value.Text, f.Place(d.Value).String()})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("directives (-want +got):\n%s", diff)
			}
			var comments []string
			for _, c := range f.Comments {
				comments = append(comments, c.Text)
			}
			if diff := cmp.Diff(test.comments, comments); diff != "" {
				t.Errorf("comments (-want +got):\n%s", diff)
			}
			checkPlaces(t, f)
		})
	}
}
