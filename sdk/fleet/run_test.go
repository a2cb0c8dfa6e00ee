package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/fleettest"
)

func Example() {
	ctx := context.Background()
	place := fleettest.New("docker://web-7",
		fleet.Instance{ID: "1", Name: "pay", Image: fleet.Image{Ref: "shop/pay:1"}}, fleet.Instance{ID: "2", Name: "blog", Image: fleet.Image{Ref: "press/blog:1"}})
	inventory := fleet.NewInventory(place)
	if err := inventory.Refresh(ctx, 0); err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "transcript-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	transcript, err := audit.Open(dir, audit.Options{Name: "remedies"})
	if err != nil {
		log.Fatal(err)
	}
	defer transcript.Close()
	remedy, err := fleet.Parse("remedy.yaml", []byte(`
remedy: drop-setuid
reason: CVE-2026-12345
where: image.startsWith("shop/")
run: [chmod, u-s, /usr/bin/su]
`))
	if err != nil {
		log.Fatal(err)
	}
	shop := fleet.SelectorFunc(func(i *fleet.Instance) fleet.Verdict { // package fleet/where compiles conditions
		if strings.HasPrefix(i.Image.Ref, "shop/") {
			return fleet.Verdict{Meant: fleet.Yes}
		}
		return fleet.Verdict{Meant: fleet.No}
	})
	runner := fleet.Runner{Inventory: inventory, Log: transcript}
	result, err := runner.Run(ctx, fleet.Order{Remedy: remedy, Selector: shop, By: "ana@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(place.Did(), result.Summary())
	// Output: [pay: exec chmod u-s /usr/bin/su] 1 done
}

var everything = fleet.SelectorFunc(func(*fleet.Instance) fleet.Verdict { return fleet.Verdict{Meant: fleet.Yes} })

// instances are n of them, each its own service unless one is named.
func instances(n int, service string) []fleet.Instance {
	var all []fleet.Instance
	for k := range n {
		all = append(all, fleet.Instance{ID: fmt.Sprintf("id%03d", k), Name: fmt.Sprintf("i%03d", k), Service: service, Started: time.Unix(int64(k), 0)})
	}
	return all
}

func newLog(t *testing.T) *audit.Log {
	t.Helper()
	l, err := audit.Open(t.TempDir(), audit.Options{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func newRunner(t *testing.T, places ...fleet.Place) *fleet.Runner {
	t.Helper()
	v := fleet.NewInventory(places...)
	_ = v.Refresh(t.Context(), 0) // places that are down are part of tests
	return &fleet.Runner{Inventory: v, Log: newLog(t)}
}

func remedy(change ...func(*fleet.Remedy)) fleet.Remedy {
	r := fleet.Remedy{Name: "fix", Where: "true", Run: []string{"fix"}}
	for _, f := range change {
		f(&r)
	}
	return r
}

func run(t *testing.T, r *fleet.Runner, m fleet.Remedy) *fleet.Transcript {
	t.Helper()
	transcript, err := r.Run(t.Context(), fleet.Order{Remedy: m, Selector: everything, By: "ana"})
	if err != nil {
		t.Fatal(err)
	}
	return transcript
}

// The canary stops what would fail everywhere, and the breaker what begins to.
func TestCanaryAndBreaker(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fails   func(i fleet.Instance) bool
		limits  fleet.Limits
		want    map[fleet.Outcome]int
		stopped string
	}{
		"all is well":    {func(fleet.Instance) bool { return false }, fleet.Limits{}, map[fleet.Outcome]int{fleet.Done: 100}, ""},
		"the canary":     {func(fleet.Instance) bool { return true }, fleet.Limits{Canary: "5%", Failures: "100"}, map[fleet.Outcome]int{fleet.Failed: 5, fleet.Left: 95}, "it failed in the canary"},
		"the breaker":    {func(i fleet.Instance) bool { return i.ID > "id009" }, fleet.Limits{Failures: "4", Parallel: 1}, map[fleet.Outcome]int{fleet.Done: 10, fleet.Failed: 4, fleet.Left: 86}, "4 instances failed"},
		"a few failures": {func(i fleet.Instance) bool { return i.ID == "id050" }, fleet.Limits{Wave: "10%"}, map[fleet.Outcome]int{fleet.Done: 99, fleet.Failed: 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := fleettest.New("one", instances(100, "")...)
			place.Command = func(_ context.Context, i fleet.Instance, _ fleet.Action) (fleet.Output, error) {
				if tt.fails(i) {
					return fleet.Output{Exit: 1}, nil
				}
				return fleet.Output{}, nil
			}
			got := run(t, newRunner(t, place), remedy(func(r *fleet.Remedy) { r.Limits = tt.limits }))
			if fmt.Sprint(got.Counts) != fmt.Sprint(tt.want) || got.Stopped != tt.stopped || len(got.Results) != 100 {
				t.Errorf("%v, stopped %q; want %v, %q", got.Counts, got.Stopped, tt.want, tt.stopped)
			}
			if got.Complete() != (tt.want[fleet.Done] == 100) {
				t.Errorf("complete is %v", got.Complete())
			}
		})
	}
}

// No more instances at a time than the limits say, by host, service and in all.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		service           string
		limits            fleet.Limits
		parallel, perHost int32
	}{
		"in all":      {"", fleet.Limits{Parallel: 5, PerHost: 10}, 5, 5},
		"per host":    {"", fleet.Limits{PerHost: 2}, 6, 2},
		"per service": {"shop", fleet.Limits{PerService: 1}, 1, 1},
		"two of one":  {"shop", fleet.Limits{PerService: 2}, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var all, most atomic.Int32
				var places []fleet.Place
				hosts := map[string]*atomic.Int32{}
				var mu sync.Mutex
				var perHost int32
				for _, host := range []string{"one", "two", "three"} {
					place := fleettest.New(host, instances(12, tt.service)...)
					hosts[host] = &atomic.Int32{}
					place.Command = func(_ context.Context, i fleet.Instance, _ fleet.Action) (fleet.Output, error) {
						most.Store(max(most.Load(), all.Add(1)))
						mu.Lock()
						perHost = max(perHost, hosts[i.Host].Add(1))
						mu.Unlock()
						time.Sleep(time.Second)
						all.Add(-1)
						hosts[i.Host].Add(-1)
						return fleet.Output{}, nil
					}
					places = append(places, place)
				}
				got := run(t, newRunner(t, places...), remedy(func(r *fleet.Remedy) { r.Limits = tt.limits }))
				if got.Counts[fleet.Done] != 36 || most.Load() != tt.parallel || perHost > tt.perHost {
					t.Errorf("%s; %d at a time, %d on a host; want %d, %d", got.Summary(), most.Load(), perHost, tt.parallel, tt.perHost)
				}
			})
		})
	}
}

