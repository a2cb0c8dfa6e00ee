// Package cloudevents is a [notify.Channel] for machines: each event is posted as a CloudEvent 1.0 over HTTP in binary
// mode, as https://github.com/cloudevents/spec (HTTP protocol binding 1.0.2) has it.
//
// The event's ID is the CloudEvent's id, its kind the type, the repository the source and its directory the subject; the
// data are the event's Data, or the event itself as JSON where it has none. The attributes plimsollteam, plimsollkey and
// plimsollcampaign are extensions. A receiver that has seen source and id before has seen the event before.
package cloudevents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

// Options of a [Channel]. The zero value is useful.
type Options struct {
	// Source is the CloudEvents source of events that are about no repository. Default: "plimsoll".
	Source string
	// Headers are sent along, such as Authorization.
	Headers map[string]string
	// Client sends. Redirects are not followed, since they would take the headers with them. Default: one with Go's
	// default transport.
	Client *http.Client
}

// Channel posts events to one URL. It is safe for concurrent use.
type Channel struct {
	target  string
	opts    Options
	client  http.Client
	redact  *notify.Redactor
	headers http.Header
}

// New makes a channel that posts to an http or https URL.
func New(target string, opts Options) (*Channel, error) {
	if err := notify.CheckAddress(target); err != nil {
		return nil, err
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s: CloudEvents go to an http or https URL", notify.Redact(target))
	}
	if opts.Source == "" {
		opts.Source = "plimsoll"
	}
	c := &Channel{target: target, opts: opts, redact: notify.NewRedactor(target), headers: http.Header{}}
	if opts.Client != nil {
		c.client = *opts.Client
	}
	c.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for name, value := range opts.Headers {
		c.headers.Set(name, value)
	}
	return c, nil
}

// Machines says that events should come one by one.
func (c *Channel) Machines() bool { return true }

// Send posts the message's events, one after the other.
func (c *Channel) Send(ctx context.Context, m notify.Message) error {
	for _, e := range m.Events {
		if err := c.post(ctx, m, e); err != nil {
			return err
		}
	}
	return nil
}

func (c *Channel) post(ctx context.Context, m notify.Message, e notify.Event) error {
	ce, err := convert(m, e, c.opts.Source)
	if err != nil {
		return fmt.Errorf("%w: %w", notify.ErrPermanent, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.target, http.NoBody)
	if err != nil {
		return c.redact.Error(err)
	}
	if err := cehttp.WriteRequest(ctx, binding.ToMessage(ce), req); err != nil {
		return fmt.Errorf("%w: event %s is no CloudEvent: %w", notify.ErrPermanent, e.ID, err)
	}
	maps.Copy(req.Header, c.headers)
	resp, err := c.client.Do(req)
	if err != nil {
		return c.redact.Error(err)
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // an error's text; the status decides
	return c.judge(resp, string(said))
}

// judge says what the answer means, as the CloudEvents webhook specification (section 2.2) does.
func (c *Channel) judge(resp *http.Response, said string) error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	err := fmt.Errorf("%s answers %s", c.redact.Name(), resp.Status)
	if said != "" {
		err = fmt.Errorf("%w: %s", err, strconv.Quote(c.redact.Text(said)))
	}
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		if after := retryAfter(resp); after > 0 {
			return &notify.RetryAfterError{After: after, Err: err}
		}
		return err
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly || code >= 500:
		return err
	case code/100 == 3:
		return fmt.Errorf("%w: %w; redirects are not followed, name the URL itself", notify.ErrPermanent, err)
	default:
		return fmt.Errorf("%w: %w", notify.ErrPermanent, err)
	}
}

func retryAfter(resp *http.Response) time.Duration {
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	sent, dateErr := http.ParseTime(resp.Header.Get("Date"))
	if err != nil || dateErr != nil {
		return 0
	}
	return at.Sub(sent) // both by the server's clock
}

// convert makes the CloudEvent.
func convert(m notify.Message, e notify.Event, source string) (*event.Event, error) {
	ce := event.New(event.CloudEventsVersionV1)
	ce.SetID(e.ID)
	ce.SetType(string(e.Kind))
	ce.SetTime(e.Time)
	ce.SetSource(source)
	if e.Project.Repository != "" {
		ce.SetSource(uriReference(e.Project.Repository))
		ce.SetSubject(e.Project.Directory)
	}
	ce.SetExtension("plimsollkey", m.Key)
	if m.Team != "" {
		ce.SetExtension("plimsollteam", m.Team)
	}
	if e.Campaign != "" {
		ce.SetExtension("plimsollcampaign", e.Campaign)
	}
	var data any = e.Data
	if len(e.Data) == 0 {
		data = e
	}
	if err := ce.SetData(event.ApplicationJSON, data); err != nil {
		return nil, err
	}
	return &ce, errors.Join(ce.Validate())
}

// uriReference makes a URI reference of a repository's name, which may also be a path or user@host:path.
func uriReference(repository string) string {
	if u, err := url.Parse(repository); err == nil {
		return u.String()
	}
	return (&url.URL{Path: repository}).String()
}
