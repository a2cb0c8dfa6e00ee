package blackbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/fake"
)

// counting counts what a runtime starts.
type counting struct {
	*fake.Runtime
	started atomic.Int32
}

func (c *counting) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	c.started.Add(1)
	return c.Runtime.Start(ctx, spec)
}

func TestScenariosThatOnlyLookShareAnInstance(t *testing.T) {
	const looks = "    When an instance is started\n    Then within 10 seconds \"GET /health\" on port 8080 answers 200\n"
	tests := []struct {
		name    string
		tag     string
		steps   string
		started int32
	}{
		{"looks", "", looks, 1},
		{"asks to be alone", "@alone", looks, 8},
		{"sends", "", "    When an instance is started\n    And within 10 seconds \"POST /echo\" is sent to port 8080\n", 8},
		{"runs a command", "", looks + "    Then the command \"/app/service version\" exits with 0 in the instance\n", 8},
		{"runs a command that changes nothing", "@shared", looks + "    Then the command \"/app/service version\" exits with 0 in the instance\n", 1},
		{"stops it", "", looks + "    Then the instance stops within 5 seconds on SIGTERM\n", 8},
		{"starts two", "", "    When an instance \"a\" is started\n    And an instance \"b\" is started\n", 16},
		{"reads files", "", "    Then the file \"/etc/motd\" exists\n", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var feature strings.Builder
			fmt.Fprintf(&feature, "%s\nFeature: F\n", tt.tag)
			for n := range 8 {
				fmt.Fprintf(&feature, "  Scenario: %d\n%s", n, tt.steps)
			}
			runtime := &counting{Runtime: serviceRuntime()}
			s := suite(t, feature.String())
			s.Runtime = runtime
			v := run(t, s)
			if err := v.Err(); err != nil {
				t.Error(err)
			}
			if n := runtime.started.Load(); n != tt.started {
				t.Errorf("%d instances were started, want %d", n, tt.started)
			}
			if n := runtime.Open(); n != 0 {
				t.Errorf("%d instances are left", n)
			}
		})
	}
}

func TestInstancesThatDifferAreNotShared(t *testing.T) {
	var feature strings.Builder
	feature.WriteString("Feature: F\n")
	for n := range 8 {
		fmt.Fprintf(&feature, "  Scenario: %d\n    When an instance is started with the environment\n      | GREETING | g%d |\n    Then within 10 seconds the log contains \"g%d\"\n", n, n/2, n/2)
	}
	runtime := &counting{Runtime: serviceRuntime()}
	s := suite(t, feature.String())
	s.Runtime = runtime
	if err := run(t, s).Err(); err != nil {
		t.Error(err)
	}
	if n := runtime.started.Load(); n != 4 {
		t.Errorf("%d instances were started, want one for each of 4 environments", n)
	}
}

func TestInstancesOfAScenarioHaveANetwork(t *testing.T) {
	runtime := serviceRuntime()
	var networks atomic.Value
	service := runtime.Main
	runtime.Main = func(ctx context.Context, p *fake.Process) int {
		if peer := p.Getenv("ASK"); peer != "" {
			for {
				c, err := p.Dial(ctx, "tcp", peer)
				if err == nil {
					_, err = fmt.Fprint(c, "GET /health HTTP/1.0\r\n\r\n")
					answer, _ := io.ReadAll(c)
					networks.Store(string(answer))
					if err == nil {
						fmt.Fprintln(p.Stdout, "asked")
						break
					}
				}
				if ctx.Err() != nil {
					return 1
				}
			}
		}
		return service(ctx, p)
	}
	s := suite(t, `Feature: F
  Scenario: two
    When an instance "db" of the image "${database}" is started
    And an instance "web" is started with the environment
      | ASK | db:8080 |
    Then within 10 seconds the log contains "asked"
    When the instance "db" is looked at
    Then the log does not contain "asked"
`)
	s.Runtime = runtime
	if err := run(t, s).Err(); err != nil {
		t.Error(err)
	}
}

