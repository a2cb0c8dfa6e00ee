package buildservice

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
)

// metrics are the service's figures. Names have no caller, commit or reference in them: those have no end.
type metrics struct {
	builds   *prometheus.CounterVec
	runs     *prometheus.HistogramVec
	stages   *prometheus.HistogramVec
	requests *prometheus.HistogramVec
	denied   *prometheus.CounterVec
}

func newMetrics(s *Service) *metrics {
	m := &metrics{
		builds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_builds_total", Help: "Builds that ended, by project and state.",
		}, []string{"project", "state"}),
		runs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "plimsoll_build_run_seconds", Help: "How long a run of a build took.", Buckets: prometheus.ExponentialBuckets(0.5, 2, 14),
		}, []string{"project"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "plimsoll_stage_seconds", Help: "How long a stage of a delivery took.", Buckets: prometheus.ExponentialBuckets(0.01, 3, 11),
		}, []string{"stage"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "plimsoll_http_request_seconds", Help: "How long an answer took; logs, which are followed, are left out.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"route", "code"}),
		denied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_denied_total", Help: "Requests that were denied, by what kind of reason.",
		}, []string{"reason"}),
	}
	s.opts.Metrics.MustRegister(m.builds, m.runs, m.stages, m.requests, m.denied, waiting{s}, followers(s),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) ended(project string, state api.State) {
	m.builds.WithLabelValues(project, string(state)).Inc()
}

func (m *metrics) ran(project string, d time.Duration) {
	m.runs.WithLabelValues(project).Observe(d.Seconds())
}

func (m *metrics) stage(name string, d time.Duration) {
	m.stages.WithLabelValues(name).Observe(d.Seconds())
}

func followers(s *Service) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "plimsoll_log_followers", Help: "Who follows logs in this process.",
	}, func() float64 { return float64(s.feeds.Followers()) })
}

// waiting asks the database when it is asked, so that all processes say the same.
type waiting struct{ s *Service }

var waitingDesc = prometheus.NewDesc("plimsoll_builds", "Builds in the database, by state.", []string{"state"}, nil)

// Describe implements [prometheus.Collector].
func (waiting) Describe(to chan<- *prometheus.Desc) { to <- waitingDesc }

// Collect implements [prometheus.Collector].
func (w waiting) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	counts, err := w.s.store.Count(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(waitingDesc, err)
		return
	}
	for _, state := range []api.State{api.Queued, api.Running, api.Succeeded, api.Refused, api.Failed, api.Cancelled} {
		to <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(counts[state]), string(state))
	}
}

// Metrics serves the metrics in Prometheus' format, for an address that only Ops reaches: they name projects.
func (s *Service) Metrics() http.Handler {
	return promhttp.HandlerFor(s.opts.Metrics, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