// What one place has is no other's: each ends as its own instances say, and all are accounted for.
func TestEveryInstanceHasAnOutcome(t *testing.T) {
	t.Parallel()
	good, lost, odd, down := fleettest.New("good", instances(3, "")...), fleettest.New("lost", instances(3, "")...), fleettest.New("odd", instances(5, "")...), fleettest.New("down")
	down.Down(errors.New("no route to host"))
	odd.Hold("id000", "remedy other, ordered by eve")
	odd.Command = func(ctx context.Context, i fleet.Instance, _ fleet.Action) (fleet.Output, error) {
		switch i.ID {
		case "id001":
			return fleet.Output{}, fmt.Errorf("%w: no such program", fleet.ErrUnsupported)
		case "id002":
			return fleet.Output{}, fmt.Errorf("%w: exec", fleet.ErrRefused)
		case "id003":
			return fleet.Output{}, fmt.Errorf("%w: connection reset", fleet.ErrUnclear)
		case "id004":
			<-ctx.Done()
			return fleet.Output{Stdout: []byte("before")}, context.Cause(ctx)
		}
		return fleet.Output{}, nil
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, good, lost, odd, down)
		good.End("id002")
		lost.Down(fmt.Errorf("%w: connection refused", fleet.ErrUnreached))
		got := run(t, r, remedy(func(m *fleet.Remedy) { m.Limits.Canary = "100%" }))
		var said []string
		for _, one := range got.Results {
			said = append(said, fmt.Sprintf("%s/%s %s", one.Instance.Place, one.Instance.ID, one.Outcome))
		}
		slices.Sort(said)
		want := []string{
			"good/id000 done", "good/id001 done", "good/id002 gone", "lost/id000 unreached", "lost/id001 unreached", "lost/id002 unreached",
			"odd/id000 held", "odd/id001 unsupported", "odd/id002 refused", "odd/id003 unclear", "odd/id004 failed",
		}
		if fmt.Sprint(said) != fmt.Sprint(want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
		}
		if len(got.Unreached) != 1 || got.Unreached[0].Place != "down" || got.Complete() {
			t.Error(got.Unreached)
		}
	})
}

