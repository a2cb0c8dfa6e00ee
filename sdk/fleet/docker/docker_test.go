package docker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/internal/baseimage"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/where"
)

func Example() { //nolint:testableexamples // it needs Docker
	ctx := context.Background()
	place, err := docker.Open(docker.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer place.Close()
	inventory := fleet.NewInventory(place)
	if err := inventory.Refresh(ctx, 0); err != nil {
		log.Fatal(err)
	}
	for _, i := range inventory.Instances() {
		fmt.Println(i.Name, i.Image.Ref)
	}
}

const image = "plimsoll-fleet-test:1"

var loaded sync.Once

// daemon is the machine's Docker with the test's image.
func daemon(t testing.TB) *client.Client {
	t.Helper()
	testenv.NeedsDocker(t)
	api, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	loaded.Do(func() {
		img, err := baseimage.Userland(t.Context(), "1")
		if err != nil {
			t.Fatal(err)
		}
		tag, err := name.NewTag(image)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := tarball.Write(tag, img, &b); err != nil {
			t.Fatal(err)
		}
		answer, err := api.ImageLoad(t.Context(), &b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer); err != nil {
			t.Fatal(err)
		}
		_ = answer.Close()
	})
	return api
}

// start starts a container that the test's label marks; change its configuration by the function.
func start(t testing.TB, api *client.Client, change ...func(*container.Config, *container.HostConfig)) string {
	t.Helper()
	config := &container.Config{Image: image, Cmd: []string{"sleep", "600"}, Labels: map[string]string{"test": t.Name()}}
	host := &container.HostConfig{NetworkMode: "none"}
	for _, f := range change {
		f(config, host)
	}
	made, err := api.ContainerCreate(t.Context(), client.ContainerCreateOptions{Config: config, HostConfig: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = api.ContainerRemove(context.WithoutCancel(t.Context()), made.ID, client.ContainerRemoveOptions{Force: true})
	})
	if _, err := api.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

func open(t testing.TB, o docker.Options) *docker.Place {
	t.Helper()
	place, err := docker.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = place.Close() })
	return place
}

// order runs a remedy in the test's containers.
func order(t testing.TB, remedy fleet.Remedy, places ...fleet.Place) *fleet.Transcript {
	t.Helper()
	return orderBy(t, remedy, fleet.Order{By: "ana"}, places...)
}

func orderBy(t testing.TB, remedy fleet.Remedy, o fleet.Order, places ...fleet.Place) *fleet.Transcript {
	t.Helper()
	auditLog, err := audit.Open(t.TempDir(), audit.Options{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auditLog.Close() })
	return orderIn(t, auditLog, remedy, o, places...)
}

