package admission

import (
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// The rules of this package. Ids are never reused and never renumbered.
const (
	RuleBanned       = "AD1001"
	RuleBanAnnounced = "AD1002"
	RuleUnknown      = "AD1003"
	RuleEvidence     = "AD1004"
	RuleUnidentified = "AD1005"
	RuleNoBundle     = "AD1006"
	RuleExpired      = "AD1007"
	RuleClock        = "AD1008"
	RulePermit       = "AD1009"
	RulePermitBad    = "AD1010"
	RuleTag          = "AD1011"
	RuleRequest      = "AD1012"
)

// Rule is one rule of this package.
type Rule struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Severity is that of its findings, unless the policy makes them warnings.
	Severity finding.Severity `json:"severity"`
}

// Rules returns all rules of this package in the order of their ids.
func Rules() []Rule { return slices.Clone(rules[:]) }

var rules = [...]Rule{
	{RuleBanned, "image is banned", finding.Error},
	{RuleBanAnnounced, "image will be banned", finding.Warning},
	{RuleUnknown, "image is not known", finding.Error},
	{RuleEvidence, "image lacks evidence that the policy demands", finding.Error},
	{RuleUnidentified, "image can't be identified by a digest", finding.Error},
	{RuleNoBundle, "there is no deny bundle to decide by", finding.Error},
	{RuleExpired, "the deny bundle has expired", finding.Error},
	{RuleClock, "the clock was set back", finding.Warning},
	{RulePermit, "started by a break-glass permit", finding.Warning},
	{RulePermitBad, "a break-glass permit that can't be used", finding.Error},
	{RuleTag, "image is named by a tag, which may move", finding.Error},
	{RuleRequest, "the request can't be understood", finding.Error},
}
