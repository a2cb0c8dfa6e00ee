package lint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// DefaultDocURL is where the pages of Plimsoll's own rules are published.
const DefaultDocURL = "https://github.com/plimsoll-dev/plimsoll/blob/main/sdk/lint/rules/"

// Config is what Ops decides about a run, and the facts that were gathered for it. The zero value runs all rules with
// their defaults. It can be stored as JSON. [Run] only reads it.
type Config struct {
	// At is the time at which suppressions are judged; it is required when the file has one.
	At time.Time `json:"at,omitzero"`
	// Severity replaces the default severity of rules, by id.
	Severity map[string]finding.Severity `json:"severity,omitempty"`
	// Disable lists the ids of rules that do not run.
	Disable []string `json:"disable,omitempty"`
	// Inline governs suppressions written in the file itself.
	Inline Inline `json:"inline,omitzero"`
	// Bases are facts about the base images of stages, by stage index. Rules that would need a missing one judge what the
	// file alone says.
	Bases map[int]Base `json:"bases,omitempty"`
	// Images are names that mean an image in the catalog, such as "corp-base". No stage should take one.
	Images []string `json:"images,omitempty"`
	// Baseline has findings that were there before; they are marked as suppressed. Nil means none.
	Baseline *Baseline `json:"-"`
	// DocURL is the address that a rule's "ID.md" is appended to; default is [DefaultDocURL] for Plimsoll's own, none for
	// others.
	DocURL string `json:"docURL,omitempty"`
}

// Inline governs suppressions in the file: `# plimsoll:ignore DF2003 until=2027-01-31 reason` on the line above. The
// zero value allows them for the rules that are [Rule.Suppressible], with a reason and an end, and does not honour the
// comments of other tools.
type Inline struct {
	// Allow overrides [Rule.Suppressible], by rule id.
	Allow map[string]bool `json:"allow,omitempty"`
	// WithoutReason accepts suppressions that give no reason.
	WithoutReason bool `json:"withoutReason,omitempty"`
	// WithoutEnd accepts suppressions that have no until.
	WithoutEnd bool `json:"withoutEnd,omitempty"`
	// MaxDays is how many days ahead an until may lie; 0 means no limit.
	MaxDays int `json:"maxDays,omitempty"`
	// Hadolint honours `# hadolint ignore=DL3008` for rules that have the alias.
	Hadolint bool `json:"hadolint,omitempty"`
	// BuildKit honours `# check=skip=JSONArgsRecommended` for rules that have the alias.
	BuildKit bool `json:"buildkit,omitempty"`
}

// Base is what an image's config says about a stage that starts from it.
type Base struct {
	// OS is "linux" or "windows"; "" means linux.
	OS string `json:"os,omitempty"`
	// User is config.User as written there; "" means root.
	User string `json:"user,omitempty"`
	// WorkingDir is config.WorkingDir; "" means "/".
	WorkingDir string `json:"workingDir,omitempty"`
	// Shell is config.Shell; empty means the default of OS.
	Shell []string `json:"shell,omitempty"`
	// Env has the names of the variables that the base sets.
	Env []string `json:"env,omitempty"`
	// Healthcheck says that the base declares one.
	Healthcheck bool `json:"healthcheck,omitempty"`
}

// check refuses what would silently do nothing.
func (c Config) check(rules []Rule) error {
	ordered := true
	for i := range rules {
		if err := checkRule(&rules[i]); err != nil {
			return err
		}
		ordered = ordered && (i == 0 || rules[i-1].ID < rules[i].ID)
	}
	if !ordered { // those of package rules are, and a check for each file should cost nothing
		if id, ok := twice(rules); ok {
			return fmt.Errorf("rule %s: given twice", id)
		}
	}
	named := slices.Clone(c.Disable)
	for id, s := range c.Severity {
		named = append(named, id)
		if s < finding.Info || s > finding.Error {
			return fmt.Errorf("lint config: severity of %s is %d, not one of info, warning, error", id, int(s))
		}
	}
	for id := range c.Inline.Allow {
		named = append(named, id)
	}
	slices.Sort(named)
	for _, id := range named {
		if !slices.ContainsFunc(rules, func(r Rule) bool { return r.ID == id }) {
			return fmt.Errorf("lint config: names rule %s, which is not among the %d rules given", id, len(rules))
		}
	}
	return nil
}

// twice returns an id that two rules have.
func twice(rules []Rule) (string, bool) {
	ids := make(map[string]bool, len(rules))
	for _, r := range rules {
		if ids[r.ID] {
			return r.ID, true
		}
		ids[r.ID] = true
	}
	return "", false
}

func (c *Config) url(r *Rule) string {
	if c.DocURL != "" {
		return c.DocURL + r.ID + ".md"
	}
	if !strings.HasPrefix(r.ID, "DF") {
		return "" // one's own: no page of it is there
	}
	return DefaultDocURL + r.ID + ".md"
}
