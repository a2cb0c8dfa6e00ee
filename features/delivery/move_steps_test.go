package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/move"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/outbox"
)

// pushes are what following up did to the branch.
type pushes struct {
	last source.Pushed
}

// moveSteps are about moves to other bases, and about who hears of them.
func (y *yard) moveSteps(sc *godog.ScenarioContext) {
	sc.Given(`^teams are told of their moves$`, y.openOutbox)
	sc.Given(`^the team's channel never answers$`, func() { y.hang = make(chan struct{}) })
	sc.Then(`^the team was told (\d+) times? that it "([^"]+)"$`, y.wasTold)
	sc.Then(`^the message has the reason "([^"]+)"$`, func(reason string) error {
		if !strings.Contains(y.told[0].Text, reason) {
			return fmt.Errorf("the message is\n%s", y.told[0].Text)
		}
		return nil
	})
	sc.Then(`^a message waits for the team$`, y.waits)
	sc.Then(`^git applies the patch of the message$`, func() error {
		patch := filepath.Join(y.dir, "message.patch")
		if err := os.WriteFile(patch, []byte(y.told[0].Events[0].Patch), 0o600); err != nil {
			return err
		}
		_, err := y.git("apply", patch)
		return err
	})
	sc.Then(`^the file "([^"]+)" of the repository is$`, func(name string, want *godog.DocString) error {
		got, err := os.ReadFile(filepath.Join(y.repository(), name))
		if err == nil && string(got) != y.at(want.Content)+"\n" {
			err = fmt.Errorf("it is\n%s", got)
		}
		return err
	})
	sc.Then(`^the repository is as it was$`, func() error {
		changed, err := y.git("status", "--porcelain")
		if err == nil && changed != "" {
			err = errors.New(changed)
		}
		return err
	})
	sc.When(`^the move is followed up$`, y.followUp)
	sc.When(`^somebody commits to the branch$`, func() error {
		for _, args := range [][]string{{"checkout", "-q", y.pushed.last.Branch}, {"commit", "-q", "--allow-empty", "-m", "And a test"}, {"checkout", "-q", "main"}} {
			if _, err := y.git(args...); err != nil {
				return err
			}
		}
		return nil
	})
	sc.Then(`^the branch has (\d+) commit with the change$`, func(want int) error {
		log, err := y.git("rev-list", "--count", "main.."+y.pushed.last.Branch)
		if err == nil && (y.pushed.last.State != source.PushCreated || log != fmt.Sprint(want)) {
			err = fmt.Errorf("%s commits, %+v", log, y.pushed.last)
		}
		return err
	})
	sc.Then(`^the branch was left as it is$`, func() error {
		if y.pushed.last.State != source.PushUnchanged {
			return fmt.Errorf("%+v", y.pushed.last)
		}
		return nil
	})
	sc.Then(`^the branch is held by "([^"]+)"$`, func(who string) error {
		if y.pushed.last.State != source.PushHeld || !strings.HasPrefix(y.pushed.last.By, who) {
			return fmt.Errorf("%+v", y.pushed.last)
		}
		return nil
	})
}

func (y *yard) openOutbox(ctx context.Context) error {
	cfg, err := notify.LoadConfig("notify.yaml", []byte(`version: 1
ops: [ops]
channels: {ops: {secret: ops}, team: {secret: team, timeout: 1s}}
teams: {pay: {channels: [team], projects: [{repository: "**/app"}]}}
`))
	if err != nil {
		return err
	}
	team := notify.ChannelFunc(func(_ context.Context, m notify.Message) error {
		if y.hang != nil {
			<-y.hang
			return nil
		}
		y.told = append(y.told, m)
		return nil
	})
	y.box, err = outbox.Open(ctx, filepath.Join(y.dir, "outbox.db"), outbox.Options{Config: cfg, Channels: map[string]notify.Channel{"team": team}})
	return err
}

func (y *yard) wasTold(ctx context.Context, times int, what string) error {
	if err := y.box.Drain(ctx); err != nil {
		return err
	}
	if len(y.told) != times {
		return fmt.Errorf("the team was told %d times: %v", len(y.told), y.told)
	}
	if !strings.Contains(y.told[0].Subject, y.at(what)) {
		return fmt.Errorf("the team was told %q", y.told[0].Subject)
	}
	return nil
}

func (y *yard) waits(ctx context.Context) error {
	if err := y.box.Drain(ctx); err != nil {
		return err
	}
	status, err := y.box.Status(ctx)
	if err == nil && (len(status) != 1 || status[0].Waiting != 1 || status[0].Error == "") {
		err = fmt.Errorf("%+v", status)
	}
	return err
}

func (y *yard) followUp(ctx context.Context) error {
	cat, err := catalog.Load("catalog.yaml", []byte(y.catalog))
	if err != nil {
		return err
	}
	survey := move.Survey{Catalog: cat, Registry: y.client}
	r := survey.One(ctx, move.Target{Repository: y.repository()})
	if r.Err != nil {
		return r.Err
	}
	if r.Move == nil {
		return errors.New("nothing is moved")
	}
	follow := move.FollowUp{Author: source.Author{Name: "Plimsoll", Email: "plimsoll@example.com"}}
	y.pushed.last, err = follow.Push(ctx, r.Move, y.repository(), time.Unix(1_700_000_000, 0))
	return err
}