func TestAScenarioThatFailsShowsWhy(t *testing.T) {
	s := suite(t, `Feature: F
  Scenario: S
    Given a writable root filesystem
    When an instance is started
    Then within 10 seconds the log contains "listening"
    And the exit code is 0
    And the instance is running
`)
	scenario := run(t, s).Platforms[0].Scenarios[0]
	var got []blackbox.Status
	for _, step := range scenario.Steps {
		got = append(got, step.Status)
	}
	if diff := cmp.Diff([]blackbox.Status{"passed", "passed", "passed", "failed", "skipped"}, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"writable root filesystem"}, scenario.Loosened); diff != "" {
		t.Errorf("loosened (-want +got):\n%s", diff)
	}
	failed := scenario.Steps[3]
	if len(failed.Attachments) != 1 || failed.Attachments[0].Name != "stdout of instance" || !strings.Contains(string(failed.Attachments[0].Body), "listening") {
		t.Errorf("attachments %v, want the log", failed.Attachments)
	}
}

// deaf is an instance of a sandbox that can do the least: none of the optional interfaces.
type deaf struct{ *fake.Runtime }

func (d deaf) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	i, err := d.Runtime.Start(ctx, spec)
	return struct{ sandbox.Instance }{i}, err
}

func TestWhatASandboxCantDoFails(t *testing.T) {
	steps := []string{
		"the instance runs as a user other than root", "the instance listens on port 8080", "the instance is healthy",
		"the instance receives SIGTERM", "the instance is restarted", "the instance uses less than 1 GB of memory",
		`the command "/app/service version" is run in the instance`, `the file "/tmp/state" of the instance contains "x"`,
	}
	var feature strings.Builder
	feature.WriteString("Feature: F\n")
	for _, step := range steps {
		fmt.Fprintf(&feature, "  Scenario: %s\n    When an instance is started\n    Then %s\n", step, step)
	}
	s := suite(t, feature.String())
	s.Runtime = deaf{serviceRuntime()}
	v := run(t, s)
	if n := v.Counts()[blackbox.Failed]; n != len(steps) {
		t.Errorf("%d scenarios failed, want %d", n, len(steps))
	}
	for _, scenario := range v.Platforms[0].Scenarios {
		if got := scenario.Steps[1].Error; !strings.Contains(got, sandbox.ErrUnsupported.Error()) {
			t.Errorf("%s: %q does not say that the sandbox can't", scenario.Name, got)
		}
	}
}

func TestTheEndOfTime(t *testing.T) {
	const waits = "Feature: F\n  Scenario: S\n%s    Given the arguments \"sleep\"\n    When an instance is started\n    Then within 1 hour the instance has ended\n  Scenario: T\n    Then the image has an entrypoint\n"
	tests := []struct {
		name   string
		budget string
		change func(*blackbox.Suite)
	}{
		{"of the suite", "", func(s *blackbox.Suite) { s.Options.ScenarioTime = 50 * time.Millisecond }},
		{"of the feature", "    Given a time budget of 50 milliseconds\n", func(*blackbox.Suite) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := suite(t, fmt.Sprintf(waits, tt.budget))
			runtime := serviceRuntime()
			s.Runtime = runtime
			tt.change(&s)
			v := run(t, s)
			if got := explain(v); !strings.Contains(got, "the scenario's time is over") || strings.Count(got, "\n") > 0 {
				t.Errorf("findings:\n%s\nwant one about the time", got)
			}
			if n := runtime.Open(); n != 0 {
				t.Errorf("%d instances are left", n)
			}
		})
	}
}

