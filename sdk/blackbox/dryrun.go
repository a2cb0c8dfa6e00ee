package blackbox

import (
	"errors"
	"io/fs"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Check looks at features without an image and without running anything, as editors and hooks want it: it returns what
// is wrong with the files, and steps that nothing or more than one thing matches or that miss their table. Of the
// options, Tags, Steps and Params count. Paths are as in [Suite]. An error means that the features can't be read.
func Check(features fs.FS, paths []string, options Options) ([]finding.Finding, error) {
	library, err := newLibrary(options.Steps)
	if err != nil {
		return nil, err
	}
	files, err := readFeatures(features, paths)
	if err != nil {
		return nil, err
	}
	p, err := makePlan(files, options, library)
	if err != nil {
		return nil, err
	}
	findings := files.problems
	for _, s := range p.order {
		for i, err := range s.errs {
			if err == nil {
				continue
			}
			f := finding.Finding{Rule: ruleFailed, Severity: finding.Error, Place: s.result.Steps[i].Place, Message: s.result.Steps[i].Text + ": " + err.Error()}
			if match, ok := errors.AsType[*matchError](err); ok {
				f.Rule = map[Status]string{Undefined: ruleUndefined, Ambiguous: ruleAmbiguous}[match.status]
			}
			findings = append(findings, f)
		}
	}
	return finding.Sort(findings), nil
}
