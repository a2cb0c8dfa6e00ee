package agent

import (
	"errors"
	"fmt"
	"io"
)

// WriteMetrics writes the status in Prometheus' text format
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
func (s Status) WriteMetrics(w io.Writer) error {
	var errs []error
	gauge := func(name, help string, value float64) {
		_, err := fmt.Fprintf(w, "# HELP plimsoll_bundle_%[1]s %[2]s\n# TYPE plimsoll_bundle_%[1]s gauge\nplimsoll_bundle_%[1]s{stream=%[3]q} %[4]g\n", name, help, s.Name, value)
		errs = append(errs, err)
	}
	flag := map[bool]float64{true: 1}
	gauge("version", "Version of the deny bundle, 0 if there is none.", float64(s.Version))
	gauge("denied", "Digests that the deny bundle denies.", float64(s.Denied))
	if s.Version > 0 {
		gauge("issued_timestamp_seconds", "When the deny bundle was made.", float64(s.Issued.Unix()))
		gauge("expires_timestamp_seconds", "Until when the deny bundle may be relied on.", float64(s.Expires.Unix()))
		gauge("stale_seconds", "How long ago the remote last said what the newest deny bundle is.", s.Stale)
	}
	gauge("expired", "Whether the deny bundle has expired.", flag[s.Expired])
	gauge("clock_behind_seconds", "By how much the clock is behind a time that was seen.", s.ClockBehind)
	gauge("failed_pulls", "Pulls that failed since the start.", float64(s.Errors))
	return errors.Join(errs...)
}
