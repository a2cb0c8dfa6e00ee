package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/outbox"
)

const config = `version: 1
ops: [ops]
channels: {ops: {secret: ops}, pay: {secret: pay, timeout: 2s}, web: {secret: web, digest: 1h}}
teams:
  pay: {channels: [pay], projects: [{repository: "https://git.example/pay/*"}]}
  web: {channels: [web], projects: [{repository: "https://git.example/web/*"}]}
`

// world is an outbox in a folder and what its channels got.
type world struct {
	t    *testing.T
	path string
	log  bytes.Buffer

	mu      sync.Mutex
	got     map[string][]notify.Message
	answers map[string]func(ctx context.Context, n int) error // by channel, for the nth message
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, path: filepath.Join(t.TempDir(), "out box?.db"), got: map[string][]notify.Message{}, answers: map[string]func(context.Context, int) error{}}
}

// machine is a channel that no person reads.
type machine struct{ notify.Channel }

func (machine) Machines() bool { return true }

func (w *world) channel(name string) notify.Channel {
	return notify.ChannelFunc(func(ctx context.Context, m notify.Message) error {
		w.mu.Lock()
		w.got[name] = append(w.got[name], m)
		n, answer := len(w.got[name]), w.answers[name]
		w.mu.Unlock()
		if answer != nil {
			return answer(ctx, n)
		}
		return nil
	})
}

func (w *world) messages(name string) []notify.Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got[name])
}

func (w *world) open(opts outbox.Options) *outbox.Outbox {
	w.t.Helper()
	cfg, err := notify.LoadConfig("notify.yaml", []byte(config))
	if err != nil {
		w.t.Fatal(err)
	}
	opts.Config, opts.Poll = cfg, 5*time.Minute
	opts.Log = slog.New(slog.NewTextHandler(&w.log, nil))
	if opts.Channels == nil {
		opts.Channels = map[string]notify.Channel{"ops": w.channel("ops"), "pay": w.channel("pay"), "web": w.channel("web")}
	}
	o, err := outbox.Open(w.t.Context(), w.path, opts)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func moved(id, team string) notify.Event {
	return notify.Event{
		ID: id, Kind: notify.BaseMoved, Title: "news " + id,
		Project: notify.Project{Repository: "https://git.example/" + team + "/api"},
	}
}

func tell(t *testing.T, n notify.Notifier, events ...notify.Event) {
	t.Helper()
	for _, e := range events {
		if err := n.Notify(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func closeBox(t *testing.T, o *outbox.Outbox) {
	t.Helper()
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

func TestOncePerTeamAcrossRestarts(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		o := w.open(outbox.Options{})
		tell(t, o, moved("1", "pay"), moved("1", "pay"), moved("2", "pay"))
		if err := o.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		closeBox(t, o)
	}
	got := w.messages("pay")
	if len(got) != 2 || got[0].Subject != "news 1" || got[1].Subject != "news 2" || got[0].Key == got[1].Key || got[0].Team != "pay" {
		t.Errorf("%+v", got)
	}
	if len(w.messages("ops")) > 0 {
		t.Error("Ops hears of what a team was told")
	}
}

// What was written down and not sent, because the process ended, is sent by the next one.
func TestWhatWasNotSentIsSentLater(t *testing.T) {
	w := newWorld(t)
	o := w.open(outbox.Options{})
	tell(t, o, moved("1", "pay"), moved("2", "nobody"))
	closeBox(t, o)
	if len(w.messages("pay")) > 0 {
		t.Fatal("it was sent while it was taken")
	}
	o = w.open(outbox.Options{})
	defer closeBox(t, o)
	if err := o.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.messages("pay")) != 1 || len(w.messages("ops")) != 1 {
		t.Errorf("%v %v", w.messages("pay"), w.messages("ops"))
	}
}

// A process that dies after a message was sent and before that was written down sends it again under the same key.
func TestAtLeastOnceWithTheSameKey(t *testing.T) {
	w := newWorld(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	opts := outbox.Options{Now: func() time.Time { return now }}
	o := w.open(opts)
	died := make(chan struct{})
	w.answers["pay"] = func(_ context.Context, n int) error {
		if n == 1 {
			_ = o.Close() // as far as the file is concerned, the process is dead
			close(died)
		}
		return nil
	}
	tell(t, o, moved("1", "pay"))
	if err := o.Drain(t.Context()); err == nil {
		t.Error("a closed file is no error")
	}
	<-died
	o = w.open(opts)
	defer closeBox(t, o)
	if err := o.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.messages("pay"); len(got) != 1 {
		t.Fatalf("sent again while the other process may be busy with it: %v", got)
	}
	now = now.Add(time.Minute)
	if err := o.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.messages("pay"); len(got) != 2 || got[0].Key != got[1].Key {
		t.Errorf("%+v", got)
	}
}

func TestFailuresAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		o := w.open(outbox.Options{})
		w.answers["pay"] = func(_ context.Context, n int) error {
			switch n {
			case 1, 2:
				return errors.New("503")
			case 3:
				return &notify.RetryAfterError{After: 2 * time.Hour, Err: errors.New("429")}
			}
			return nil
		}
		stop := background(t, o)
		begun := time.Now()
		tell(t, o, moved("1", "pay"), moved("2", "nobody"))
		time.Sleep(time.Second)
		synctest.Wait()
		if len(w.messages("ops")) != 1 {
			t.Error("another channel waits for the one that fails")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(w.messages("pay")); n != 3 {
			t.Errorf("%d attempts in a minute", n)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		got := w.messages("pay")
		if len(got) != 4 || got[0].Key != got[3].Key {
			t.Errorf("%d attempts after %s", len(got), time.Since(begun))
		}
		status, err := o.Status(t.Context())
		if err != nil || len(status) != 2 || status[1].Sent != 1 || status[1].Waiting != 0 {
			t.Errorf("%+v %v", status, err)
		}
		stop()
	})
}

// background runs the outbox until the test calls stop.
func background(t *testing.T, o *outbox.Outbox) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		closeBox(t, o)
	}
}

func TestDeadLettersAreToldAndCanBeSentAgain(t *testing.T) {
	w := newWorld(t)
	o := w.open(outbox.Options{})
	defer closeBox(t, o)
	w.answers["pay"] = func(context.Context, int) error { return fmt.Errorf("%w: 404 Not Found", notify.ErrPermanent) }
	tell(t, o, moved("1", "pay"))
	for range 2 { // the report may be made after Ops' channel was looked at
		if err := o.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	reports := w.messages("ops")
	if len(reports) != 1 || reports[0].Subject != "a message to channel pay was given up" ||
		!strings.Contains(reports[0].Text, "404 Not Found") || !strings.Contains(reports[0].Text, "news 1") {
		t.Fatalf("%+v", reports)
	}
	dead, err := o.DeadLetters(t.Context())
	if err != nil || len(dead) != 1 || dead[0].Title != "news 1" || dead[0].Team != "pay" || dead[0].Attempts != 1 {
		t.Fatalf("%+v %v", dead, err)
	}
	if !strings.Contains(w.log.String(), "messages were given up") {
		t.Errorf("not in the log: %s", &w.log)
	}
	w.answers["pay"] = nil
	if n, err := o.Revive(t.Context(), "pay"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := o.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := w.messages("pay")
	if len(got) != 2 || got[0].Key != got[1].Key {
		t.Errorf("%+v", got)
	}
	if dead, err := o.DeadLetters(t.Context()); len(dead) != 0 || err != nil {
		t.Errorf("%v %v", dead, err)
	}
}

// A channel that is down for long gives up what is old, with one report, and keeps what is new.
func TestGivesUpWhatIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		o := w.open(outbox.Options{GiveUp: 24 * time.Hour, MaxBackoff: time.Hour})
		w.answers["pay"] = func(context.Context, int) error { return errors.New("connection refused") }
		stop := background(t, o)
		tell(t, o, moved("1", "pay"), moved("2", "pay"), moved("3", "pay"))
		time.Sleep(23 * time.Hour)
		tell(t, o, moved("4", "pay"))
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		if got := w.messages("ops"); len(got) != 1 || got[0].Subject != "3 messages to channel pay were given up" {
			t.Errorf("%+v", got)
		}
		dead, err := o.DeadLetters(t.Context())
		if err != nil || len(dead) != 3 {
			t.Errorf("%+v %v", dead, err)
		}
		stop()
	})
}

