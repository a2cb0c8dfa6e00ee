package pipeline

import (
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// Govern returns a configuration of lint in which comments suppress what the catalog says, whatever the configuration says
// about it; the configuration itself when the catalog says nothing, or is nil. Ids that the catalog has for rules of one's
// own that are not among the rules mean nothing here; one of Plimsoll's that does not exist makes [lint.Run] fail.
func Govern(cfg lint.Config, rules []lint.Rule, cat *catalog.Catalog) lint.Config {
	if cat == nil {
		return cfg
	}
	rule := cat.Inline()
	if rule == nil {
		return cfg
	}
	cfg.Inline = lint.Inline{Allow: map[string]bool{}, MaxDays: rule.MaxDays, Hadolint: rule.Hadolint, BuildKit: rule.BuildKit}
	set := func(ids []string, allowed bool) {
		for _, id := range ids {
			if strings.HasPrefix(id, "DF") || slices.ContainsFunc(rules, func(r lint.Rule) bool { return r.ID == id }) {
				cfg.Inline.Allow[id] = allowed
			}
		}
	}
	set(rule.Allow, true)
	set(rule.Forbid, false)
	return cfg
}
