package campaign

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// shown is how many lines of one kind a text has.
const shown = 20

// Text writes the preview for people.
func (p *Preview) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", p.Ban.ID, p.Ban.Describe())
	fmt.Fprintf(&b, "  because  %s\n", p.reason())
	fmt.Fprintf(&b, "  effect   %s\n", p.effect())
	if p.Ban.Replacement != nil {
		fmt.Fprintf(&b, "  instead  %s\n", p.Ban.Replacement)
	}
	fmt.Fprintf(&b, "\n%s stand on it (%s)", count(p.Images, "image"), p.evidence())
	if p.BuildOnly > 0 {
		fmt.Fprintf(&b, ", %d of them only in their build", p.BuildOnly)
	}
	fmt.Fprintf(&b, "; %s of them run", count(len(p.Running), "instance"))
	if p.Unowned > 0 {
		fmt.Fprintf(&b, "; nobody is known to answer for %s", count(p.Unowned, "image"))
	}
	b.WriteString("\n\n")
	p.owners(&b)
	p.storm(&b)
	for _, e := range p.Excepted {
		fmt.Fprintf(&b, "%s %s is excepted by %s of %s until %s: %s warned\n", e.Project.Repository, e.Project.Directory, e.Exception, e.Owner, e.Until, count(e.Images, "image"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (p *Preview) reason() string {
	reason := cmp.Or(p.Ban.Reason, "no reason is given")
	if p.Ban.Advisory != "" {
		reason += " (" + p.Ban.Advisory + ")"
	}
	return reason
}

func (p *Preview) effect() string {
	switch p.Effect {
	case catalog.EffectDeny:
		return fmt.Sprintf("denied since %s", p.Ban.DenyFrom)
	case catalog.EffectWarn:
		return fmt.Sprintf("warned, denied from %s on", p.Ban.DenyFrom)
	case catalog.EffectLifted:
		return "lifted: " + p.Ban.Lifted.Reason
	}
	return fmt.Sprintf("none yet; denied from %s on", p.Ban.DenyFrom)
}

func (p *Preview) evidence() string {
	var parts []string
	for grade, n := range p.Evidence {
		parts = append(parts, fmt.Sprintf("%d by %s", n, grade))
	}
	slices.Sort(parts)
	return cmp.Or(strings.Join(parts, ", "), "none is known")
}

func (p *Preview) owners(b *strings.Builder) {
	if len(p.Owners) == 0 {
		return
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "OWNER\tIMAGES\tRUNNING\tREBASED\tREBUILT\tLEFT")
	for _, o := range p.Owners[:min(shown, len(p.Owners))] {
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\n", cmp.Or(o.Name, "(nobody)"), o.Images, o.Running, o.Rebases, o.Rebuilds, o.Left)
	}
	_ = t.Flush() // into memory
	if more := len(p.Owners) - shown; more > 0 {
		fmt.Fprintf(b, "and %d more\n", more)
	}
	b.WriteByte('\n')
}

func (p *Preview) storm(b *strings.Builder) {
	if p.Storm == nil {
		fmt.Fprintf(b, "nothing is replaced: %s\n", p.NoStorm)
		return
	}
	for _, w := range p.Storm.Waves {
		fmt.Fprintf(b, "wave %d: %d rebased, %d rebuilt", w.Number, w.Rebases, w.Rebuilds)
		if w.Expected > 0 {
			fmt.Fprintf(b, ", some %s one after the other", w.Expected.Round(time.Second))
		}
		b.WriteByte('\n')
	}
	problems := p.Storm.Problems()
	for _, item := range problems[:min(shown, len(problems))] {
		fmt.Fprintf(b, "left: %s:%s: %s\n", item.Repository, strings.Join(item.Tags, ","), item.Problem)
	}
	if more := len(problems) - shown; more > 0 {
		fmt.Fprintf(b, "and %d more are left\n", more)
	}
}

// textFor is what an owner is told.
func (p *Preview) textFor(o Owner) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is banned: %s\n", p.Ban.Describe(), p.reason())
	fmt.Fprintf(&b, "It is %s.\n", p.effect())
	fmt.Fprintf(&b, "%s of yours stand on it, %s run. %d will be rebased and %d built again by themselves; %d are left to you.\n",
		count(o.Images, "image"), count(o.Running, "instance"), o.Rebases, o.Rebuilds, o.Left)
	if p.Ban.Replacement != nil {
		fmt.Fprintf(&b, "Move your definitions to %s.\n", p.Ban.Replacement)
	}
	if p.Storm == nil {
		return b.String()
	}
	n := 0
	for _, item := range p.Storm.Items {
		if item.Owner != o.Name {
			continue
		}
		if n++; n > shown {
			fmt.Fprintf(&b, "and %d more\n", o.Rebases+o.Rebuilds+o.Left-shown)
			break
		}
		fmt.Fprintf(&b, "- %s:%s: %s\n", item.Repository, strings.Join(item.Tags, ","), cmp.Or(item.Problem, string(item.Verb)))
	}
	return b.String()
}

// Text writes how far a campaign is, for people.
func (s *State) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, started by %s\n", s.Campaign, s.Phase, s.By)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, step := range s.Steps {
		note := step.Note
		if step.Fault != "" {
			note = strings.TrimPrefix(note+"; ", "; ") + "fault: " + step.Fault
		}
		_, _ = fmt.Fprintf(t, "  %s\t%s\t%s\n", step.Name, step.State, note)
	}
	_ = t.Flush() // into memory
	for _, mark := range s.Timeline.marks() {
		fmt.Fprintf(&b, "  %-14s %s\n", mark.What, mark.After)
	}
	if s.Safety != nil && !s.Safety.Safe() {
		for _, list := range [][]string{s.Safety.Instances, s.Safety.Tags, s.Safety.Checks, s.Safety.Unknown} {
			for _, line := range list[:min(shown, len(list))] {
				fmt.Fprintf(&b, "  not safe: %s\n", line)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mark is one point of a timeline.
type mark struct {
	What  string
	After time.Duration // since the campaign began
	At    time.Time
}

// marks are what was reached, in the order of time.
func (t Timeline) marks() []mark {
	var all []mark
	for _, m := range []mark{
		{What: "denied", At: t.Denied},
		{What: "first refusal", At: t.FirstRefusal},
		{What: "half replaced", At: t.HalfReplaced},
		{What: "all replaced", At: t.AllReplaced},
		{What: "all safe", At: t.AllSafe},
	} {
		if !m.At.IsZero() {
			m.After = m.At.Sub(t.Banned).Round(10 * time.Millisecond)
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b mark) int { return a.At.Compare(b.At) })
	return all
}
