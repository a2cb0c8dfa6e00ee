package page

import (
	"fmt"
	"io"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// Paint colours a text by what it means: "good", "bad", "note", "dim" or "bold". Nil leaves texts as they are.
type Paint func(meaning, text string) string

// Text writes a view for a terminal.
func Text(w io.Writer, v View, paint Paint) error {
	if paint == nil {
		paint = func(_, text string) string { return text }
	}
	t := &texter{paint: paint}
	t.line("%s%s%s", paint("bold", "Catalog "+orNone(v.Name)), prefixed(", revision ", v.Revision), prefixed(", owner ", v.Owner))
	t.line("%s", paint("dim", v.Digest))
	if o := v.Origin; o.Reference != "" {
		t.line("%s", paint("dim", fmt.Sprintf("version %d from %s%s", o.Version, o.Reference, prefixed(", signed by ", o.SignedBy))))
	}
	for _, p := range v.Parts[min(1, len(v.Parts)):] {
		t.line("%s", paint("dim", "includes "+p.Name+prefixed(" revision ", p.Revision)))
	}
	t.section("Bases", len(v.Bases))
	for _, b := range v.Bases {
		t.line("  %s %s %s", paint(stateMeaning[b.State], fmt.Sprintf("%-10s", b.State)), b.Repository, b.Images)
		t.more(join(b.Kinds), prefixed("on ", strings.Join(b.Platforms, ", ")), strings.Join(b.Demands, ", "), strings.Join(b.Ends, ", "), "owner "+b.Owner, b.Note)
	}
	t.section("Sources", len(v.Sources))
	for _, s := range v.Sources {
		t.line("  %-10s %s", s.Kind, s.Address)
		t.more(prefixed("allows ", strings.Join(s.Allows, ", ")), prefixed("owner ", s.Owner))
	}
	t.section("Moves", len(v.Substitutions))
	for _, s := range v.Substitutions {
		t.line("  %s -> %s", s.From, s.To)
		t.more(s.Reason)
	}
	t.section("Exceptions", len(v.Exceptions))
	for _, e := range v.Exceptions {
		t.line("  %s %s: %s for %s", paint(exceptionMeaning[e.State], fmt.Sprintf("%-10s", e.State)), e.ID, e.Scope, e.Project)
		until := "until " + e.Until.String()
		if e.Left != "" {
			until += " (" + e.Left + ")"
		}
		t.more(until, e.Reason, "owner "+e.Owner, "approved by "+e.Approver, e.Ticket)
	}
	t.section("Bans", len(v.Bans))
	for _, b := range v.Bans {
		t.line("  %s %s: %s", paint(banMeaning[b.State], fmt.Sprintf("%-10s", b.State)), b.ID, b.Names)
		t.more(b.When, b.Severity, b.Advisory, b.Reason, prefixed("replaced by ", b.Replacement), "by "+b.Author+", approved by "+b.Approver)
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

var (
	stateMeaning = map[catalog.State]string{
		catalog.StatePreferred: "good", catalog.StateAllowed: "good", catalog.StateDeprecated: "note", catalog.StateBanned: "bad",
	}
	exceptionMeaning = map[string]string{"in force": "good", "ends soon": "note", "ended": "bad", "to come": "dim"}
	banMeaning       = map[string]string{"denied": "bad", "warned of": "note", "to come": "note", "lifted": "dim"}
)

type texter struct {
	b     strings.Builder
	paint Paint
}

func (t *texter) line(format string, args ...any) {
	t.b.WriteString(visible(strings.TrimRight(fmt.Sprintf(format, args...), " ")) + "\n")
}

func (t *texter) section(title string, items int) {
	if items > 0 {
		t.b.WriteString("\n" + t.paint("bold", fmt.Sprintf("%s (%d)", title, items)) + "\n")
	}
}

// more writes what else there is to say, in one line below.
func (t *texter) more(parts ...string) {
	var said []string
	for _, p := range parts {
		if p != "" {
			said = append(said, p)
		}
	}
	t.line("             %s", t.paint("dim", strings.Join(said, " · ")))
}

// visible makes one line of a text of several; catalogs have no other control characters.
func visible(s string) string { return strings.NewReplacer("\r", "", "\n", " ", "\t", " ").Replace(s) }

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func orNone(s string) string {
	if s == "" {
		return "without a name"
	}
	return s
}

func join(kinds []catalog.BaseKind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}