func TestACancelledRunLeavesNothing(t *testing.T) {
	s := suite(t, "Feature: F\n  Scenario: S\n    Given the arguments \"sleep\"\n    When an instance is started\n    Then within 1 hour the instance has ended\n")
	runtime := serviceRuntime()
	s.Runtime = runtime
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped by hand")
	time.AfterFunc(100*time.Millisecond, func() { cancel(stop) })
	v, err := s.Run(ctx)
	if !errors.Is(err, stop) {
		t.Errorf("error %v, want the cause", err)
	}
	if v.Result() != blackbox.ResultFailed {
		t.Errorf("result %s of a run that was cancelled", v.Result())
	}
	if n := runtime.Open(); n != 0 {
		t.Errorf("%d instances are left", n)
	}
}

func TestBadInstances(t *testing.T) {
	tests := []struct{ name, steps, want string }{
		{
			"never ready", "Given the arguments \"sleep\"\nWhen an instance is started\nThen within 100 milliseconds \"GET /\" on port 8080 answers 200",
			"still so after 100ms: GET / on port 8080: expected an answer: dial tcp: connect: connection refused",
		},
		{
			"ends at once", "Given the arguments \"exit 3\"\nWhen an instance is started\nThen the instance keeps running for 5 seconds",
			"the instance: expected to keep running for 5s, found ended with exit code 3",
		},
		{
			"ignores SIGTERM", "Given the arguments \"stubborn\"\nWhen an instance is started\nThen within 10 seconds the log contains \"ready\"\nAnd the instance stops within 100 milliseconds on SIGTERM",
			"the instance: expected to end within 100ms of SIGTERM, found still running",
		},
		{
			"floods its log", "Given the arguments \"flood\"\nWhen an instance is started\nThen within 10 seconds the log contains \"the end\"",
			"still so after 10s: the log is longer than the sandbox keeps",
		},
		{
			"has no such command", "When the command \"/bin/gone --now\" is run\nThen the exit code is 0",
			"/bin/gone --now: expected exit code 0, found exit code 127",
		},
		{
			"answers something else", "When an instance is started\nAnd within 10 seconds port 8080 accepts connections\nThen \"GET /gone\" on port 8080 answers 200",
			"the status of GET /gone: expected 200, found 404 Not Found: \"404 page not found\\n\"",
		},
		{
			"is sent nonsense", "When an instance is started\nThen \"health\" on port 8080 answers 200",
			"\"health\" is no request: write a method and a path, such as \"GET /health\"",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := suite(t, "Feature: F\n  Scenario: S\n    "+strings.ReplaceAll(tt.steps, "\n", "\n    ")+"\n  Scenario: T\n    Then the image has an entrypoint\n")
			s.Options.Limits.Output = 10_000
			runtime := serviceRuntime()
			s.Runtime = runtime
			v := run(t, s)
			if v.Counts()[blackbox.Passed] != 1 || v.Counts()[blackbox.Failed] != 1 {
				t.Errorf("counts %v, want one scenario failed and the other passed", v.Counts())
			}
			if got := explain(v); !strings.Contains(got, tt.want) {
				t.Errorf("findings:\n%s\nwant %q", got, tt.want)
			}
			if n := runtime.Open(); n != 0 {
				t.Errorf("%d instances are left", n)
			}
		})
	}
}

func TestAnEngineThatStopsFailsItsScenarios(t *testing.T) {
	runtime := serviceRuntime()
	runtime.StartErr = errors.New("no answer from the engine")
	s := suite(t, "Feature: F\n  Scenario: S\n    When an instance is started\n  Scenario: T\n    Then the image has an entrypoint\n")
	s.Runtime = runtime
	v := run(t, s)
	if v.Counts()[blackbox.Passed] != 1 || !strings.Contains(explain(v), "no answer from the engine") {
		t.Errorf("counts %v:\n%s", v.Counts(), explain(v))
	}
}

func TestATarBombFailsItsScenario(t *testing.T) {
	s := suite(t, "Feature: F\n  Scenario: S\n    Then the file \"/etc/motd\" exists\n  Scenario: T\n    Then the image has an entrypoint\n")
	s.Options.Layers = imagefs.Limits{Bytes: 1 << 10}
	v := run(t, s)
	if v.Counts()[blackbox.Passed] != 1 || !strings.Contains(explain(v), "layer 1: more than 1024 decompressed bytes") {
		t.Errorf("counts %v:\n%s", v.Counts(), explain(v))
	}
}

