package lint

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Suppression is a comment that asks not to count findings.
type Suppression struct {
	// Tool is whose comment it is: "plimsoll", "hadolint" or "buildkit".
	Tool string
	// IDs are the rules it names, in the words of its tool.
	IDs []string
	// Until is the last day on which it holds (UTC), zero when it names none; Reason is what its author wrote.
	Until  time.Time
	Reason string
	// Word is the comment or directive.
	Word definition.Word
	// State says whether it holds.
	State State
	// Err says why it does not hold, when State is Malformed or Refused.
	Err error
	// Used has the ids that suppressed something; rules that run Last see it.
	Used []string

	first, last int // the lines it speaks for; the whole file when last is 0
}

// State is what became of a suppression.
type State int

// The states of a suppression.
const (
	Active    State = iota + 1 // it suppresses findings
	Malformed                  // it can't be read, or names no rule of this run
	Expired                    // its until has passed
	Refused                    // the configuration does not allow it
	Ignored                    // it is another tool's, and those are not honoured
)

// errNoTime makes a file with suppressions unanswerable when nobody said what time it is.
var errNoTime = errors.New("lint config: At is unset, so whether suppressions have ended can't be known; set it to the time of the run")

var idPattern = regexp.MustCompile(`^[A-Z]{2}[0-9]{4}$`)

// parseSuppressions finds all suppressions of the file and decides which hold.
func (p *Pass) parseSuppressions(rules []Rule) error {
	for i, c := range p.File.Comments {
		s := parseComment(c)
		if s == nil {
			continue
		}
		if !strings.HasPrefix(c.Text, "hadolint global ") {
			s.first, s.last = p.speaksFor(i)
		}
		p.Suppressions = append(p.Suppressions, s)
	}
	if d, ok := p.File.Directive("check"); ok {
		if skip := skipped(d.Value.Text); len(skip) > 0 {
			p.Suppressions = append(p.Suppressions, &Suppression{Tool: "buildkit", IDs: skip, Reason: "check=" + d.Value.Text, Word: d.Value})
		}
	}
	for _, s := range p.Suppressions {
		if s.Tool == "plimsoll" && p.cfg.At.IsZero() {
			return errNoTime
		}
		p.cfg.Inline.judge(s, rules, p.cfg.At)
	}
	return nil
}

// parseComment reads a comment of any of the tools; it returns nil for an ordinary one.
func parseComment(c definition.Comment) *Suppression {
	word := definition.Word{Text: c.Text, Start: c.Start, End: c.End}
	if text, ok := strings.CutPrefix(c.Text, "plimsoll:"); ok {
		s := &Suppression{Tool: "plimsoll", Word: word}
		s.parse(text)
		return s
	}
	if text, ok := strings.CutPrefix(c.Text, "hadolint "); ok {
		text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "global "))
		if ids, ok := strings.CutPrefix(text, "ignore="); ok {
			return &Suppression{Tool: "hadolint", IDs: splitList(ids), Reason: c.Text, Word: word}
		}
	}
	return nil
}

// parse reads `ignore DF2003,DF2004 until=2027-01-31 reason`.
func (s *Suppression) parse(text string) {
	fields := strings.Fields(text)
	if len(fields) == 0 || fields[0] != "ignore" {
		s.Err = fmt.Errorf("plimsoll:%s is not known; the form is \"# plimsoll:ignore DF5002 until=2027-01-31 reason\"", text)
		return
	}
	fields = fields[1:]
	for len(fields) > 0 && idPattern.MatchString(strings.Trim(strings.Split(fields[0], ",")[0], ",")) {
		s.IDs = append(s.IDs, splitList(fields[0])...)
		fields = fields[1:]
	}
	if len(s.IDs) == 0 {
		s.Err = errors.New("it names no rule; write its id after ignore, such as DF5002")
		return
	}
	if len(fields) > 0 && strings.HasPrefix(fields[0], "until=") {
		day := strings.TrimPrefix(fields[0], "until=")
		until, err := time.Parse(time.DateOnly, day)
		if err != nil {
			s.Err = fmt.Errorf("until=%s is not a date such as 2027-01-31", day)
			return
		}
		s.Until, fields = until, fields[1:]
	}
	s.Reason = strings.Join(fields, " ")
}

func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

