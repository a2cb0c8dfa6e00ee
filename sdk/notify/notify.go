// Package notify tells people and machines what happened to a definition, an image or a fleet: an [Event] is taken by a
// [Notifier], routed by what Ops configured ([Config]) to the channels of a team, and sent there as a [Message].
//
// Package notify/outbox has the Notifier that most programs want: it writes an event down before anything is sent, sends
// it once for each team, tries again, and never loses one silently. Packages notify/cloudevents and notify/shoutrrr have
// channels. Taking an event costs one write to a local file, so that a dead channel neither fails nor slows a build.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Kind says what an event is about. It is the type attribute of a CloudEvent, subject and predicate in the past tense as
// in CDEvents (https://cdevents.dev), whose words are used where it has one for the thing.
type Kind string

// The kinds of event that Plimsoll's own packages emit. Others may be used.
const (
	// BaseMoved: a definition was built on another base than it asks for.
	BaseMoved Kind = "dev.plimsoll.base.moved.v1"
	// ChangeCreated and ChangeUpdated: a pull request with the change was opened, or brought up to date. CDEvents' "change".
	ChangeCreated Kind = "dev.plimsoll.change.created.v1"
	ChangeUpdated Kind = "dev.plimsoll.change.updated.v1"
	// IncidentDetected and IncidentResolved: a base was banned, and all that stands on it is safe again. CDEvents'
	// "incident".
	IncidentDetected Kind = "dev.plimsoll.incident.detected.v1"
	IncidentResolved Kind = "dev.plimsoll.incident.resolved.v1"
	// IncidentReported: how far a campaign or storm is; one summary for each team. CDEvents' "incident".
	IncidentReported Kind = "dev.plimsoll.incident.reported.v1"
	// ArtifactPublished: an image was replaced by a rebuilt one. CDEvents' "artifact".
	ArtifactPublished Kind = "dev.plimsoll.artifact.published.v1"
	// MessageUndelivered: a message to a channel was given up. It goes to the channels that Ops named for that.
	MessageUndelivered Kind = "dev.plimsoll.message.undelivered.v1"
)

// Project is whose definition an event is about. The zero value is nobody's: the event goes to Ops.
type Project struct {
	// Repository is the URL without credentials, Directory the definition's path in it, "." for its root.
	Repository string            `json:"repository,omitempty"`
	Directory  string            `json:"directory,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// Event is something that happened. Its texts are plain, without markup; what comes from outside must be printable.
type Event struct {
	// ID identifies the news: a second event with the same ID is told to nobody who was told of the first. It is made of
	// what is told, not of when: [ID] helps. Required, up to 200 bytes.
	ID   string    `json:"id"`
	Kind Kind      `json:"kind"`
	Time time.Time `json:"time"`
	// Project decides who is told. Teams, when there are any, name them instead.
	Project Project  `json:"project,omitzero"`
	Teams   []string `json:"teams,omitempty"`
	// Campaign joins the events of one ban.
	Campaign string `json:"campaign,omitempty"`
	// Title is one line: the subject of a mail. Required.
	Title string `json:"title"`
	// Text says more, in lines; Facts are names and values in the order to show them.
	Text  string `json:"text,omitempty"`
	Facts []Fact `json:"facts,omitempty"`
	// Patch is a change that git apply takes.
	Patch string `json:"patch,omitempty"`
	// Ask is whom to ask, and Link where there is more: a pull request, a page.
	Ask  string `json:"ask,omitempty"`
	Link string `json:"link,omitempty"`
	// Data is what machines read instead of the texts: the data of the CloudEvent, with fields fixed by the kind.
	Data json.RawMessage `json:"data,omitempty"`
}

// Fact is a line such as "commit: 4f2a...".
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Limits of events.
const (
	maxID    = 200
	maxTitle = 1000
	maxEvent = 4 << 20
)

// Check says what is wrong with an event, so that it is refused where it is made and not when it is sent.
func (e *Event) Check() error {
	switch {
	case e.ID == "" || len(e.ID) > maxID:
		return fmt.Errorf("an event needs an ID of 1 to %d bytes, this one has %d", maxID, len(e.ID))
	case e.Kind == "":
		return fmt.Errorf("event %s has no kind", e.ID)
	case e.Title == "" || len(e.Title) > maxTitle:
		return fmt.Errorf("event %s needs a title of 1 to %d bytes, this one has %d", e.ID, maxTitle, len(e.Title))
	case len(e.Text)+len(e.Patch)+len(e.Data) > maxEvent:
		return fmt.Errorf("event %s has more than %d bytes of text, patch and data; link to them", e.ID, maxEvent)
	case len(e.Data) > 0 && !json.Valid(e.Data):
		return fmt.Errorf("event %s: its data is not JSON", e.ID)
	}
	return nil
}

// Notifier takes events. Notify returns when the event is safe with it, not when it was sent, and is safe for concurrent
// use. An event that it has already taken is no error.
type Notifier interface {
	Notify(ctx context.Context, e Event) error
}

// Func is a function that is a [Notifier].
type Func func(context.Context, Event) error

// Notify calls f.
func (f Func) Notify(ctx context.Context, e Event) error { return f(ctx, e) }

// Message is what a channel sends: one event, or several in a digest.
type Message struct {
	// Key is the same for every attempt at this message, and for no other message: receivers that know it can drop what
	// they had before.
	Key string
	// Team is who is told; "" for channels that get everything.
	Team string
	// Subject is one line and Text the rest, for people.
	Subject, Text string
	// Events are what the message is about; at least one.
	Events []Event
}

// Channel sends messages to people or machines. Send returns nil when the other side has taken the message. It is safe for
// concurrent use, ends soon after ctx does, and its errors hold no secret of the channel's address.
type Channel interface {
	Send(ctx context.Context, m Message) error
}

// ChannelFunc is a function that is a [Channel].
type ChannelFunc func(context.Context, Message) error

// Send calls f.
func (f ChannelFunc) Send(ctx context.Context, m Message) error { return f(ctx, m) }

// ErrPermanent marks errors of a channel after which trying again is pointless: the address does not exist, the login is
// refused, the message is not understood.
var ErrPermanent = errors.New("trying again would not help")

// RetryAfterError is a channel's answer that it wants to be left alone for a while.
type RetryAfterError struct {
	After time.Duration
	Err   error
}

// Error is the text of Err and the time.
func (e *RetryAfterError) Error() string { return fmt.Sprintf("%v; not before %s", e.Err, e.After) }

// Unwrap returns Err.
func (e *RetryAfterError) Unwrap() error { return e.Err }
