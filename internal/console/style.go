package console

import (
	"encoding/json"
	"io"
	"os"
)

// Style colours text, or leaves it alone.
type Style bool

// StyleFor is coloured only on a terminal, and never when NO_COLOR is set (https://no-color.org).
func StyleFor(w io.Writer) Style { return Style(IsTerminal(w) && os.Getenv("NO_COLOR") == "") }

func (s Style) paint(code, text string) string {
	if !s {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Good is green.
func (s Style) Good(text string) string { return s.paint("32", text) }

// Bad is red.
func (s Style) Bad(text string) string { return s.paint("31", text) }

// Note is yellow.
func (s Style) Note(text string) string { return s.paint("33", text) }

// Dim is grey.
func (s Style) Dim(text string) string { return s.paint("90", text) }

// Bold is bold.
func (s Style) Bold(text string) string { return s.paint("1", text) }

// JSON writes a value as one indented document, with characters such as < as they are.
func JSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}