// The next strategy is taken where one is not possible.
func TestStrategiesInTheirOrder(t *testing.T) {
	t.Parallel()
	place := fleettest.New("one", instances(1, "")...)
	place.Command = func(_ context.Context, _ fleet.Instance, a fleet.Action) (fleet.Output, error) {
		if a.Strategy == fleet.Exec {
			return fleet.Output{}, fmt.Errorf("%w: no such program", fleet.ErrUnsupported)
		}
		return fleet.Output{}, nil
	}
	got := run(t, newRunner(t, place), remedy(func(r *fleet.Remedy) { r.Strategies = []fleet.Strategy{fleet.Exec, fleet.Pause} }))
	if got.Counts[fleet.Done] != 1 || got.Results[0].Strategy != fleet.Pause {
		t.Errorf("%s by %s", got.Summary(), got.Results[0].Strategy)
	}
}

// Interrupted, the run lets what was begun come to its end, and run again it does what is missing.
func TestInterruptedAndRunAgain(t *testing.T) {
	t.Parallel()
	place := fleettest.New("one", instances(10, "")...)
	ctx, interrupt := context.WithCancel(t.Context())
	begun := 0
	place.Command = func(ctx context.Context, _ fleet.Instance, _ fleet.Action) (fleet.Output, error) {
		if begun++; begun == 4 {
			interrupt()
		}
		return fleet.Output{}, ctx.Err()
	}
	r := newRunner(t, place)
	m := remedy(func(m *fleet.Remedy) { m.Limits.Parallel = 1 })
	first, err := r.Run(ctx, fleet.Order{Remedy: m, Selector: everything, By: "ana"})
	if err != nil || first.Counts[fleet.Done] != 4 || first.Counts[fleet.Left] != 6 || first.Stopped != "interrupted" {
		t.Fatalf("%s, %q, %v", first.Summary(), first.Stopped, err)
	}
	second := run(t, r, m)
	if second.Counts[fleet.Already] != 4 || second.Counts[fleet.Done] != 6 || !second.Complete() {
		t.Error(second.Summary())
	}
	changed := run(t, r, remedy(func(m *fleet.Remedy) { m.Run = []string{"another"} }))
	if changed.Counts[fleet.Done] != 10 {
		t.Error("a remedy that was changed is another: " + changed.Summary())
	}
	read, err := fleet.Transcripts(r.Log.FS())
	if err != nil || len(read) != 3 {
		t.Fatalf("%d transcripts, %v", len(read), err)
	}
	for n, want := range []*fleet.Transcript{first, second, changed} {
		if got := read[n]; got.Summary() != want.Summary() || got.Run != want.Run || got.Stopped != want.Stopped || got.Ended.IsZero() {
			t.Errorf("%d: read %s %q, was %s %q", n, got.Summary(), got.Stopped, want.Summary(), want.Stopped)
		}
	}
}

