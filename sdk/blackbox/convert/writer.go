package convert

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// writer writes a feature and remembers what it can't.
type writer struct {
	file string
	b    bytes.Buffer // finished scenarios
	out  Converted

	name  string // of the scenario that is being written
	steps []string
	kinds string // keyword of the last step: "Given", "When", "Then"
}

func newWriter(file string) *writer { return &writer{file: file} }

// scenario begins a scenario. One without a Then is not written.
func (w *writer) scenario(name string) {
	w.finish()
	w.name = strings.Join(strings.Fields(name), " ")
}

func (w *writer) finish() {
	asserts := false
	for _, s := range w.steps {
		asserts = asserts || strings.HasPrefix(s, "Then ")
	}
	if asserts {
		fmt.Fprintf(&w.b, "\n  Scenario: %s\n", w.name)
		for _, s := range w.steps {
			fmt.Fprintf(&w.b, "    %s\n", strings.ReplaceAll(s, "\n", "\n    "))
		}
	}
	w.steps, w.kinds = nil, ""
}

// step adds a step; a keyword that repeats becomes "And".
func (w *writer) step(keyword, text string) {
	if keyword == w.kinds {
		keyword = "And"
	} else {
		w.kinds = keyword
	}
	w.steps = append(w.steps, keyword+" "+text)
}

func (w *writer) given(text string) { w.step("Given", text) }
func (w *writer) when(text string)  { w.step("When", text) }

// then adds an assertion.
func (w *writer) then(text string) {
	w.out.Kept++
	w.step("Then", text)
}

// leave names what is not converted.
func (w *writer) leave(line int, what, why string) {
	w.out.Left = append(w.out.Left, Left{
		Place: finding.Place{File: w.file, Start: finding.Position{Line: line}}, What: what, Why: why,
	})
}

// leaveAll names everything that was not taken of an object.
func (w *writer) leaveAll(what string, o *object, why string) {
	rest := o.rest()
	for _, key := range rest {
		o.take(key)
	}
	w.leave(o.line, strings.TrimSuffix(what+": "+strings.Join(rest, ", "), ": "), why)
}

// done returns the feature.
func (w *writer) done(title, tool string) *Converted {
	w.finish()
	if w.b.Len() > 0 {
		head := fmt.Sprintf("# Made from %s, a file of %s.\nFeature: %s\n", w.file, tool, title)
		w.out.Feature = append([]byte(head), w.b.Bytes()...)
	}
	return &w.out
}

// quote writes a text as a {string} of a step, or says that it can't be one.
func quote(s string) (string, bool) {
	if strings.ContainsAny(s, "\n\r") || strings.HasSuffix(s, `\`) || strings.Contains(s, `\"`) || strings.Contains(s, `\'`) {
		return "", false
	}
	s = strings.ReplaceAll(s, "${", "$${")
	switch {
	case !strings.Contains(s, `"`):
		return `"` + s + `"`, true
	case !strings.Contains(s, "'"):
		return "'" + s + "'", true
	default:
		return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`, true
	}
}

// table writes a table of rows below a step, or says that a cell can't be one: Gherkin takes the space around it off.
func table(rows ...[]string) (string, bool) {
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\n", `\n`, "${", "$${")
	for _, row := range rows {
		b.WriteString("\n  |")
		for _, cell := range row {
			if strings.Trim(cell, " \t") != cell || strings.ContainsAny(cell, "\r\t") {
				return "", false
			}
			b.WriteString(" " + escape.Replace(cell) + " |")
		}
	}
	return b.String(), true
}

// column writes a table of one column.
func column(cells []string) (string, bool) {
	rows := make([][]string, len(cells))
	for i, c := range cells {
		rows[i] = []string{c}
	}
	return table(rows...)
}

// madeByEngine says whether an engine puts something at a path of a running instance that is no file of the image.
func madeByEngine(path string) bool {
	for _, made := range []string{"/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"} {
		if path == made || strings.HasPrefix(path, made+"/") {
			return true
		}
	}
	return false
}

const (
	whyEngine = "it is made by the engine for a running instance and is no file of the image"
	whyFar    = "it is about another machine, which an instance in the sandbox can't reach"
	whyText   = "the text can't be written in a step"
	whyEnv    = "it refers to the image's environment, which a step does not expand"
)
