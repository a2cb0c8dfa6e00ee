package catalog

import "time"

// Excepted returns the exception that takes a project out of a ban at a time, for those who ask about images that were
// built already. Of several the one that lasts longest counts. A condition that can't be evaluated is an error.
func (c *Catalog) Excepted(ban string, project Project, at time.Time) (e Exception, ok bool, err error) {
	for _, x := range c.exceptions {
		if x.Scope.Ban != ban || x.Until.ended(at) || !x.From.IsZero() && !x.From.begun(at) {
			continue
		}
		matches, err := x.project.matches(project)
		if err != nil {
			return Exception{}, false, err
		}
		if matches && (!ok || x.Until.End().After(e.Until.End())) {
			e, ok = x.Exception, true
		}
	}
	return e, ok, nil
}