func orderIn(t testing.TB, auditLog *audit.Log, remedy fleet.Remedy, o fleet.Order, places ...fleet.Place) *fleet.Transcript {
	t.Helper()
	inventory := fleet.NewInventory(places...)
	if err := inventory.Refresh(t.Context(), 0); err != nil {
		t.Log(err)
	}
	if remedy.Where == "" {
		remedy.Where = fmt.Sprintf("labels.test == %q", t.Name())
	}
	condition, err := where.Compile(remedy.Where)
	if err != nil {
		t.Fatal(err)
	}
	o.Selector, err = condition.Prepare(t.Context(), nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if remedy.Name == "" {
		remedy.Name = "test"
	}
	o.Remedy = remedy
	runner := fleet.Runner{Inventory: inventory, Log: auditLog}
	transcript, err := runner.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return transcript
}

// only is the result of the one instance that was meant.
func only(t testing.TB, transcript *fleet.Transcript) fleet.Result {
	t.Helper()
	if len(transcript.Results) != 1 {
		t.Fatalf("%d results: %s", len(transcript.Results), transcript.Summary())
	}
	return transcript.Results[0]
}

func TestExec(t *testing.T) {
	t.Parallel()
	api := daemon(t)
	start(t, api)
	start(t, api, func(c *container.Config, h *container.HostConfig) {
		c.Labels["readonly"], h.ReadonlyRootfs = "yes", true
	})
	start(t, api, func(c *container.Config, _ *container.HostConfig) { c.Labels["nobody"], c.User = "yes", "65534" })
	place := open(t, docker.Options{})
	mine := fmt.Sprintf("labels.test == %q", t.Name())
	plain := mine + ` && labels.readonly == "" && labels.nobody == ""`
	secret := rand.Text()
	tests := map[string]struct {
		remedy  fleet.Remedy
		outcome fleet.Outcome
		reason  string // is in it
		check   func(t *testing.T, r fleet.Result)
	}{
		"what it says": {
			remedy: fleet.Remedy{Where: plain, Run: []string{"sh", "-c", "echo out; echo err >&2; id -u; exit 3"}, Expect: fleet.Expect{Exit: []int{3}}}, outcome: fleet.Done,
			check: func(t *testing.T, r fleet.Result) {
				t.Helper()
				if r.Command.Stdout != "out\n0\n" || r.Command.Stderr != "err\n" || r.Command.Exit != 3 {
					t.Errorf("%+v", r.Command)
				}
			},
		},
		"another exit code":      {remedy: fleet.Remedy{Where: plain, Run: []string{"false"}}, outcome: fleet.Failed, reason: "exit code 1"},
		"another output":         {remedy: fleet.Remedy{Where: plain, Run: []string{"echo", "no"}, Expect: fleet.Expect{Stdout: "^yes"}}, outcome: fleet.Failed, reason: "does not match"},
		"a script":               {remedy: fleet.Remedy{Where: plain, Script: "cd /tmp\nfalse\necho no"}, outcome: fleet.Failed, reason: "exit code 1"},
		"a program that is not":  {remedy: fleet.Remedy{Where: plain, Run: []string{"no-such-program"}}, outcome: fleet.Impossible, reason: "no-such-program"},
		"a user that is not":     {remedy: fleet.Remedy{Where: plain, Run: []string{"true"}, User: "erna"}, outcome: fleet.Impossible, reason: "erna"},
		"a read-only target":     {remedy: fleet.Remedy{Where: mine + ` && labels.readonly == "yes"`, Script: "echo x > /etc/x"}, outcome: fleet.Failed, reason: "exit code"},
		"a non-root target":      {remedy: fleet.Remedy{Where: mine + ` && labels.nobody == "yes"`, Script: "echo x > /etc/x"}, outcome: fleet.Failed, reason: "exit code"},
		"root in a non-root one": {remedy: fleet.Remedy{Where: mine + ` && labels.nobody == "yes"`, Script: "echo x > /etc/x", User: "root"}, outcome: fleet.Done},
		"it needs a terminal":    {remedy: fleet.Remedy{Where: plain, Script: "test -t 1"}, outcome: fleet.Failed, reason: "exit code 1"},
		"and gets one":           {remedy: fleet.Remedy{Where: plain, Script: "echo terminal", TTY: true, Expect: fleet.Expect{Stdout: "terminal\r\n"}}, outcome: fleet.Done},
		"it hangs":               {remedy: fleet.Remedy{Where: plain, Run: []string{"sleep", "1000"}, Timeout: fleet.Duration(time.Second)}, outcome: fleet.Failed, reason: "time limit of 1s, and was killed"},
		"the verification fails": {remedy: fleet.Remedy{Where: plain, Run: []string{"true"}, Verify: &fleet.Step{Run: []string{"false"}}, Undo: &fleet.Step{Run: []string{"echo", "undone"}}}, outcome: fleet.Failed, reason: "the verification: exit code 1; it was undone"},
		"the verification":       {remedy: fleet.Remedy{Where: plain, Script: "echo new > /tmp/lib", Verify: &fleet.Step{Run: []string{"cat", "/tmp/lib"}, Expect: fleet.Expect{Stdout: "new"}}}, outcome: fleet.Done},
		"secrets are not written": {remedy: fleet.Remedy{Where: plain, Script: "echo $TOKEN", Secrets: []string{"TOKEN"}, Expect: fleet.Expect{Stdout: secret}}, outcome: fleet.Done, check: func(t *testing.T, r fleet.Result) {
			t.Helper()
			if r.Command.Stdout != "***\n" {
				t.Errorf("%+v", r.Command)
			}
		}},
		"output without end": {remedy: fleet.Remedy{Where: plain, Run: []string{"cat", "/dev/zero"}, Output: 1000, Timeout: fleet.Duration(5 * time.Second)}, outcome: fleet.Failed, reason: "and was killed", check: func(t *testing.T, r fleet.Result) {
			t.Helper()
			if n := len(r.Command.Stdout) + len(r.Command.Stderr); n != 1000 || !r.Command.Truncated {
				t.Errorf("%d bytes, truncated %v", n, r.Command.Truncated)
			}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := only(t, orderBy(t, tt.remedy, fleet.Order{By: "ana", Secrets: map[string]string{"TOKEN": secret}}, place))
			if r.Outcome != tt.outcome || !strings.Contains(r.Reason, tt.reason) {
				t.Errorf("%s: %s, %+v", r.Outcome, r.Reason, r.Command)
			}
			if tt.check != nil && r.Command != nil {
				tt.check(t, r)
			}
		})
	}
}

// A command that kills its container is told from one that failed.
func TestACommandThatKillsItsContainer(t *testing.T) {
	t.Parallel()
	api := daemon(t)
	id := start(t, api, func(c *container.Config, _ *container.HostConfig) { c.Labels["it"] = "yes" })
	place := open(t, docker.Options{})
	mine := fmt.Sprintf(`labels.test == %q && labels.it == "yes"`, t.Name())
	inside := make(chan error, 1)
	go func() {
		time.Sleep(500 * time.Millisecond)
		_, err := api.ContainerKill(t.Context(), id, client.ContainerKillOptions{})
		inside <- err
	}()
	r := only(t, order(t, fleet.Remedy{Where: mine, Run: []string{"sleep", "100"}}, place))
	if err := <-inside; err != nil {
		t.Fatal(err)
	}
	if r.Outcome != fleet.Failed || !strings.Contains(r.Reason, "the instance ended while the command ran") {
		t.Errorf("%s: %s", r.Outcome, r.Reason)
	}
}

// A host that goes away in mid-command: nobody knows whether it was done, and the transcript says so.
func TestAHostThatGoesAway(t *testing.T) {
	t.Parallel()
	api := daemon(t)
	start(t, api)
	far := newRelay(t)
	place := open(t, docker.Options{Host: "tcp://" + far.Addr().String()})
	go func() {
		time.Sleep(time.Second)
		far.cut()
	}()
	r := only(t, order(t, fleet.Remedy{Run: []string{"sleep", "100"}, Timeout: fleet.Duration(20 * time.Second)}, place))
	if r.Outcome != fleet.Unclear || r.Instance.Host != far.Addr().String() {
		t.Errorf("%s of %s: %s", r.Outcome, r.Instance.Host, r.Reason)
	}
	if r := order(t, fleet.Remedy{Run: []string{"true"}}, place); len(r.Unreached) != 1 || r.Complete() {
		t.Errorf("a host that is gone: %s", r.Summary())
	}
}

// relay is the daemon at another address, which can go away.
type relay struct {
	net.Listener

	mu    sync.Mutex
	conns []net.Conn
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l}
	t.Cleanup(r.cut)
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := (&net.Dialer{}).DialContext(t.Context(), "unix", "/var/run/docker.sock")
			if err != nil {
				_ = from.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, from, to)
			r.mu.Unlock()
			go func() { _, _ = io.Copy(to, from) }()
			go func() { _, _ = io.Copy(from, to) }()
		}
	}()
	return r
}