// When Ops' own channel is dead there is nobody left to tell but the log.
func TestAReportThatDiesIsNotReported(t *testing.T) {
	w := newWorld(t)
	o := w.open(outbox.Options{})
	defer closeBox(t, o)
	w.answers["ops"] = func(context.Context, int) error { return notify.ErrPermanent }
	w.answers["pay"] = w.answers["ops"]
	tell(t, o, moved("1", "pay"))
	for range 5 {
		if err := o.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	dead, err := o.DeadLetters(t.Context())
	if err != nil || len(dead) != 2 {
		t.Errorf("%+v %v", dead, err)
	}
}

func TestDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		o := w.open(outbox.Options{})
		stop := background(t, o)
		tell(t, o, moved("1", "web"))
		time.Sleep(40 * time.Minute)
		tell(t, o, moved("2", "web"))
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if len(w.messages("web")) > 0 {
			t.Error("the digest did not wait")
		}
		time.Sleep(10 * time.Minute)
		tell(t, o, moved("3", "web"))
		synctest.Wait()
		got := w.messages("web")
		if len(got) != 1 || got[0].Subject != "2 messages from Plimsoll" || len(got[0].Events) != 2 {
			t.Errorf("%+v", got)
		}
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		if got := w.messages("web"); len(got) != 2 || got[1].Subject != "news 3" {
			t.Errorf("%+v", got)
		}
		stop()
	})
}

