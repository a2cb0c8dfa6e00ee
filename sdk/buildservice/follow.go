package buildservice

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
)

type followInput struct {
	ID   string `path:"id" maxLength:"64"`
	Last string `header:"Last-Event-ID" maxLength:"20" doc:"The last line that is known already"`
	// After is the same, for clients that can't set headers.
	After string `query:"after" maxLength:"20" doc:"The same as Last-Event-ID, which counts more"`
}

// writeLimit is how long a follower may take for what it is sent. One that does not read is let go, and may come back
// with its Last-Event-ID.
const writeLimit = 30 * time.Second

func (s *Service) follow(ctx context.Context, in *followInput) (*huma.StreamResponse, error) {
	b, err := s.build(ctx, in.ID, callers.Read)
	if err != nil {
		return nil, err
	}
	last := in.Last
	if last == "" {
		last = in.After
	}
	var after int64
	if last != "" {
		if after, err = strconv.ParseInt(last, 10, 64); err != nil || after < 0 {
			return nil, huma.Error422UnprocessableEntity("Last-Event-ID is the number of a line")
		}
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		s.events(r, w, b.ID, after)
	}}, nil
}

// events sends a build's log as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (s *Service) events(r *http.Request, w http.ResponseWriter, id string, after int64) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies pass it on at once
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the request is read; the connection stays
	var buf bytes.Buffer
	buf.WriteString("retry: 1000\n\n")
	err := s.feeds.Follow(r.Context(), id, after, s.opts.Limits.Idle, func(lines []api.Line, end *api.End) error {
		for _, l := range lines {
			event(&buf, "line", l.Seq, l)
			if buf.Len() > 32<<10 {
				if err := send(control, w, &buf); err != nil {
					return err
				}
			}
		}
		switch {
		case end != nil:
			event(&buf, "end", 0, end)
		case len(lines) == 0:
			buf.WriteString(": still here\n\n")
		}
		return send(control, w, &buf)
	})
	if err != nil && r.Context().Err() == nil {
		s.log.DebugContext(r.Context(), "a follower was let go", "build", id, "error", err)
	}
}

func event(buf *bytes.Buffer, name string, id int64, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		return // plain data
	}
	if id > 0 {
		fmt.Fprintf(buf, "id: %d\n", id)
	}
	fmt.Fprintf(buf, "event: %s\ndata: %s\n\n", name, text)
}

func send(control *http.ResponseController, w http.ResponseWriter, buf *bytes.Buffer) error {
	_ = control.SetWriteDeadline(time.Now().Add(writeLimit)) //nolint:forbidigo // the connection's own clock
	if _, err := w.Write(buf.Bytes()); err != nil {
		return err
	}
	buf.Reset()
	return control.Flush()
}
