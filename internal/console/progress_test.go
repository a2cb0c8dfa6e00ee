package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

func TestPlainLinesWhereNobodyWatches(t *testing.T) {
	events := []pipeline.Event{
		{Stage: "build", State: pipeline.Started},
		{Stage: "build", State: pipeline.Progressed, Message: "[1/3] RUN go build\n"},
		{Stage: "build", State: pipeline.Done, Duration: 1234 * time.Millisecond},
		{Stage: "publish", State: pipeline.Failed, Duration: 5 * time.Millisecond},
	}
	for name, test := range map[string]struct {
		quiet bool
		want  string
	}{
		"plain": {false, "build      [1/3] RUN go build\nbuild      done in 1.2s\npublish    FAILED in 5ms\n"},
		"quiet": {true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			p := console.NewProgress(&out, test.quiet)
			for _, e := range events {
				p.Event(e)
			}
			p.Close()
			if out.String() != test.want {
				t.Errorf("got\n%s\nwant\n%s", out.String(), test.want)
			}
		})
	}
}
