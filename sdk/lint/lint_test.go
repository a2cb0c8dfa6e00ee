package lint_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func parse(t testing.TB, src string) *definition.File {
	t.Helper()
	file, err := definition.Parse("Dockerfile", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// commands is a rule that reports every command by its name, so that a test sees what rules see.
func commands() lint.Rule {
	return lint.Rule{ID: "XX0001", Name: "commands", Severity: finding.Info, Run: func(pass *lint.Pass) {
		for c := range pass.Commands() {
			words := []string{c.Name}
			for _, a := range c.Args {
				words = append(words, a.Text)
			}
			pass.Report(c.Word(), "%s", strings.Join(words, "|"))
		}
	}}
}

func TestCommandsHaveTheirPlaces(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"continuation and comment", "RUN a b \\\n  # c\n  d 'e f' && \\\n\tg", "2:5 a|b|d|e f;5:2 g"},
		{"wrappers", "RUN sudo -u root env A=1 apt-get install x | xargs -n 1 rm -f", "2:5 sudo|-u|root|env|A=1|apt-get|install|x;2:18 env|A=1|apt-get|install|x;2:26 apt-get|install|x;2:46 xargs|-n|1|rm|-f;2:57 rm|-f"},
		{"find -exec", "RUN find / -name x -exec chmod u+s {} \\; -print", "2:5 find|/|-name|x|-exec|chmod|u+s|{}|;|-print;2:26 chmod|u+s|{}"},
		{"substitution", "RUN a \"$(b c)\" `d`", "2:5 a|$(b c)|`d`;2:10 b|c;2:17 d"},
		{"heredoc alone", "RUN <<EOF\na b\n  c d\nEOF", "3:1 a|b;4:3 c|d"},
		{"heredoc with tabs", "RUN <<-EOF\n\ta b\n\tEOF", "3:2 a|b"},
		{"heredoc for a command", "RUN cat <<EOF > x && d\na b\nEOF", "2:5 cat;2:22 d"},
		{"heredoc for a shell", "RUN bash <<EOF\na b\nEOF", "2:5 bash;3:1 a|b"},
		{"two heredocs", "RUN cat <<A <<B && c\n1\nA\n2\nB", "2:5 cat;2:20 c"},
		{"foreign shebang", "RUN <<EOF\n#!/usr/bin/env python3\na b\nEOF", ""},
		{"known shebang", "RUN <<EOF\n#!/usr/bin/env bash\na <(b)\nEOF", "4:1 a|<(b);4:5 b"},
		{"exec form", `RUN ["/bin/apt-get", "install", "x\"y"]`, `2:7 apt-get|install|x"y`},
		{"shell in exec form", `RUN ["bash", "-euc", "a \"b\" c"]`, `2:7 bash|-euc|a "b" c;2:23 a|b|c`},
		{"nested", `RUN sh -c "a \"b c\" 'd'; bash -c 'e f'"`, `2:5 sh|-c|a "b c" 'd'; bash -c 'e f';2:12 a|b c|d;2:27 bash|-c|e f;2:36 e|f`},
		{"options before -c", `RUN bash -euo pipefail +o histexpand -c 'a b' && bash x.sh -c 'c'`, `2:5 bash|-euo|pipefail|+o|histexpand|-c|a b;2:42 a|b;2:50 bash|x.sh|-c|c`},
		{"su", `RUN su - app -c "a b"`, `2:5 su|-|app|-c|a b;2:18 a|b`},
		{"onbuild", "ONBUILD RUN a b", "2:13 a|b"},
		{"powershell", "SHELL [\"pwsh\", \"-c\"]\nRUN a b", ""},
		{"bash only syntax under sh", "RUN [[ a == b ]] && diff <(a) b", "2:21 diff|<(a)|b;2:28 a"},
		{"does not parse", "RUN if a", ""},
		{"crlf", "RUN a \\\r\n  b\r\nRUN c\r", "2:5 a|b;4:5 c"},
		{"variables stay", `RUN $A "${B}c" \$d *.x`, `2:5 |${B}c|$d|*.x`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			findings, err := lint.Run(parse(t, "FROM a\n"+tt.src+"\n"), []lint.Rule{commands()}, lint.Config{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				got = append(got, strings.TrimPrefix(f.Place.String(), "Dockerfile:")+" "+f.Message)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, ";")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestShellFollowsTheStages(t *testing.T) {
	shells := lint.Rule{ID: "XX0002", Name: "shells", Severity: finding.Info, Run: func(pass *lint.Pass) {
		for _, s := range pass.Scripts {
			pass.Report(s.Instruction.Keyword, "%s", s.ShellName())
		}
	}}
	src := `FROM a AS one
RUN x
SHELL ["/bin/bash", "-c"]
FROM ONE AS two
RUN x
FROM b
RUN x
FROM mcr.microsoft.com/windows/nanoserver:ltsc2025
RUN x
FROM c
RUN x
`
	cfg := lint.Config{Bases: map[int]lint.Base{4: {Shell: []string{"/usr/bin/ksh", "-c"}}}}
	findings, err := lint.Run(parse(t, src), []lint.Rule{shells}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := "2 sh,5 bash,7 sh,9 cmd,11 ksh"
	var got []string
	for _, f := range findings {
		line, _, _ := strings.Cut(strings.TrimPrefix(f.Place.String(), "Dockerfile:"), ":")
		got = append(got, line+" "+f.Message)
	}
	if diff := cmp.Diff(want, strings.Join(got, ",")); diff != "" {
		t.Error(diff)
	}
}

func TestRunRefusesWhatItCanNotUse(t *testing.T) {
	all := rules.All()
	noRun := lint.Rule{ID: "XX0001", Severity: finding.Info}
	noSeverity := commands()
	noSeverity.Severity = 0
	tests := []struct {
		name  string
		rules []lint.Rule
		cfg   lint.Config
		want  string
	}{
		{"disabled rule unknown", all, lint.Config{Disable: []string{"DF9999"}}, "names rule DF9999"},
		{"severity of unknown rule", all, lint.Config{Severity: map[string]finding.Severity{"DF9998": finding.Info}}, "names rule DF9998"},
		{"severity unset", all, lint.Config{Severity: map[string]finding.Severity{"DF1101": 0}}, "severity of DF1101 is 0"},
		{"allowed rule unknown", all, lint.Config{Inline: lint.Inline{Allow: map[string]bool{"DF9997": true}}}, "names rule DF9997"},
		{"rule twice", append(all, all[0]), lint.Config{}, "DF1101: given twice"},
		{"rule without Run", []lint.Rule{noRun}, lint.Config{}, "it has no Run"},
		{"rule without severity", []lint.Rule{noSeverity}, lint.Config{}, "severity is unset"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lint.Run(parse(t, "FROM a:1\n"), tt.rules, tt.cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestRunRefusesWhatIsTooLarge(t *testing.T) {
	for name, src := range map[string]string{
		"5002 instructions": "FROM a:1\n" + strings.Repeat("RUN x\n", lint.MaxInstructions+1),
		"10001 commands":    "FROM a:1\nRUN <<E\n" + strings.Repeat("x\n", lint.MaxCommands+1) + "E\n",
	} {
		_, err := lint.Run(parse(t, src), rules.All(), lint.Config{})
		if !errors.Is(err, lint.ErrTooLarge) || !strings.Contains(err.Error(), name) {
			t.Errorf("error is %v, want one with %q", err, name)
		}
	}
}

// A parser's stack must not grow with what somebody writes.
func TestDeeplyNestedScripts(t *testing.T) {
	for _, tt := range []struct {
		text string
		size int
	}{{"(", 60_000}, {"\"$(", 100_000}, {"if ", 100_000}, {"(", 900_000}} {
		src := "FROM a:1\nRUN <<E\n" + strings.Repeat(strings.Repeat(tt.text, 40)+"\n", tt.size/40/len(tt.text)) + "E\nUSER 1\n"
		findings, err := lint.Run(parse(t, src), rules.All(), lint.Config{})
		if err != nil || len(findings) != 1 || findings[0].Rule != "DF6029" {
			t.Errorf("%d bytes of %q: %v, %v; want the one finding that it can't be read", tt.size, tt.text, findings, err)
		}
	}
}

func TestSuppressionNeedsATime(t *testing.T) {
	file := parse(t, "FROM a:1\n# plimsoll:ignore DF5002 until=2027-01-31 reason\nRUN apt-get install x\n")
	if _, err := lint.Run(file, rules.All(), lint.Config{}); err == nil || !strings.Contains(err.Error(), "Dockerfile: lint config: At is unset") {
		t.Errorf("error is %v", err)
	}
}

func TestValidateFindsWhatIsMissing(t *testing.T) {
	good := rules.All()[0]
	tests := []struct {
		name   string
		change func(*lint.Rule)
		want   string
	}{
		{"id", func(r *lint.Rule) { r.ID = "DF1" }, "the id is not"},
		{"name", func(r *lint.Rule) { r.Name = "Bad Name" }, "the name is not"},
		{"title", func(r *lint.Rule) { r.Title = "Ends." }, "full stop"},
		{"group", func(r *lint.Rule) { r.Group = "x" }, `the group "x"`},
		{"severity", func(r *lint.Rule) { r.Severity = 0 }, "severity is unset"},
		{"no page", func(r *lint.Rule) { r.Doc = "" }, "does not begin with"},
		{"no section", func(r *lint.Rule) { r.Doc = strings.Replace(r.Doc, "## Why", "## Because", 1) }, `no section "Why"`},
		{"empty section", func(r *lint.Rule) { r.Doc, _, _ = strings.Cut(r.Doc, "- hadolint") }, `"Also known as" of the page is empty`},
		{"alias", func(r *lint.Rule) { r.Aliases = []string{"hadolint:DL9"} }, "does not name hadolint:DL9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good
			tt.change(&r)
			if err := lint.Validate([]lint.Rule{r}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
	if err := lint.Validate([]lint.Rule{good, good}); err == nil || !strings.Contains(err.Error(), "used twice") {
		t.Errorf("a rule given twice: error is %v", err)
	}
	if err := lint.Validate(rules.All()); err != nil {
		t.Error(err)
	}
}

func TestFindingsNameTheirPage(t *testing.T) {
	file := parse(t, "FROM a\nUSER 1\n")
	for url, want := range map[string]string{"": lint.DefaultDocURL + "DF1101.md", "https://example.com/": "https://example.com/DF1101.md"} {
		findings, err := lint.Run(file, rules.All(), lint.Config{DocURL: url})
		if err != nil {
			t.Fatal(err)
		}
		if len(findings) != 1 || findings[0].URL != want {
			t.Errorf("findings %v, want one with the URL %s", findings, want)
		}
	}
}

func TestApplyRefusesBadFixes(t *testing.T) {
	src := []byte("FROM a\n")
	fix := func(edits ...finding.Edit) []finding.Finding {
		return []finding.Finding{{Rule: "XX0001", Fixes: []finding.Fix{{Edits: edits}}}}
	}
	tests := []struct {
		name     string
		findings []finding.Finding
		want     string
	}{
		{"no edits", fix(), "it has no edits"},
		{"other file", fix(finding.Edit{File: "x", Start: 1, End: 2}), `it edits "x"`},
		{"outside", fix(finding.Edit{File: "Dockerfile", Start: 1, End: 8}), "outside the file's 7 bytes"},
		{"backwards", fix(finding.Edit{File: "Dockerfile", Start: 3, End: 2}), "outside"},
		{"own overlap", fix(finding.Edit{File: "Dockerfile", Start: 1, End: 4}, finding.Edit{File: "Dockerfile", Start: 3, End: 5}), "overlap"},
		{"two inserts at one place", fix(finding.Edit{File: "Dockerfile", Start: 1, End: 1, New: "a"}, finding.Edit{File: "Dockerfile", Start: 1, End: 1, New: "b"}), "overlap"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := lint.Apply("Dockerfile", src, tt.findings)
			var fixErr *lint.FixError
			if !errors.As(err, &fixErr) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want a FixError with %q", err, tt.want)
			}
		})
	}
}

func TestApplyLeavesOverlappingFixesForTheNextRound(t *testing.T) {
	edit := func(start, end int, text string) finding.Finding {
		return finding.Finding{Fixes: []finding.Fix{{Edits: []finding.Edit{{File: "f", Start: start, End: end, New: text}}}}}
	}
	suppressed := edit(0, 1, "X")
	suppressed.Suppressed = &finding.Suppression{Kind: "inline"}
	got, n, err := lint.Apply("f", []byte("abcdef"), []finding.Finding{edit(1, 3, "-"), edit(2, 4, "+"), edit(5, 6, ""), suppressed})
	if err != nil || n != 2 || string(got) != "a-de" {
		t.Errorf("got %q, %d applied, %v; want \"a-de\", 2", got, n, err)
	}
}

func TestFixStopsAtRulesThatNeverRest(t *testing.T) {
	restless := lint.Rule{ID: "XX0001", Severity: finding.Info, Run: func(pass *lint.Pass) {
		pass.Report(pass.Final().Base, "again").Fix("grow", lint.Insert(pass.Final().Base.End, "a"))
	}}
	if _, _, err := lint.Fix(parse(t, "FROM a\n"), []lint.Rule{restless}, lint.Config{}); !errors.Is(err, lint.ErrFixUnstable) {
		t.Errorf("error is %v, want ErrFixUnstable", err)
	}
	breaking := lint.Rule{ID: "XX0001", Severity: finding.Info, Run: func(pass *lint.Pass) {
		pass.Report(pass.Final().Base, "break").Fix("break it", lint.Replace(pass.Final().From.Keyword, "FRMO"))
	}}
	file := parse(t, "FROM a\n")
	got, _, err := lint.Fix(file, []lint.Rule{breaking}, lint.Config{})
	if err == nil || !strings.Contains(err.Error(), "the fixed file does not parse") || got != file {
		t.Errorf("file %q, error %v", got.Src, err)
	}
}

func TestFixKeepsBOMAndLineEnds(t *testing.T) {
	fixed, _, err := lint.Fix(parse(t, "\xef\xbb\xbffrom a:1 AS b\r\nRUN apk add \\\r\n  x\r\nUSER 1\r\n"), rules.All(), lint.Config{})
	if err != nil {
		t.Fatal(err)
	}
	want := "\xef\xbb\xbfFROM a:1 AS b\r\nRUN apk add --no-cache \\\r\n  x\r\nUSER 1\r\n"
	if diff := cmp.Diff(want, string(fixed.Src)); diff != "" {
		t.Error(diff)
	}
}
