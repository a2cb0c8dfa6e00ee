package report

import (
	"io"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// GitLab writes a code quality report (the artifact reports:codequality), which GitLab shows in merge requests.
// Suppressed findings are left out. An image stands where a file would, by its reference.
type GitLab struct{}

type gitlabIssue struct {
	Description string         `json:"description"`
	CheckName   string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"`
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path  string      `json:"path"`
	Lines gitlabLines `json:"lines"`
}

type gitlabLines struct {
	Begin int `json:"begin"`
	End   int `json:"end,omitempty"`
}

// Write implements [Format].
func (GitLab) Write(w io.Writer, r Report) error {
	r, err := r.check()
	if err != nil {
		return err
	}
	issues := []gitlabIssue{} // GitLab takes null for a broken report
	prints := fingerprints(r, newSource(r.Source))
	for i, f := range r.Findings {
		if f.Suppressed != nil {
			continue
		}
		issues = append(issues, gitlabIssue{
			Description: f.Message,
			CheckName:   f.Rule,
			Fingerprint: prints[i],
			Severity:    [...]string{finding.Info: "info", finding.Warning: "minor", finding.Error: "critical"}[f.Severity],
			Location: gitlabLocation{
				Path:  r.path(f.Place),
				Lines: gitlabLines{Begin: max(1, f.Place.Start.Line), End: f.Place.End.Line},
			},
		})
	}
	return writeJSON(w, issues)
}
