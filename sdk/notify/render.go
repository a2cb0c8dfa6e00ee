package notify

import (
	"bytes"
	"fmt"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"
)

// Renderer puts events into words for people. It is safe for concurrent use.
type Renderer struct {
	custom map[Kind]parsed
	common parsed
}

type parsed struct{ subject, text *template.Template }

// The default words. A custom template sees the same value, an [Event], and the same functions: lines TEXT N keeps the
// first N lines, clip TEXT N the first N bytes, and both say what they left out.
const (
	defaultSubject = `{{.Title}}`
	defaultText    = `{{with .Text}}{{.}}

{{end}}{{range .Facts}}{{.Name}}: {{.Value}}
{{end}}{{with .Link}}
{{.}}
{{end}}{{with .Patch}}
The change, for git apply:

{{lines . 120}}
{{end}}{{with .Ask}}
Questions: {{.}}
{{end}}`
)

var functions = template.FuncMap{"lines": lines, "clip": clip}

// NewRenderer makes a renderer; templates may be nil. The error names the template and its line.
func NewRenderer(templates map[Kind]Template) (*Renderer, error) {
	common, err := parse("default", Template{}, Template{Subject: defaultSubject, Text: defaultText})
	if err != nil {
		return nil, err
	}
	r := &Renderer{common: common, custom: map[Kind]parsed{}}
	for kind, t := range templates {
		p, err := parse(string(kind), t, Template{Subject: defaultSubject, Text: defaultText})
		if err != nil {
			return nil, err
		}
		if _, err := p.write(Event{ID: "x", Kind: kind, Title: "x"}); err != nil {
			return nil, err
		}
		r.custom[kind] = p
	}
	return r, nil
}

func parse(name string, t, or Template) (parsed, error) {
	if t.Subject == "" {
		t.Subject = or.Subject
	}
	if t.Text == "" {
		t.Text = or.Text
	}
	subject, err := template.New("templates." + name + ".subject").Funcs(functions).Option("missingkey=error").Parse(t.Subject)
	if err != nil {
		return parsed{}, err
	}
	text, err := template.New("templates." + name + ".text").Funcs(functions).Option("missingkey=error").Parse(t.Text)
	return parsed{subject, text}, err
}

type words struct{ subject, text string }

func (p parsed) write(e Event) (words, error) {
	var subject, text bytes.Buffer
	if err := p.subject.Execute(&subject, e); err != nil {
		return words{}, err
	}
	if err := p.text.Execute(&text, e); err != nil {
		return words{}, err
	}
	return words{oneLine(subject.String()), visible(strings.TrimSpace(text.String()))}, nil
}

// Message tells of one event, or of several together. An event that a custom template can't tell is told in the default
// words: news that reads badly is better than news that is lost.
func (r *Renderer) Message(key, team string, events []Event) Message {
	m := Message{Key: key, Team: team, Events: events}
	if len(events) == 1 {
		w := r.words(events[0])
		m.Subject, m.Text = w.subject, w.text
		return m
	}
	m.Subject = fmt.Sprintf("%d messages from Plimsoll", len(events))
	var b strings.Builder
	const shown = 50
	for _, e := range events[:min(len(events), shown)] {
		fmt.Fprintf(&b, "- %s\n", r.words(e).subject)
		for _, line := range []string{e.Project.Repository, e.Link} {
			if line != "" {
				fmt.Fprintf(&b, "  %s\n", oneLine(line))
			}
		}
	}
	if n := len(events) - shown; n > 0 {
		fmt.Fprintf(&b, "and %d more\n", n)
	}
	m.Text = strings.TrimSpace(b.String())
	return m
}

func (r *Renderer) words(e Event) words {
	if p, ok := r.custom[e.Kind]; ok {
		if w, err := p.write(e); err == nil && w.subject != "" {
			return w
		}
	}
	w, err := r.common.write(e)
	if err != nil { // the default template has nothing that could fail
		return words{oneLine(e.Title), visible(e.Text)}
	}
	return w
}

// lines keeps the first n lines.
func lines(text string, n int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(all) <= n {
		return strings.Join(all, "\n")
	}
	return strings.Join(all[:n], "\n") + fmt.Sprintf("\n(and %d more lines)", len(all)-n)
}

// clip keeps the first n bytes, at the end of a character.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	cut := n
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + fmt.Sprintf(" (and %d more bytes)", len(text)-cut)
}

// oneLine makes a subject that no header can be smuggled into.
func oneLine(text string) string {
	return visible(strings.Join(strings.Fields(text), " "))
}

// visible drops control characters other than line breaks and tabs.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}
