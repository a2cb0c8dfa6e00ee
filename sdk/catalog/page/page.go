// Package page shows a catalog to people: what may be used, what is moved where, who has an exception until when, and what
// is banned. [Text] is for a terminal, [HTML] for everybody's browser; [View] is what both are made of, and its JSON.
package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// View is a catalog at a time.
type View struct {
	Name     string         `json:"name,omitempty"`
	Revision string         `json:"revision,omitempty"`
	Owner    string         `json:"owner,omitempty"`
	Contact  string         `json:"contact,omitempty"`
	Digest   string         `json:"digest"`
	Origin   catalog.Origin `json:"origin,omitzero"`
	At       time.Time      `json:"at"`
	Parts    []catalog.Part `json:"parts,omitempty"`

	Bases         []Base         `json:"bases"`
	Sources       []Source       `json:"sources,omitempty"`
	Substitutions []Substitution `json:"substitutions,omitempty"`
	Exceptions    []Exception    `json:"exceptions,omitempty"`
	Bans          []Ban          `json:"bans,omitempty"`
}

// Base is an entry.
type Base struct {
	Repository string `json:"repository"`
	// Images says which of the repository: "versions >=12.9 <13, family slim".
	Images string `json:"images"`
	// State is what it is at the time: an entry that will be deprecated is still allowed.
	State catalog.State `json:"state"`
	// Kinds, Platforms and Demands are what it is for and what an image must be like.
	Kinds     []catalog.BaseKind `json:"kinds"`
	Platforms []string           `json:"platforms,omitempty"`
	Demands   []string           `json:"demands,omitempty"`
	// Ends is what becomes of it and when: "refused after 2027-01-31", "end of life 2027-06-30".
	Ends  []string `json:"ends,omitempty"`
	Owner string   `json:"owner"`
	Note  string   `json:"note,omitempty"`
	Place string   `json:"place"`
}

// Source is a host for ADD.
type Source struct {
	Kind    string   `json:"kind"`
	Address string   `json:"address"`
	Allows  []string `json:"allows,omitempty"`
	Owner   string   `json:"owner,omitempty"`
	Place   string   `json:"place"`
}

// Substitution is a move.
type Substitution struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Reason string `json:"reason"`
	Place  string `json:"place"`
}

// Exception is one with its state at the time.
type Exception struct {
	ID      string `json:"id"`
	Project string `json:"project"`
	Scope   string `json:"scope"`
	// State is "to come", "in force", "ends soon" or "ended"; Left how long it is still in force, in words.
	State    string       `json:"state"`
	Left     string       `json:"left,omitempty"`
	From     catalog.Date `json:"from,omitzero"`
	Until    catalog.Date `json:"until"`
	Reason   string       `json:"reason"`
	Owner    string       `json:"owner"`
	Approver string       `json:"approver"`
	Ticket   string       `json:"ticket,omitempty"`
	Place    string       `json:"place"`
}

// Ban is one with what it does at the time.
type Ban struct {
	ID    string `json:"id"`
	Names string `json:"names"`
	// State is "to come", "warned of", "denied" or "lifted"; When the date of that, or the next one.
	State       string `json:"state"`
	When        string `json:"when"`
	Severity    string `json:"severity,omitempty"`
	Advisory    string `json:"advisory,omitempty"`
	Reason      string `json:"reason"`
	Replacement string `json:"replacement,omitempty"`
	Author      string `json:"author"`
	Approver    string `json:"approver"`
	Place       string `json:"place"`
}

// New makes a view of a catalog at a time.
func New(c *catalog.Catalog, at time.Time) View {
	d := c.Document()
	v := View{
		Name: d.Name, Revision: d.Revision, Owner: d.Owner, Contact: d.Owners[d.Owner], Digest: c.Digest(), Origin: c.Origin(),
		At: at.UTC().Truncate(time.Second), Parts: c.Parts(), Bases: []Base{},
	}
	for _, b := range d.Bases {
		v.Bases = append(v.Bases, base(b, at))
	}
	slices.SortStableFunc(v.Bases, func(a, b Base) int {
		return cmp.Or(strings.Compare(a.Repository, b.Repository), order(a.State)-order(b.State))
	})
	for _, r := range d.HTTP {
		v.Sources = append(v.Sources, Source{"http", r.Host + r.Path, loose(r.Unpinned, r.Insecure, "files without checksum"), r.Owner, r.Place.String()})
	}
	for _, r := range d.Git {
		v.Sources = append(v.Sources, Source{"git", r.Host + r.Path, loose(r.Unpinned, r.Insecure, "branches and tags"), r.Owner, r.Place.String()})
	}
	for _, s := range d.Substitutions {
		v.Substitutions = append(v.Substitutions, Substitution{s.From.String(), s.To.String(), s.Reason, s.Place.String()})
	}
	for _, e := range d.Exceptions {
		v.Exceptions = append(v.Exceptions, exception(e, at))
	}
	slices.SortStableFunc(v.Exceptions, func(a, b Exception) int { return a.Until.End().Compare(b.Until.End()) })
	for _, b := range d.Bans {
		v.Bans = append(v.Bans, ban(b, at))
	}
	return v
}