// selective runs some platforms only.
type selective struct{ *fake.Runtime }

func (s selective) CanRun(_ context.Context, platform string) error {
	if platform == "linux/amd64" {
		return nil
	}
	return fmt.Errorf("no emulation of %s: %w", platform, sandbox.ErrUnsupported)
}

// index returns an index of the service for two platforms, with an attestation as BuildKit adds it.
func index(t *testing.T) v1.ImageIndex {
	t.Helper()
	amd64 := serviceImage(t)
	config, err := amd64.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.Architecture = "arm64"
	arm64, err := mutate.ConfigFile(amd64, config)
	if err != nil {
		t.Fatal(err)
	}
	add := func(img v1.Image, os, arch string) mutate.IndexAddendum {
		return mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: os, Architecture: arch}}}
	}
	return mutate.AppendManifests(empty.Index, add(amd64, "linux", "amd64"), add(arm64, "linux", "arm64"), add(empty.Image, "unknown", "unknown"))
}

func TestEveryPlatformOfAnIndex(t *testing.T) {
	s := suite(t, "Feature: F\n  Scenario: files\n    Then the file \"/etc/motd\" exists\n  Scenario: instance\n    When an instance is started\n    Then the instance is running\n")
	s.Image, s.Index, s.Runtime = nil, index(t), selective{serviceRuntime()}
	v := run(t, s)
	var got []string
	for _, p := range v.Platforms {
		for _, scenario := range p.Scenarios {
			got = append(got, fmt.Sprintf("%s %s: %s", p.Platform, scenario.Name, scenario.Status))
		}
	}
	want := []string{"linux/amd64 files: passed", "linux/amd64 instance: passed", "linux/arm64 files: passed", "linux/arm64 instance: untested"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var untested *blackbox.UntestedError
	if err := v.Err(); !errors.As(err, &untested) || v.Result() != blackbox.ResultWarned {
		t.Errorf("error %v, result %s; want an UntestedError and WARNED", err, v.Result())
	}
	for i, want := range []blackbox.Result{blackbox.ResultPassed, blackbox.ResultWarned} {
		r, err := v.TestResult(v.Platforms[i].Digest)
		if err != nil || r.Result != want {
			t.Errorf("test result of %s: %s, %v; want %s", v.Platforms[i].Platform, r.Result, err, want)
		}
	}
	if r, err := v.TestResult(v.Digest); err != nil || r.Result != blackbox.ResultWarned || len(r.PassedTests) != 3 {
		t.Errorf("test result of the index: %+v, %v", r, err)
	}
	if _, err := v.TestResult(v1.Hash{Algorithm: "sha256", Hex: "00"}); err == nil {
		t.Error("a verdict is taken for one about another image")
	}

	s.Options.Platforms = []string{"linux/amd64"}
	if err := run(t, s).Err(); err != nil {
		t.Errorf("one platform alone: %v", err)
	}
	s.Options.Platforms = []string{"linux/riscv64"}
	if _, err := s.Run(t.Context()); err == nil || err.Error() != `the index has no image for linux/riscv64: it has "linux/amd64", "linux/arm64"` {
		t.Errorf("a platform that is not there: %v", err)
	}
}

func TestTagsSelect(t *testing.T) {
	const feature = "@f\nFeature: F\n  Scenario: none\n    Then the image has an entrypoint\n  @a\n  Scenario: a\n    Then the image has an entrypoint\n  @b\n  Scenario: b\n    Then the image has an entrypoint\n  @a @b\n  Scenario: ab\n    Then the image has an entrypoint\n"
	tests := []struct {
		tags string
		want string
	}{
		{"", "none a b ab"},
		{"@a", "a ab"},
		{"not @a", "none b"},
		{"@a and @b", "ab"},
		{"@a or @b", "a b ab"},
		{"@a and not @b", "a"},
		{"not (@a or @b)", "none"},
		{"(@a or @b) and not (@a and @b)", "a b"},
		{"@f", "none a b ab"},
	}
	for _, tt := range tests {
		s := suite(t, feature)
		s.Options.Tags, s.Options.Concurrency = tt.tags, 1
		var got []string
		for _, scenario := range run(t, s).Platforms[0].Scenarios {
			got = append(got, scenario.Name)
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.tags, diff)
		}
	}
}

