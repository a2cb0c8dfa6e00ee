package cloudevents_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/cloudevents"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func message() notify.Message {
	return notify.Message{Key: "k1", Team: "pay", Events: []notify.Event{
		{
			ID: "1", Kind: notify.BaseMoved, Time: at, Title: "moved", Campaign: "c-7", Data: json.RawMessage(`{"moves":[1]}`),
			Project: notify.Project{Repository: "https://git.example/pay/api", Directory: "services/a"},
		},
		{ID: "2", Kind: notify.ChangeCreated, Time: at, Title: "opened", Project: notify.Project{Repository: "git@git.example:pay/api"}},
		{ID: "3", Kind: notify.IncidentReported, Time: at, Title: "summary"},
	}}
}

// What is sent is read back with the receiver's side of the CloudEvents library.
func TestSendsCloudEvents(t *testing.T) {
	var got []event.Event
	var headers []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, err := cehttp.NewEventFromHTTPRequest(r)
		if err != nil {
			t.Error(err)
			return
		}
		got, headers = append(got, *e), append(headers, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusAccepted)
	}))
	defer srv.Close()
	c, err := cloudevents.New(srv.URL+"/hook", cloudevents.Options{Headers: map[string]string{"Authorization": "Bearer t"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || headers[0] != "Bearer t" {
		t.Fatalf("%v %v", got, headers)
	}
	e := got[0]
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	facts := []string{
		e.SpecVersion(), e.ID(), e.Type(), e.Source(), e.Subject(), e.DataContentType(), e.Time().Format(time.RFC3339), string(e.Data()),
		fmt.Sprint(e.Extensions()),
	}
	want := []string{
		"1.0", "1", "dev.plimsoll.base.moved.v1", "https://git.example/pay/api", "services/a", "application/json", "2026-01-02T03:04:05Z", `{"moves":[1]}`,
		"map[plimsollcampaign:c-7 plimsollkey:k1 plimsollteam:pay]",
	}
	if diff := cmp.Diff(want, facts); diff != "" {
		t.Error(diff)
	}
	if got[1].Source() != "git@git.example:pay/api" && got[1].Source() != "./git@git.example:pay/api" || got[2].Source() != "plimsoll" {
		t.Errorf("sources %q and %q", got[1].Source(), got[2].Source())
	}
	var whole notify.Event
	if err := got[2].DataAs(&whole); err != nil || whole.Title != "summary" {
		t.Errorf("data of an event without: %+v %v", whole, err)
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name      string
		status    int
		header    string
		permanent bool
		after     time.Duration
	}{
		{"not found", 404, "", true, 0},
		{"unauthorized", 401, "", true, 0},
		{"gone", 410, "", true, 0},
		{"a redirect", 302, "", true, 0},
		{"too early", 425, "", false, 0},
		{"out of order", 500, "", false, 0},
		{"too many", 429, "120", false, 2 * time.Minute},
		{"down until a time", 503, "Fri, 02 Jan 2026 04:04:05 GMT", false, time.Hour},
		{"down for no one knows how long", 503, "soon", false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", "Fri, 02 Jan 2026 03:04:05 GMT")
				w.Header().Set("Location", "https://elsewhere.example/")
				if tt.header != "" {
					w.Header().Set("Retry-After", tt.header)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, "I know "+r.URL.Path+" and \x1b[2J")
			}))
			defer srv.Close()
			c, err := cloudevents.New(srv.URL+"/hook/sekret-token", cloudevents.Options{})
			if err != nil {
				t.Fatal(err)
			}
			err = c.Send(t.Context(), message())
			if err == nil || errors.Is(err, notify.ErrPermanent) != tt.permanent {
				t.Errorf("%v; permanent should be %v", err, tt.permanent)
			}
			after := time.Duration(0)
			if wait, ok := errors.AsType[*notify.RetryAfterError](err); ok {
				after = wait.After
			}
			if after != tt.after {
				t.Errorf("wait %s, want %s", after, tt.after)
			}
			if strings.Contains(err.Error(), "sekret") || strings.Contains(err.Error(), "\x1b") || !strings.Contains(err.Error(), fmt.Sprint(tt.status)) {
				t.Error(err)
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // from then on the server sees that the client went away
		<-r.Context().Done()
	}))
	defer srv.Close()
	c, err := cloudevents.New(srv.URL+"/sekret-token", cloudevents.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Send(ctx, message()); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "sekret") {
		t.Error(err)
	}
	srv.Close()
	if err := c.Send(t.Context(), message()); err == nil || errors.Is(err, notify.ErrPermanent) || strings.Contains(err.Error(), "sekret") {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, target := range []string{"", "ftp://sekret-host/x", "http://events.example/sekret", "https:///sekret", "https://u:sekret@[::1"} {
		if _, err := cloudevents.New(target, cloudevents.Options{}); err == nil || strings.Contains(err.Error(), "sekret") {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func ExampleNew() {
	bus := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Header.Get("Ce-Type"), "about", r.Header.Get("Ce-Source"))
	}))
	defer bus.Close()
	channel, err := cloudevents.New(bus.URL, cloudevents.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = channel.Send(context.Background(), notify.Message{Events: []notify.Event{{
		ID: "1", Kind: notify.BaseMoved, Title: "moved", Project: notify.Project{Repository: "https://git.example/pay/api"},
	}}})
	fmt.Println(err)
	// Output:
	// dev.plimsoll.base.moved.v1 about https://git.example/pay/api
	// <nil>
}