// skipped reads the names after skip= of a check directive.
func skipped(text string) []string {
	for part := range strings.SplitSeq(text, ";") {
		if names, ok := strings.CutPrefix(strings.TrimSpace(part), "skip="); ok {
			return splitList(names)
		}
	}
	return nil
}

// speaksFor returns the lines that comment i is written for: the instruction or continuation line right below it and the
// comments that follow it.
func (p *Pass) speaksFor(i int) (first, last int) {
	line := p.File.Comments[i].Start.Line + 1
	for _, c := range p.File.Comments[i+1:] {
		if c.Start.Line != line {
			break
		}
		line++
	}
	for _, in := range p.File.Instructions {
		if in.Start.Line == line {
			return line, in.End.Line
		}
	}
	return line, line
}

// judge decides whether a suppression holds.
func (c Inline) judge(s *Suppression, rules []Rule, at time.Time) {
	switch {
	case s.Tool == "hadolint" && !c.Hadolint, s.Tool == "buildkit" && !c.BuildKit:
		s.State = Ignored
	case s.Tool != "plimsoll":
		s.State = Active
	case s.Err != nil:
		s.State = Malformed
	default:
		s.State, s.Err = c.own(s, rules, at)
	}
}

// own judges a suppression of Plimsoll's own form.
func (c Inline) own(s *Suppression, rules []Rule, at time.Time) (State, error) {
	for _, id := range s.IDs {
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
		if i < 0 {
			return Malformed, fmt.Errorf("%s is not a lint rule of this run; what the catalog decides needs an exception there", id)
		}
		if !c.allows(rules[i]) {
			return Refused, fmt.Errorf("%s may not be suppressed in the file; ask the owner of the policy for an exception", id)
		}
	}
	if s.Reason == "" && !c.WithoutReason {
		return Malformed, errors.New("it gives no reason; write one after the ids and until=")
	}
	if s.Until.IsZero() {
		if !c.WithoutEnd {
			return Malformed, errors.New("it has no end; write until=YYYY-MM-DD after the ids")
		}
		return Active, nil
	}
	end := s.Until.AddDate(0, 0, 1)
	if !at.Before(end) {
		return Expired, nil
	}
	if limit := at.AddDate(0, 0, c.MaxDays); c.MaxDays > 0 && s.Until.After(limit) {
		return Refused, fmt.Errorf("it ends on %s; at most %d days ahead are allowed, that is %s",
			s.Until.Format(time.DateOnly), c.MaxDays, limit.Format(time.DateOnly))
	}
	return Active, nil
}

func (c Inline) allows(r Rule) bool {
	if allowed, ok := c.Allow[r.ID]; ok {
		return allowed && !r.Last
	}
	return r.Suppressible && !r.Last
}

// suppress marks the findings that active suppressions are for.
func (p *Pass) suppress(rules []Rule) {
	if len(p.Suppressions) == 0 {
		return
	}
	named := p.reportsByName(rules)
	for _, s := range p.Suppressions {
		if s.State != Active {
			continue
		}
		for _, id := range s.IDs {
			for _, report := range named[s.Tool+":"+id] {
				f := &report.finding
				if f.Suppressed != nil || !s.covers(f.Place) {
					continue
				}
				f.Suppressed = &finding.Suppression{Kind: "inline", Reason: s.Reason, Until: s.Until}
				if !slices.Contains(s.Used, id) {
					s.Used = append(s.Used, id)
				}
			}
		}
	}
}

// reportsByName lists the reports that may be suppressed under every name by which a suppression can mean their rule,
// with the tool in front: "plimsoll:DF5002", "hadolint:DL3014", "buildkit:all".
func (p *Pass) reportsByName(rules []Rule) map[string][]*Report {
	names := make(map[string][]string, len(rules))
	for _, r := range rules {
		if !p.cfg.Inline.allows(r) {
			continue
		}
		names[r.ID] = append([]string{"plimsoll:" + r.ID}, r.Aliases...)
		if slices.ContainsFunc(r.Aliases, func(a string) bool { return strings.HasPrefix(a, "buildkit:") }) {
			names[r.ID] = append(names[r.ID], "buildkit:all")
		}
	}
	named := map[string][]*Report{}
	for _, report := range p.reports {
		for _, name := range names[report.finding.Rule] {
			named[name] = append(named[name], report)
		}
	}
	return named
}

func (s *Suppression) covers(p finding.Place) bool {
	return s.last == 0 || s.first <= p.Start.Line && p.Start.Line <= s.last
}