// Orders that can't be meant so are refused before anything is done.
func TestOrdersThatAreRefused(t *testing.T) {
	t.Parallel()
	place := fleettest.New("one", instances(1, "")...)
	r := newRunner(t, place)
	ok := func() fleet.Order { return fleet.Order{Remedy: remedy(), Selector: everything, By: "ana"} }
	for want, change := range map[string]func(o *fleet.Order){
		"the remedy has expired":                  func(o *fleet.Order) { o.Remedy.Expires = time.Now().Add(-time.Hour) },
		"needs a date on which it expires":        func(o *fleet.Order) { o.Watch = true },
		"second person's approval":                func(o *fleet.Order) { o.Remedy.Approval = true },
		"second person's approval: it has digest": func(o *fleet.Order) { o.Remedy.Approval = true; o.Approvals = approve(*o, "ana", time.Hour) },
		"the remedy needs a second":               func(o *fleet.Order) { o.Remedy.Approval = true; o.Approvals = approve(*o, "bob", -time.Hour) },
		"the remedy needs a second person's": func(o *fleet.Order) {
			o.Remedy.Approval = true
			o.Approvals = approve(*o, "bob", time.Hour)
			o.Remedy.User = "root"
		},
		"nobody is named who orders":                     func(o *fleet.Order) { o.By = "" },
		"secret TOKEN has no value":                      func(o *fleet.Order) { o.Remedy.Secrets = []string{"TOKEN"} },
		"run: there is no command":                       func(o *fleet.Order) { o.Remedy.Run = nil },
		`"rm" is none of exec, namespaces, pause`:        func(o *fleet.Order) { o.Remedy.Strategies = []fleet.Strategy{"rm"} },
		`limits.canary: "0" is neither a number above 0`: func(o *fleet.Order) { o.Remedy.Limits.Canary = "0" },
	} {
		o := ok()
		change(&o)
		if _, err := r.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if did := place.Did(); len(did) > 0 {
		t.Errorf("done all the same: %v", did)
	}
	o := ok()
	o.Remedy.Approval = true
	o.Approvals = approve(o, "bob", time.Hour)
	if got, err := r.Run(t.Context(), o); err != nil || got.Counts[fleet.Done] != 1 {
		t.Error(err)
	}
}

func approve(o fleet.Order, by string, lasts time.Duration) []fleet.Approval {
	return []fleet.Approval{{Remedy: o.Remedy.Digest(), By: by, At: time.Now(), Until: time.Now().Add(lasts)}}
}

// Rights are for people, strategies and parts of the fleet.
func TestRights(t *testing.T) {
	t.Parallel()
	rights, err := fleet.ParseRights("rights.yaml", []byte(`
grants:
- {who: [ana], strategies: [exec], where: id000}
- {who: ["*"], strategies: [pause], where: all}
- {who: [ana], where: id001, approval: true}
`), func(condition string) (fleet.Selector, error) {
		return fleet.SelectorFunc(func(i *fleet.Instance) fleet.Verdict {
			if condition == "all" || condition == i.ID {
				return fleet.Verdict{Meant: fleet.Yes}
			}
			return fleet.Verdict{Meant: fleet.Unknown}
		}), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		by       string
		approved bool
		strategy fleet.Strategy
		want     string
	}{
		"ana":           {"ana", false, fleet.Exec, "1 done, 2 refused"},
		"ana, approved": {"ana", true, fleet.Exec, "2 done, 1 refused"},
		"eve":           {"eve", true, fleet.Exec, "3 refused"},
		"eve pauses":    {"eve", false, fleet.Pause, "3 done"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, fleettest.New("one", instances(3, "")...))
			r.Rights = rights
			o := fleet.Order{Selector: everything, By: tt.by, Remedy: remedy(func(m *fleet.Remedy) { m.Strategies = []fleet.Strategy{tt.strategy} })}
			if tt.strategy == fleet.Pause {
				o.Remedy.Run = nil
			}
			if tt.approved {
				o.Approvals = approve(o, "bob", time.Hour)
			}
			got, err := r.Run(t.Context(), o)
			if err != nil || got.Summary() != tt.want {
				t.Errorf("%s, want %s: %v", got.Summary(), tt.want, err)
			}
			plan, err := r.Plan(t.Context(), o)
			if err != nil || len(plan.Meant) != got.Counts[fleet.Done] || len(plan.Refused) != got.Counts[fleet.Denied] {
				t.Errorf("the plan has %d, refused %d: %v", len(plan.Meant), len(plan.Refused), err)
			}
		})
	}
}

