package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
)

// printPreview shows people what would be done.
func printPreview(w io.Writer, style console.Style, p *storm.Preview) error {
	wave := -1
	for _, i := range p.Items {
		if i.Problem != "" {
			continue
		}
		if i.Wave != wave {
			wave = i.Wave
			s := p.Waves[wave-1]
			fmt.Fprintln(w, style.Bold(fmt.Sprintf("wave %d: %d rebased, %d built again%s", wave, s.Rebases, s.Rebuilds, expected(s.Expected.String(), s.Expected > 0))))
		}
		fmt.Fprintf(w, "  %-7s %s%s\n", i.Verb, console.Clean(named1(&i)), style.Dim(facts(&i)))
		printReasons(w, style, &i)
	}
	problems := p.Problems()
	if len(problems) > 0 {
		fmt.Fprintln(w, style.Bold("cannot be fixed"))
	}
	for _, i := range problems {
		fmt.Fprintf(w, "  %s%s: %s\n", console.Clean(named1(&i)), style.Dim(facts(&i)), console.Clean(i.Problem))
		printReasons(w, style, &i)
	}
	fmt.Fprintf(w, "%d images in %d waves, %d cannot be fixed; %d requests for the rebases%s\n", len(p.Items), len(p.Waves), len(problems), p.Requests,
		expected(p.Expected.String(), p.Expected > 0))
	if p.Unknown > 0 {
		fmt.Fprintf(w, "%d have no record of how long they take\n", p.Unknown)
	}
	if p.Untagged > 0 {
		fmt.Fprintf(w, "%d more manifests stand on it and have no tag: nothing is done about those\n", p.Untagged)
	}
	return nil
}

// printReasons shows why an image is not rebased.
func printReasons(w io.Writer, style console.Style, i *storm.Item) {
	for _, r := range i.Reasons {
		fmt.Fprintf(w, "          %s\n", style.Dim(console.Clean(r.String())))
	}
}

func expected(text string, known bool) string {
	if !known {
		return ""
	}
	return ", " + text + " by what is on record"
}

func named1(i *storm.Item) string { return i.Repository + ":" + strings.Join(i.Tags, ",") }

// facts are what is worth knowing beside the name.
func facts(i *storm.Item) string {
	var all []string
	if i.Owner != "" {
		all = append(all, console.Clean(i.Owner))
	}
	if i.Running > 0 {
		all = append(all, fmt.Sprintf("%d running", i.Running))
	}
	if len(i.Platforms) > 0 {
		all = append(all, strings.Join(i.Platforms, " "))
	}
	if i.ToName != "" {
		all = append(all, "onto "+console.Clean(i.ToName))
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}

// statusLine is how far a campaign is.
func statusLine(s *runner.Status) string {
	var all, done, failed, left int
	for _, w := range s.Waves {
		all, done, failed, left = all+w.Images, done+w.Done, failed+w.Failed, left+w.Left
	}
	line := fmt.Sprintf("%s: %s, %d of %d images replaced, %d failed, %d left", s.Campaign, s.State, done, all, failed, left)
	if s.Reason != "" {
		line += " (" + s.Reason + ")"
	}
	return console.Clean(line)
}

func outcomeLine(style console.Style, o *runner.Outcome) string {
	state := o.State
	switch state {
	case "done":
		state = style.Good(fmt.Sprintf("%-10s", o.Did))
	case "failed":
		state = style.Bad(fmt.Sprintf("%-10s", state))
	default:
		state = style.Note(fmt.Sprintf("%-10s", state))
	}
	line := state + " " + console.Clean(named1(&o.Item))
	if o.Owner != "" {
		line += style.Dim(" (" + console.Clean(o.Owner) + ")")
	}
	switch {
	case o.State == "done":
		line += " " + o.Result
	case o.Reason != "":
		reason, _, _ := strings.Cut(o.Reason, "\n")
		line += ": " + console.Clean(reason)
	}
	return line
}
