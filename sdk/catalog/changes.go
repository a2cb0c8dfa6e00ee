package catalog

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Change is one difference between two catalogs.
type Change struct {
	// How is "added", "removed", "changed", or for a ban "lifted".
	How string `json:"how"`
	// What is "base", "http", "git", "substitution", "exception", "ban" or "settings".
	What string `json:"what"`
	// Name is what tells it from others of its kind: an id, or what it selects.
	Name string `json:"name,omitempty"`
	// Place is where it stands in the later catalog, or in the earlier one when it was removed.
	Place finding.Place `json:"place,omitzero"`
}

// String is "added ban BAN-7 (bans.yaml:3:5)".
func (c Change) String() string {
	s := c.How + " " + c.What
	if c.Name != "" {
		s += " " + c.Name
	}
	if c.Place.File != "" {
		s += " (" + c.Place.String() + ")"
	}
	return s
}

// Changes lists what is different in a later catalog, in the order of [Document]'s fields. Where something stands, and in
// which order, does not count, but for substitutions, of which the first that matches is used.
func Changes(before, after *Catalog) []Change {
	b, a := before.doc, after.doc
	var out []Change
	out = append(out, changes("base", b.Bases, a.Bases, func(x Base) string { return x.String() }, func(x Base) finding.Place { return x.Place })...)
	out = append(out, changes("http", b.HTTP, a.HTTP, func(x HTTPRule) string { return x.Host + x.Path }, func(x HTTPRule) finding.Place { return x.Place })...)
	out = append(out, changes("git", b.Git, a.Git, func(x GitRule) string { return x.Host + x.Path }, func(x GitRule) finding.Place { return x.Place })...)
	out = append(out, changes("substitution", b.Substitutions, a.Substitutions, func(x Substitution) string { return x.From.String() }, func(x Substitution) finding.Place { return x.Place })...)
	out = append(out, changes("exception", b.Exceptions, a.Exceptions, func(x Exception) string { return x.ID }, func(x Exception) finding.Place { return x.Place })...)
	bans := changes("ban", b.Bans, a.Bans, func(x Ban) string { return x.ID }, func(x Ban) finding.Place { return x.Place })
	for i := range bans {
		if bans[i].How == "changed" && b.ban(bans[i].Name).Lifted == nil && a.ban(bans[i].Name).Lifted != nil {
			bans[i].How = "lifted"
		}
	}
	out = append(out, bans...)
	settings := func(d Document) string {
		return text([]any{d.Name, d.Owner, d.Owners, d.Include, d.Contexts, d.Args, d.Inline})
	}
	if settings(b) != settings(a) {
		out = append(out, Change{How: "changed", What: "settings"})
	}
	return out
}

func (d Document) ban(id string) *Ban {
	return &d.Bans[slices.IndexFunc(d.Bans, func(b Ban) bool { return b.ID == id })]
}

// changes compares two lists. Several items of one name are told apart by their number.
func changes[T any](what string, before, after []T, name func(T) string, place func(T) finding.Place) []Change {
	index := func(list []T) (map[string]T, []string) {
		byName, names := map[string]T{}, []string{}
		for _, item := range list {
			key := name(item)
			for n := 2; ; n++ {
				if _, there := byName[key]; !there {
					break
				}
				key = fmt.Sprintf("%s (%d)", name(item), n)
			}
			byName[key] = item
			names = append(names, key)
		}
		return byName, names
	}
	old, oldNames := index(before)
	now, names := index(after)
	var out []Change
	for _, key := range names {
		was, there := old[key]
		switch {
		case !there:
			out = append(out, Change{"added", what, key, place(now[key])})
		case text(was) != text(now[key]):
			out = append(out, Change{"changed", what, key, place(now[key])})
		}
	}
	for _, key := range oldNames {
		if _, there := now[key]; !there {
			out = append(out, Change{"removed", what, key, place(old[key])})
		}
	}
	return out
}

// text is a canonical form to compare by.
func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // documents are made of texts, numbers and dates
	}
	return string(raw)
}