// cut ends all connections, and takes no more.
func (r *relay) cut() {
	_ = r.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
}

// Another container that has the name since is not touched.
func TestReplacedBetweenListingAndExec(t *testing.T) {
	t.Parallel()
	api := daemon(t)
	id := start(t, api)
	place := open(t, docker.Options{})
	inventory := fleet.NewInventory(place)
	if err := inventory.Refresh(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	var listed fleet.Instance
	for _, i := range inventory.Instances() {
		if i.ID == id {
			listed = i
		}
	}
	if _, err := api.ContainerRemove(t.Context(), id, client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	start(t, api)
	if _, err := place.Check(t.Context(), listed); !errors.Is(err, fleet.ErrGone) {
		t.Errorf("check: %v", err)
	}
	if _, err := place.Do(t.Context(), listed, fleet.Action{Strategy: fleet.Exec, Command: fleet.Command{Args: []string{"true"}, Limit: 1}}); !errors.Is(err, fleet.ErrGone) {
		t.Errorf("exec: %v", err)
	}
}

func TestStrategies(t *testing.T) {
	t.Parallel()
	api := daemon(t)
	place := open(t, docker.Options{})
	state := func(id string) container.InspectResponse {
		t.Helper()
		got, err := api.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return got.Container
	}
	tests := map[fleet.Strategy]func(t *testing.T, before, after container.InspectResponse){
		fleet.Pause: func(t *testing.T, _, after container.InspectResponse) {
			t.Helper()
			if !after.State.Paused {
				t.Error("it is not paused")
			}
		},
		fleet.Isolate: func(t *testing.T, before, after container.InspectResponse) {
			t.Helper()
			if len(before.NetworkSettings.Networks) != 1 || len(after.NetworkSettings.Networks) != 0 || !after.State.Running {
				t.Errorf("networks %v, then %v", before.NetworkSettings.Networks, after.NetworkSettings.Networks)
			}
		},
		fleet.Restart: func(t *testing.T, before, after container.InspectResponse) {
			t.Helper()
			if !after.State.Running || before.State.StartedAt == after.State.StartedAt {
				t.Errorf("started %s, then %s", before.State.StartedAt, after.State.StartedAt)
			}
		},
		fleet.Stop: func(t *testing.T, _, after container.InspectResponse) {
			t.Helper()
			if after.State.Running {
				t.Error("it runs")
			}
		},
	}
	for strategy, check := range tests {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			id := start(t, api, func(c *container.Config, h *container.HostConfig) {
				h.NetworkMode = "bridge"
				c.Cmd = []string{"sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"}
			})
			before := state(id)
			r := only(t, order(t, fleet.Remedy{Strategies: []fleet.Strategy{strategy}, Where: fmt.Sprintf("labels.test == %q", t.Name())}, place))
			if r.Outcome != fleet.Done {
				t.Fatalf("%s: %s", r.Outcome, r.Reason)
			}
			check(t, before, state(id))
		})
	}
}