func TestPathsSelect(t *testing.T) {
	s := suite(t, "Feature: F\n  Scenario: one\n    Then the image has an entrypoint\n\n  Scenario: two\n    Then the image has an entrypoint\n")
	s.Paths = []string{"service.feature:5"}
	v := run(t, s)
	if err := v.Err(); err != nil || len(v.Platforms[0].Scenarios) != 1 || v.Platforms[0].Scenarios[0].Name != "two" {
		t.Errorf("scenarios %+v, %v; want two alone", v.Platforms[0].Scenarios, err)
	}
	s.Paths = []string{"service.feature:4"}
	if v := run(t, s); v.Result() == blackbox.ResultPassed {
		t.Error("a line without a scenario passes")
	}
}

func TestSubtests(t *testing.T) {
	s := suite(t, "Feature: F\n  Scenario: it starts\n    When an instance is started\n    Then the instance is running\n  Scenario: it has files\n    Then the file \"/etc/motd\" exists\n")
	s.Test(t)
}

func TestOwnSteps(t *testing.T) {
	s := suite(t, "Feature: F\n  Scenario: S\n    When an instance is started\n    Then within 10 seconds the service is called \"service\"\n")
	s.Options.Steps = []blackbox.Step{{
		Group: "Ours", Expression: "the service is called {string}", Kind: blackbox.KindInstance, Within: true,
		Func: func(ctx context.Context, s *blackbox.Scenario, a blackbox.Args) error {
			i, err := s.Instance("")
			if err != nil {
				return err
			}
			logs, err := i.Logs(ctx)
			if err != nil {
				return err
			}
			s.Attach("log", "text/plain", logs.Stdout)
			if got := s.Image().Config.Config.Labels["org.opencontainers.image.title"]; got != a.String(0) {
				return &blackbox.Mismatch{What: "the service", Expected: a.String(0), Found: got}
			}
			return nil
		},
	}}
	if err := run(t, s).Err(); err != nil {
		t.Error(err)
	}
}

// sticky is a sandbox whose instances can't be removed.
type sticky struct{ *fake.Runtime }

type stuck struct{ sandbox.Instance }

func (s stuck) Close(ctx context.Context) error {
	return errors.Join(s.Instance.Close(ctx), errors.New("device or resource busy"))
}

func (s sticky) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	i, err := s.Runtime.Start(ctx, spec)
	return stuck{i}, err
}

func (s sticky) Weaknesses() []string { return []string{"it leaves things behind"} }

func TestWhatCantBeRemovedFails(t *testing.T) {
	s := suite(t, "@alone\nFeature: F\n  Scenario: S\n    When an instance is started\n    Then the instance is running\n")
	s.Runtime = sticky{serviceRuntime()}
	v := run(t, s)
	if got := explain(v); !strings.Contains(got, `removing instance "instance": device or resource busy`) {
		t.Errorf("findings:\n%s", got)
	}
	if diff := cmp.Diff([]string{"it leaves things behind"}, v.Weaknesses); diff != "" {
		t.Errorf("weaknesses (-want +got):\n%s", diff)
	}

	s = suite(t, "Feature: F\n  Scenario: S\n    When an instance is started\n    Then the instance is running\n")
	s.Runtime = sticky{serviceRuntime()}
	if _, err := s.Run(t.Context()); err == nil || err.Error() != "device or resource busy" {
		t.Errorf("error %v of a shared instance that can't be removed", err)
	}
}
