package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
)

// Follow calls f with each line of a build's log after a number, as it comes, and returns how the build ended. A
// connection that breaks is made again; no line comes twice or is left out. An error of f ends it.
func (c *Client) Follow(ctx context.Context, id string, after int64, f func(api.Line) error) (*api.End, error) {
	for broken := 0; ; {
		header := http.Header{"Accept": {"text/event-stream"}}
		if after > 0 {
			header.Set("Last-Event-ID", strconv.FormatInt(after, 10))
		}
		answer, err := c.do(ctx, http.MethodGet, "/v1/builds/"+url.PathEscape(id)+"/logs", nil, header)
		if err != nil {
			return nil, err
		}
		before := after
		end, err := events(answer, &after, f)
		switch stopped, isStopped := errors.AsType[*stoppedError](err); {
		case end != nil:
			return end, nil
		case isStopped:
			return nil, stopped.err
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
		if broken++; after > before {
			broken = 0
		}
		if broken > max(c.opts.Retries, 0) {
			return nil, errors.Join(ErrLogBroke, err)
		}
		if err := sleep(ctx, c.opts.Backoff); err != nil {
			return nil, err
		}
	}
}

// stoppedError is an error of the caller's function.
type stoppedError struct{ err error }

func (e *stoppedError) Error() string { return e.err.Error() }

// maxEvent limits a line of the stream.
const maxEvent = 1 << 20

// events reads server-sent events, so far as the service sends them: one line of data each.
func events(answer *http.Response, after *int64, f func(api.Line) error) (*api.End, error) {
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	var name string
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case field == "event":
			name = value
		case field == "data" && name == "line":
			var l api.Line
			if err := json.Unmarshal([]byte(value), &l); err != nil {
				return nil, fmt.Errorf("a line of the log: %w", err)
			}
			if l.Seq <= *after {
				continue
			}
			if err := f(l); err != nil {
				return nil, &stoppedError{err}
			}
			*after = l.Seq
		case field == "data" && name == "end":
			var end api.End
			if err := json.Unmarshal([]byte(value), &end); err != nil {
				return nil, fmt.Errorf("the end of the log: %w", err)
			}
			return &end, nil
		}
	}
	return nil, lines.Err()
}

// Wait returns a build when it is over, asking now and then. Follow does the same and shows more.
func (c *Client) Wait(ctx context.Context, id string) (*api.Build, error) {
	for wait := c.opts.Backoff; ; wait = min(2*wait, 10*time.Second) {
		b, err := c.Get(ctx, id)
		if err != nil || b.State.Final() {
			return b, err
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}
