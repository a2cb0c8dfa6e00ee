package catalog

import "github.com/plimsoll-dev/plimsoll/sdk/finding"

// The rules of this package. Ids are never reused and never renumbered.
const (
	RuleNotListed    = "DF1001"
	RuleUnresolved   = "DF1002"
	RuleBanned       = "DF1003"
	RuleDeprecated   = "DF1004"
	RuleRetired      = "DF1005"
	RuleKind         = "DF1006"
	RulePlatform     = "DF1007"
	RulePinMismatch  = "DF1008"
	RuleTooYoung     = "DF1009"
	RuleTooOld       = "DF1010"
	RuleEndOfLife    = "DF1011"
	RuleMoved        = "DF1012"
	RuleMoveFailed   = "DF1013"
	RuleUnsigned     = "DF1014"
	RuleBanAnnounced = "DF1015"

	RuleHTTPNotListed = "DF1020"
	RuleHTTPUnpinned  = "DF1021"
	RuleGitNotListed  = "DF1022"
	RuleGitUnpinned   = "DF1023"
	RuleContext       = "DF1024"
	RuleArg           = "DF1025"
	RuleReservedArg   = "DF1026"

	RuleExceptionUsed   = "DF1030"
	RuleExceptionEnds   = "DF1031"
	RuleExceptionEnded  = "DF1032"
	RuleExceptionUnused = "DF1033"
	RuleExceptionIdle   = "DF1034"

	RuleNoSuchTarget   = "DF1040"
	RuleMatchesNothing = "DF1041"
	RuleCatalogBroken  = "DF1090"
	RuleCatalogTest    = "DF1091"
)

// Rule is one rule of this package.
type Rule struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Severity is that of its findings. Findings that deny are errors; for inputs of stages that the target does not need,
	// which BuildKit does not read, they are warnings.
	Severity finding.Severity `json:"severity"`
	// Doc says why the rule is there and what to do.
	Doc string `json:"doc"`
}

// Rules returns all rules of this package in the order of their ids.
func Rules() []Rule {
	out := make([]Rule, 0, len(rules))
	for _, r := range rules {
		out = append(out, Rule{r.id, r.title, r.severity, docs[r.id]})
	}
	return out
}

var rules = [...]struct {
	id, title string
	severity  finding.Severity
}{
	{RuleNotListed, "image is not in the catalog", finding.Error},
	{RuleUnresolved, "image reference is not resolved to a digest, or not readable", finding.Error},
	{RuleBanned, "image is banned", finding.Error},
	{RuleDeprecated, "base is deprecated", finding.Warning},
	{RuleRetired, "base was deprecated and its time is over", finding.Error},
	{RuleKind, "base is not for this use", finding.Error},
	{RulePlatform, "base is not for this platform", finding.Error},
	{RulePinMismatch, "tag and pinned digest are not the same image", finding.Error},
	{RuleTooYoung, "image is younger than its cool-down", finding.Error},
	{RuleTooOld, "image is older than the catalog allows", finding.Error},
	{RuleEndOfLife, "base is past its end of life", finding.Warning},
	{RuleMoved, "base is moved by the catalog", finding.Info},
	{RuleMoveFailed, "base should be moved and can't be", finding.Error},
	{RuleUnsigned, "image lacks the signature that the catalog wants", finding.Error},
	{RuleBanAnnounced, "image will be banned", finding.Warning},
	{RuleHTTPNotListed, "URL is not in the catalog", finding.Error},
	{RuleHTTPUnpinned, "download has no checksum", finding.Error},
	{RuleGitNotListed, "git repository is not in the catalog", finding.Error},
	{RuleGitUnpinned, "git source is not pinned to a commit", finding.Error},
	{RuleContext, "named context is not allowed", finding.Error},
	{RuleArg, "argument may not be part of an image reference", finding.Error},
	{RuleReservedArg, "build argument is reserved", finding.Error},
	{RuleExceptionUsed, "an exception allows this", finding.Info},
	{RuleExceptionEnds, "exception is about to end", finding.Warning},
	{RuleExceptionEnded, "exception has ended", finding.Warning},
	{RuleExceptionUnused, "exception is not used", finding.Info},
	{RuleExceptionIdle, "nothing can need the exception", finding.Warning},
	{RuleNoSuchTarget, "substitution leads to what no entry allows", finding.Warning},
	{RuleMatchesNothing, "no tag of the registry matches", finding.Warning},
	{RuleCatalogBroken, "catalog can't be used", finding.Error},
	{RuleCatalogTest, "the catalog decides otherwise than its test expects", finding.Error},
}

func severityOf(id string) finding.Severity {
	for _, r := range rules {
		if r.id == id {
			return r.severity
		}
	}
	return finding.Error
}