// Instances that start while the remedy is in force get it, and it ends by itself.
func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		place := fleettest.New("one", instances(2, "")...)
		inventory := fleet.NewInventory(place)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go inventory.Follow(ctx, func() {})
		synctest.Wait()
		runner := fleet.Runner{Inventory: inventory, Log: newLog(t)}
		ended := make(chan *fleet.Transcript)
		go func() {
			o := fleet.Order{Remedy: remedy(func(m *fleet.Remedy) { m.Expires = time.Now().Add(time.Hour) }), Selector: everything, By: "ana", Watch: true}
			got, err := runner.Run(ctx, o)
			if err != nil {
				t.Error(err)
			}
			ended <- got
		}()
		time.Sleep(time.Minute)
		place.Start(fleet.Instance{ID: "new", Name: "new", Started: time.Now()})
		place.Start(fleet.Instance{ID: "id000", Name: "i000", Started: time.Now()})
		time.Sleep(time.Second)
		if n := len(place.Did()); n != 4 {
			t.Errorf("done %v", place.Did())
		}
		got := <-ended
		if got.Counts[fleet.Done] != 4 || !got.Complete() || got.Ended.Sub(got.Began) != time.Hour {
			t.Errorf("%s after %s, stopped %q", got.Summary(), got.Ended.Sub(got.Began), got.Stopped)
		}
		cancel()
		synctest.Wait()
	})
}

func TestParse(t *testing.T) {
	t.Parallel()
	good := `
remedy: libssl
where: derivedFrom("debian:12", "<12.9")
strategies: [exec, namespaces]
run: [cp, /a, /b]
timeout: 5s
expires: 2026-12-05T00:00:00Z
verify: {run: [test, -e, /b], expect: {exit: [0, 3]}}
limits: {canary: 2, wave: 25%, pause: 10s, perService: 1}
`
	r, err := fleet.Parse("r.yaml", []byte(good))
	if err != nil || time.Duration(r.Timeout) != 5*time.Second || r.Limits.Canary != "2" || r.Limits.Wave != "25%" || r.Expires.Day() != 5 || r.Verify.Expect.Exit[1] != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	for text, want := range map[string]string{
		"remedy: x\nwhere: true\nrun: [a]\ncanarry: 3":      "unknown field",
		"remedy: x\nrun: [a]":                               "where: the condition is missing",
		"where: 'true'\nrun: [a]":                           "it has no name",
		"remedy: x\nwhere: 'true'\nrun: [a]\nscript: b":     "one of run and script",
		"remedy: x\nwhere: 'true'\nrun: [a]\ntimeout: soon": "invalid duration",
		"remedy: x\nwhere: 'true'\nrun: [a]\nprogram: b":    "only strategy namespaces",
		"{": "r.yaml",
	} {
		if _, err := fleet.Parse("r.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	place := fleettest.New("one", instances(3, "")...)
	place.Command = func(_ context.Context, i fleet.Instance, _ fleet.Action) (fleet.Output, error) {
		if i.ID == "id002" {
			return fleet.Output{Exit: 1, Stdout: []byte("<script>\x1b[2J\x00\xff")}, nil
		}
		return fleet.Output{}, nil
	}
	got := run(t, newRunner(t, place), remedy())
	for name, write := range fleet.Formats() {
		var b bytes.Buffer
		if err := write(&b, got); err != nil {
			t.Fatal(name, err)
		}
		switch name {
		case "json":
			var back fleet.Transcript
			if err := json.Unmarshal(b.Bytes(), &back); err != nil || back.Summary() != got.Summary() {
				t.Error(err)
			}
		case "junit":
			var suite struct {
				Tests    int `xml:"tests,attr"`
				Failures int `xml:"failures,attr"`
			}
			if err := xml.Unmarshal(b.Bytes(), &suite); err != nil || suite.Tests != 3 || suite.Failures != 1 {
				t.Errorf("%+v, %v", suite, err)
			}
		case "html":
			if strings.Contains(b.String(), "<script>") || !strings.Contains(b.String(), "&lt;script&gt;") {
				t.Error("an output is part of the page")
			}
		case "text":
			if strings.Contains(b.String(), "\x1b") || !strings.Contains(b.String(), "2 done, 1 failed") {
				t.Error(b.String())
			}
		}
	}
}

// Without a transcript nothing is done.
func TestATranscriptThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	place := fleettest.New("one", instances(5, "")...)
	r := newRunner(t, place)
	if err := r.Log.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Run(t.Context(), fleet.Order{Remedy: remedy(), Selector: everything, By: "ana"})
	if !errors.Is(err, fs.ErrClosed) || len(place.Did()) > 0 {
		t.Errorf("%v, done %v", err, place.Did())
	}
}