func order(s catalog.State) int {
	return slices.Index([]catalog.State{catalog.StatePreferred, catalog.StateAllowed, catalog.StateDeprecated, catalog.StateBanned}, s)
}

func base(b catalog.Base, at time.Time) Base {
	images := strings.TrimSpace(strings.TrimPrefix(b.String(), b.Repository))
	out := Base{
		Repository: b.Repository, Images: cmp.Or(images, "all"), State: b.State, Kinds: b.Kinds, Platforms: b.Platforms,
		Owner: b.Owner, Note: b.Note, Place: b.Place.String(),
	}
	if b.State == catalog.StateDeprecated {
		switch {
		case !b.Since.IsZero() && at.Before(b.Since.Begin()):
			out.State = catalog.StateAllowed
			out.Ends = append(out.Ends, "deprecated from "+b.Since.String())
		case !b.Until.IsZero() && !at.Before(b.Until.End()):
			out.Ends = append(out.Ends, "refused since "+b.Until.String())
		}
		if !b.Until.IsZero() && at.Before(b.Until.End()) {
			out.Ends = append(out.Ends, "refused after "+b.Until.String())
		}
	}
	if !b.EndOfLife.IsZero() {
		out.Ends = append(out.Ends, "end of life "+b.EndOfLife.String())
	}
	if b.Age.Min != 0 {
		out.Demands = append(out.Demands, "older than "+b.Age.Min.String())
	}
	if b.Age.Max != 0 {
		out.Demands = append(out.Demands, "younger than "+b.Age.Max.String())
	}
	if b.Signature != "" {
		out.Demands = append(out.Demands, "signed")
	}
	return out
}

func loose(unpinned, insecure bool, what string) []string {
	var out []string
	if unpinned {
		out = append(out, what)
	}
	if insecure {
		out = append(out, "no encryption")
	}
	return out
}

func exception(e catalog.Exception, at time.Time) Exception {
	project := e.Project.Repository
	if e.Project.Path != "" {
		project += " in " + e.Project.Path
	}
	if e.Project.When != "" {
		project += " when " + e.Project.When
	}
	scope := "rule " + e.Scope.Rule
	switch {
	case e.Scope.Image != nil:
		scope = "image " + e.Scope.Image.String()
	case e.Scope.Ban != "":
		scope = "ban " + e.Scope.Ban
	}
	out := Exception{
		ID: e.ID, Project: project, Scope: scope, State: "in force", Left: left(e.Until.End().Sub(at)), From: e.From, Until: e.Until,
		Reason: e.Reason, Owner: e.Owner, Approver: e.Approver, Ticket: e.Ticket, Place: e.Place.String(),
	}
	switch {
	case !at.Before(e.Until.End()):
		out.State, out.Left = "ended", ""
	case !e.From.IsZero() && at.Before(e.From.Begin()):
		out.State, out.Left = "to come", ""
	case !at.Before(e.Until.End().Add(-time.Duration(e.Warn))):
		out.State = "ends soon"
	}
	return out
}

// left is a length of time in words, in whole days rounded down, or in hours on the last day.
func left(d time.Duration) string {
	switch days := int(d.Hours() / 24); {
	case d <= 0:
		return ""
	case days == 0:
		return fmt.Sprintf("%d h", int(d.Hours()))
	case days == 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", days)
	}
}

func ban(b catalog.Ban, at time.Time) Ban {
	out := Ban{
		ID: b.ID, Names: b.Describe(), Severity: b.Severity, Advisory: b.Advisory, Reason: b.Reason, Author: b.Author, Approver: b.Approver,
		Place: b.Place.String(), State: "to come", When: "from " + b.DenyFrom.String(),
	}
	if b.Replacement != nil {
		out.Replacement = b.Replacement.String()
	}
	switch b.Effect(at) {
	case catalog.EffectLifted:
		out.State, out.When = "lifted", fmt.Sprintf("%s by %s: %s", b.Lifted.At, b.Lifted.By, b.Lifted.Reason)
	case catalog.EffectDeny:
		out.State, out.When = "denied", "since "+b.DenyFrom.String()
	case catalog.EffectWarn:
		out.State, out.When = "warned of", "denied from "+b.DenyFrom.String()
	case catalog.EffectNone:
		if !b.WarnFrom.IsZero() {
			out.When = "warned of from " + b.WarnFrom.String() + ", denied from " + b.DenyFrom.String()
		}
	}
	return out
}
