package notify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

func renderer(t *testing.T, templates map[notify.Kind]notify.Template) *notify.Renderer {
	t.Helper()
	r, err := notify.NewRenderer(templates)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMessageOfOneEvent(t *testing.T) {
	e := notify.Event{
		Title: "a\r\nBcc: everybody", Text: "Because.\x1b[2J", Facts: []notify.Fact{{Name: "commit", Value: "4f2a"}},
		Patch: strings.Repeat("+line\n", 200), Ask: "ops@example.com", Link: "https://git.example/1",
	}
	m := renderer(t, nil).Message("key", "pay", []notify.Event{e})
	if m.Subject != "a Bcc: everybody" {
		t.Errorf("subject %q", m.Subject)
	}
	for _, want := range []string{"Because.[2J", "commit: 4f2a", "https://git.example/1", "(and 80 more lines)", "Questions: ops@example.com"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("%q is not in\n%s", want, m.Text)
		}
	}
	if strings.Contains(m.Text, "\x1b") {
		t.Error("control characters reach the reader's terminal")
	}
}

func TestMessageOfMany(t *testing.T) {
	var events []notify.Event
	for i := range 60 {
		events = append(events, notify.Event{Title: fmt.Sprintf("news %d", i), Link: fmt.Sprintf("https://git.example/%d", i)})
	}
	m := renderer(t, nil).Message("key", "pay", events)
	if m.Subject != "60 messages from Plimsoll" || !strings.Contains(m.Text, "- news 49\n  https://git.example/49") ||
		strings.Contains(m.Text, "news 50") || !strings.HasSuffix(m.Text, "and 10 more") {
		t.Errorf("%s\n%s", m.Subject, m.Text)
	}
}

func TestCustomTemplates(t *testing.T) {
	r := renderer(t, map[notify.Kind]notify.Template{
		notify.BaseMoved: {Subject: "[bases] {{.Title}}", Text: "{{clip .Text 4}}"},
		"fails":          {Text: `{{if .Facts}}{{index .Teams 0}}{{end}}`},
	})
	m := r.Message("", "", []notify.Event{{Kind: notify.BaseMoved, Title: "moved", Text: "größer"}})
	if m.Subject != "[bases] moved" || m.Text != "gr (and 6 more bytes)" && m.Text != "grö (and 4 more bytes)" {
		t.Errorf("%q %q", m.Subject, m.Text)
	}
	m = r.Message("", "", []notify.Event{{Kind: "fails", Title: "news", Facts: []notify.Fact{{Name: "a", Value: "b"}}}})
	if m.Subject != "news" || m.Text != "a: b" {
		t.Errorf("news that a template can't tell: %q %q", m.Subject, m.Text)
	}
}