// Two operators never work on the same instance at once.
func TestClaims(t *testing.T) {
	t.Parallel()
	api := daemon(t)
	one, two := start(t, api), start(t, api)
	place := open(t, docker.Options{})
	now := time.Now()
	claim := func(run string, until time.Time, ids ...string) (map[string]string, func(context.Context) error) {
		held, release, err := place.Claim(t.Context(), fleet.Claim{Run: run, Remedy: "r-" + run, By: "by-" + run, IDs: ids, Now: now, Until: until})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = release(context.WithoutCancel(t.Context())) })
		return held, release
	}
	a, b, c := rand.Text(), rand.Text(), rand.Text()
	if held, _ := claim(a, now.Add(-time.Second), one, two); len(held) > 0 {
		t.Error(held)
	}
	held, release := claim(b, now.Add(time.Minute), one)
	if len(held) > 0 {
		t.Errorf("a claim that has ended counts: %v", held)
	}
	if held, _ := claim(c, now.Add(time.Minute), two, one); len(held) != 1 || !strings.Contains(held[one], "by-"+b) {
		t.Error(held)
	}
	r := order(t, fleet.Remedy{Run: []string{"true"}, Limits: fleet.Limits{Canary: "100%"}}, place)
	for _, one := range r.Results {
		if one.Outcome != fleet.Held {
			t.Errorf("%s: %s", one.Outcome, one.Reason)
		}
	}
	if err := release(t.Context()); err != nil {
		t.Error(err)
	}
}

