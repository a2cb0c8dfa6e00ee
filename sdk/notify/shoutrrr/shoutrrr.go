// Package shoutrrr is a [notify.Channel] for people: mail, Slack, Teams, Mattermost, Matrix, ntfy and some twenty more, by
// an address such as slack://... or smtp://.... The forms are those of https://shoutrrr.nickfedor.com/services/overview.
package shoutrrr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

// Channel sends to one address. It is safe for concurrent use.
//
// Many of shoutrrr's services look at no context and some have no time limit: Send returns when ctx ends, and leaves the
// service's call behind, to end when its connection does.
type Channel struct {
	address string
	redact  *notify.Redactor
}

// loggingIn are services that log in when they read their address: it is checked with the first message.
var loggingIn = []string{"matrix"}

// New makes a channel of an address, which it checks and never prints.
func New(address string) (*Channel, error) {
	c := &Channel{address: address, redact: notify.NewRedactor(address)}
	if err := notify.CheckAddress(address); err != nil {
		return nil, err
	}
	scheme, _, err := (&router.ServiceRouter{}).ExtractServiceName(address)
	if err != nil {
		return nil, errors.New("its url can't be read as one")
	}
	if _, err := (&router.ServiceRouter{}).NewService(scheme); err != nil {
		services := (&router.ServiceRouter{}).ListServices()
		slices.Sort(services)
		return nil, fmt.Errorf("%s: shoutrrr has no service of this name; it has %s", c.redact.Name(), strings.Join(services, ", "))
	}
	if !slices.Contains(loggingIn, strings.ToLower(scheme)) {
		if _, err := c.service(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// service reads the address anew: services keep the parameters of their last message.
func (c *Channel) service() (types.Service, error) {
	r, err := router.New(log.New(io.Discard, "", 0))
	if err != nil {
		return nil, err
	}
	service, err := r.Locate(c.address)
	if err != nil {
		return nil, fmt.Errorf("%s is no address of this service: %w", c.redact.Name(), c.redact.Error(err))
	}
	return service, nil
}

// Send sends the message's subject as title, and its text.
func (c *Channel) Send(ctx context.Context, m notify.Message) error {
	done := make(chan error, 1)
	go func() { done <- c.send(m) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", c.redact.Name(), context.Cause(ctx))
	}
}

func (c *Channel) send(m notify.Message) (err error) {
	defer func() {
		if recover() != nil { // what it says may hold the address
			err = fmt.Errorf("%s: the service panicked", c.redact.Name())
		}
	}()
	service, err := c.service()
	if err != nil {
		return err
	}
	params := types.Params{}
	params.SetTitle(m.Subject)
	text := m.Text
	if text == "" {
		text = m.Subject
	}
	if err := service.Send(text, &params); err != nil {
		return c.judge(err)
	}
	return nil
}

// refusal finds the statuses after which a service will not change its mind, in the words that shoutrrr's services use.
var refusal = regexp.MustCompile(`(?i)\b(?:(?:status|code|response|http)\D{0,20}(?:400|401|403|404|405|410|413|422)\b` +
	`|(?:400 bad request|401 unauthorized|403 forbidden|404 not found|410 gone|422 unprocessable))`)

// judge hides the address, and tells refusals from failures by the status that services put into their errors.
func (c *Channel) judge(err error) error {
	hidden := fmt.Errorf("%s: %w", c.redact.Name(), c.redact.Error(err))
	if _, network := errors.AsType[*url.Error](err); network {
		return hidden
	}
	if refusal.MatchString(err.Error()) {
		return fmt.Errorf("%w: %w", notify.ErrPermanent, hidden)
	}
	return hidden
}
