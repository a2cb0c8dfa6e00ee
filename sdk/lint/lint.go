// Package lint judges parsed container definitions against rules. A rule is a plain value ([Rule]) with its check, its
// documentation page and its defaults; what a rule may see is a [Pass] and nothing else: no network, clock, disk or
// environment.
//
// Most callers need one call:
//
//	findings, err := lint.Run(file, rules.All(), lint.Config{At: now})
//
// Package rules has the rules of Plimsoll, package linttest tests rules, one's own among them. [Fix] applies the fixes
// that findings carry, and a [Baseline] lets old findings pass while new ones fail.
//
// Within a major version the exported names stay, rule ids are never reused or renumbered, and a rule's default severity
// is raised only with an entry in the change log.
package lint

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Rule is one check of a definition. It holds no state and may be copied; its Run may be called concurrently.
type Rule struct {
	// ID is two upper-case letters and four digits, such as DF2001. It is what configurations and suppressions name.
	ID string
	// Name says the same in words, in lower case with dashes: pipe-to-shell.
	Name string
	// Title is one line that says what is wrong: "download piped into an interpreter".
	Title string
	// Group is the chapter of the rule index.
	Group Group
	// Severity is the default; [Config] may change it.
	Severity finding.Severity
	// Suppressible says whether a comment in the file may suppress the rule's findings by default.
	Suppressible bool
	// Aliases are the rules of other tools that report the same, as "hadolint:DL3008" or "buildkit:StageNameCasing".
	// They decide what an honoured comment of those tools suppresses.
	Aliases []string
	// Fixes says that some findings carry a fix.
	Fixes bool
	// SameBuild says that the fixes change nothing in what is built.
	SameBuild bool
	// Doc is the page in Markdown, with the sections that [Validate] asks for.
	Doc string
	// Last has the rule run after suppressions were matched with the findings of the other rules, so that it sees which
	// are used ([Pass.Suppressions]). The findings of such a rule cannot be suppressed.
	Last bool
	// Run reports what it finds to the pass.
	Run func(*Pass)
}

// Group is a chapter of the rule index.
type Group string

// The groups of rules.
const (
	Bases        Group = "bases"
	SupplyChain  Group = "supply chain"
	Secrets      Group = "secrets"
	Users        Group = "users and permissions"
	Packages     Group = "packages"
	Instructions Group = "instructions and efficiency"
)

// Groups returns all groups in the order of the rule index.
func Groups() []Group { return []Group{Bases, SupplyChain, Secrets, Users, Packages, Instructions} }

// The size of a file that [Run] judges. Rules compare instructions and commands with each other; of four thousand
// Dockerfiles from public repositories the largest had 254 instructions and 423 commands.
const (
	MaxInstructions = 5_000
	MaxCommands     = 10_000
)

// ErrTooLarge says that the file has more instructions or commands than [Run] judges.
var ErrTooLarge = errors.New("file is too large to be judged")

// Run judges the file by all rules that the configuration does not disable. The findings are sorted ([finding.Sort]);
// suppressed ones are among them, marked. An error means that the rules or the configuration are unusable and nothing
// was judged.
func Run(file *definition.File, rules []Rule, cfg Config) ([]finding.Finding, error) {
	if err := cfg.check(rules); err != nil {
		return nil, err
	}
	if n := len(file.Instructions); n > MaxInstructions {
		return nil, fmt.Errorf("%s: %w: %d instructions, the limit is %d", file.Name, ErrTooLarge, n, MaxInstructions)
	}
	pass := newPass(file, cfg)
	if n := pass.countCommands(); n > MaxCommands {
		return nil, fmt.Errorf("%s: %w: %d commands in its scripts, the limit is %d", file.Name, ErrTooLarge, n, MaxCommands)
	}
	if err := pass.parseSuppressions(rules); err != nil {
		return nil, fmt.Errorf("%s: %w", file.Name, err)
	}
	for _, last := range []bool{false, true} {
		for i := range rules {
			if r := &rules[i]; r.Last == last && !slices.Contains(cfg.Disable, r.ID) {
				pass.run(r)
			}
		}
		if !last {
			pass.suppress(rules)
		}
	}
	findings := finding.Sort(pass.findings())
	if cfg.Baseline != nil {
		cfg.Baseline.mark(file, findings)
	}
	return findings, nil
}

// run has one rule report, and completes what it reported.
func (p *Pass) run(r *Rule) {
	first := len(p.reports)
	r.Run(p)
	severity := r.Severity
	if s, ok := p.cfg.Severity[r.ID]; ok {
		severity = s
	}
	for _, report := range p.reports[first:] {
		report.finding.Rule = r.ID
		report.finding.Severity = severity
		report.finding.Secret = r.Group == Secrets
		report.finding.URL = p.cfg.url(r)
	}
}

// checkRule refuses a rule that can't be used.
func checkRule(r *Rule) error {
	if r.Run == nil {
		return fmt.Errorf("rule %s: it has no Run", r.ID)
	}
	if r.Severity < finding.Info || r.Severity > finding.Error {
		return fmt.Errorf("rule %s: its default severity is unset; use finding.Info, Warning or Error", r.ID)
	}
	return nil
}