// What was done is not done again, until the instance restarts.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	api := daemon(t)
	ids := []string{start(t, api), start(t, api), start(t, api)}
	place := open(t, docker.Options{})
	auditLog, err := audit.Open(t.TempDir(), audit.Options{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer auditLog.Close()
	remedy := fleet.Remedy{Script: "test ! -e /tmp/broken"}
	breaks := fleet.Command{Args: []string{"touch", "/tmp/broken"}, Limit: 1}
	if _, err := place.Do(t.Context(), fleet.Instance{ID: ids[2]}, fleet.Action{Strategy: fleet.Exec, Command: breaks}); err != nil {
		t.Fatal(err)
	}
	remedy.Limits.Canary = "3"
	first := orderIn(t, auditLog, remedy, fleet.Order{By: "ana"}, place)
	if first.Counts[fleet.Done] != 2 || first.Counts[fleet.Failed] != 1 {
		t.Fatal(first.Summary())
	}
	if _, err := api.ContainerRestart(t.Context(), ids[0], client.ContainerRestartOptions{Timeout: new(int)}); err != nil {
		t.Fatal(err)
	}
	second := orderIn(t, auditLog, remedy, fleet.Order{By: "ana"}, place)
	if second.Counts[fleet.Done] != 1 || second.Counts[fleet.Already] != 1 || second.Counts[fleet.Failed] != 1 {
		t.Fatal(second.Summary())
	}
	read, err := fleet.Transcripts(auditLog.FS())
	if err != nil || len(read) != 2 || read[1].Summary() != second.Summary() || read[1].By != "ana" {
		t.Errorf("%d transcripts, %v", len(read), err)
	}
}

// An instance that starts or restarts while the remedy is in force gets it.
func TestWatch(t *testing.T) {
	t.Parallel()
	api := daemon(t)
	first := start(t, api)
	place := open(t, docker.Options{})
	inventory := fleet.NewInventory(place)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready := make(chan struct{})
	go inventory.Follow(ctx, func() { close(ready) })
	<-ready
	condition, err := where.Compile(fmt.Sprintf("labels.test == %q", t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	selector, err := condition.Prepare(ctx, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	auditLog, err := audit.Open(t.TempDir(), audit.Options{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer auditLog.Close()
	results := make(chan fleet.Result, 10)
	runner := fleet.Runner{Inventory: inventory, Log: auditLog, Result: func(r fleet.Result) { results <- r }}
	ended := make(chan *fleet.Transcript, 1)
	go func() {
		transcript, err := runner.Run(ctx, fleet.Order{
			Remedy: fleet.Remedy{Name: "watched", Where: condition.String(), Run: []string{"true"}, Expires: time.Now().Add(time.Hour)}, Selector: selector, By: "ana", Watch: true,
		})
		if err != nil {
			t.Error(err)
		}
		ended <- transcript
	}()
	next := func(id string) {
		t.Helper()
		select {
		case r := <-results:
			if r.Instance.ID != id || r.Outcome != fleet.Done {
				t.Errorf("%s of %s: %s", r.Outcome, r.Instance.ID, r.Reason)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no result")
		}
	}
	next(first)
	next(start(t, api))
	if _, err := api.ContainerRestart(ctx, first, client.ContainerRestartOptions{Timeout: new(int)}); err != nil {
		t.Fatal(err)
	}
	next(first)
	cancel()
	if transcript := <-ended; len(transcript.Results) != 3 {
		t.Error(transcript.Summary())
	}
}
