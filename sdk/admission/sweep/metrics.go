package sweep

import (
	"errors"
	"fmt"
	"io"
)

// WriteMetrics writes the counts in Prometheus' text format
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
func (r *Report) WriteMetrics(w io.Writer) error {
	_, err := fmt.Fprintf(w, "# HELP plimsoll_instances Running instances by what the present deny bundle says of them.\n# TYPE plimsoll_instances gauge\n")
	errs := []error{err}
	for _, c := range []struct {
		outcome string
		count   int
	}{{"denied", r.Denied}, {"warned", r.Warned}, {"allowed", r.Allowed}} {
		_, err := fmt.Fprintf(w, "plimsoll_instances{outcome=%q} %d\n", c.outcome, c.count)
		errs = append(errs, err)
	}
	_, err = fmt.Fprintf(w, "# HELP plimsoll_sweep_unreached Places that could not be asked.\n# TYPE plimsoll_sweep_unreached gauge\nplimsoll_sweep_unreached %d\n", len(r.Unreached))
	return errors.Join(append(errs, err)...)
}