// More messages than a person can read become one; machines get each of them.
func TestManyBecomeASummary(t *testing.T) {
	w := newWorld(t)
	o := w.open(outbox.Options{Channels: map[string]notify.Channel{"pay": w.channel("pay"), "ops": machine{w.channel("ops")}}})
	defer closeBox(t, o)
	for i := range 30 {
		tell(t, o, moved(fmt.Sprint("p", i), "pay"), moved(fmt.Sprint("o", i), "nobody"))
	}
	if err := o.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.messages("pay"); len(got) != 1 || len(got[0].Events) != 30 || got[0].Subject != "30 messages from Plimsoll" {
		t.Errorf("%d messages", len(got))
	}
	if got := w.messages("ops"); len(got) != 30 {
		t.Errorf("%d messages", len(got))
	}
}

// A channel that never answers holds up nobody: not who notifies, not another channel, and not itself for ever.
func TestAHangingChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hang := make(chan struct{})
		w.answers["pay"] = func(_ context.Context, n int) error {
			if n == 1 {
				<-hang // whatever ctx says
			}
			return nil
		}
		o := w.open(outbox.Options{})
		stop := background(t, o)
		begun := time.Now()
		for i := range 100 {
			tell(t, o, moved(fmt.Sprint("p", i), "pay"))
		}
		tell(t, o, moved("x", "nobody"))
		synctest.Wait()
		if waited := time.Since(begun); waited > 0 {
			t.Errorf("who notifies waited %s", waited)
		}
		if len(w.messages("ops")) != 1 {
			t.Error("another channel waits")
		}
		time.Sleep(10 * time.Minute)
		status, err := o.Status(t.Context())
		if err != nil || len(status) != 2 || !strings.Contains(status[1].Error, "has not ended") || status[1].Waiting != 100 {
			t.Errorf("%+v %v", status, err)
		}
		if n := len(w.messages("pay")); n != 1 {
			t.Errorf("%d attempts beside the one that hangs", n)
		}
		close(hang)
		time.Sleep(time.Hour)
		synctest.Wait()
		told := map[string]int{}
		for _, m := range w.messages("pay")[1:] {
			for _, e := range m.Events {
				told[e.ID]++
			}
		}
		if len(told) != 100 {
			t.Errorf("%d of 100 events were told in the end", len(told))
		}
		stop()
	})
}

func TestAChannelThatPanics(t *testing.T) {
	w := newWorld(t)
	o := w.open(outbox.Options{})
	defer closeBox(t, o)
	w.answers["pay"] = func(context.Context, int) error { panic("https://hooks.example/secret") }
	tell(t, o, moved("1", "pay"))
	if err := o.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	status, err := o.Status(t.Context())
	if err != nil || status[0].Error != "channel pay: it panicked" {
		t.Errorf("%+v %v", status, err)
	}
}

// Processes share a file: each message goes out once.
func TestManyProcesses(t *testing.T) {
	w := newWorld(t)
	var boxes []*outbox.Outbox
	for range 4 {
		boxes = append(boxes, w.open(outbox.Options{Summarise: 1000}))
	}
	var group sync.WaitGroup
	for i, o := range boxes {
		group.Go(func() {
			for n := range 25 {
				tell(t, o, moved(fmt.Sprint(n), "pay"), moved(fmt.Sprint(i, "-", n), "pay"))
			}
			if err := o.Drain(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, o := range boxes {
		if err := o.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		closeBox(t, o)
	}
	told := map[string]int{}
	for _, m := range w.messages("pay") {
		told[m.Events[0].ID] += len(m.Events)
	}
	for id, n := range told {
		if n != 1 {
			t.Errorf("event %s was told %d times", id, n)
		}
	}
	if len(told) != 125 {
		t.Errorf("%d events", len(told))
	}
}

func TestOpenRefuses(t *testing.T) {
	cfg, err := notify.LoadConfig("notify.yaml", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.db")
	if err := os.WriteFile(broken, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path, want string
		cfg              *notify.Config
	}{
		{"no configuration", filepath.Join(dir, "x.db"), "needs a configuration", nil},
		{"no folder", filepath.Join(dir, "none", "x.db"), "no such file or directory", cfg},
		{"a broken file", broken, "the outbox " + broken + ": file is not a database", cfg},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := outbox.Open(t.Context(), tt.path, outbox.Options{Config: tt.cfg})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	o, err := outbox.Open(t.Context(), filepath.Join(dir, "x.db"), outbox.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Notify(t.Context(), notify.Event{}); err == nil {
		t.Error("an event without ID is taken")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Notify(ended, moved("1", "pay")); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
	closeBox(t, o)
	if err := o.Notify(t.Context(), moved("1", "pay")); err == nil || !strings.Contains(err.Error(), "event 1") {
		t.Errorf("a closed file: %v", err)
	}
}

func TestForgets(t *testing.T) {
	w := newWorld(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	opts := outbox.Options{Keep: 24 * time.Hour, Now: func() time.Time { return now }}
	o := w.open(opts)
	tell(t, o, moved("1", "pay"))
	if err := o.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(25 * time.Hour)
	stop := background(t, o)
	deadline := time.Now().Add(10 * time.Second)
	for {
		status, err := o.Status(t.Context())
		if err == nil && len(status) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v %v", status, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
}
