package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// TestMain lets the test binary be the program: tests start it as a user would, and can interrupt it.
func TestMain(m *testing.M) {
	if os.Getenv("QUICKSTART_TEST_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// quickstart is the program with its own state directory.
func quickstart(t *testing.T, state string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, append([]string{"--state", state, "--sandbox", "embedded"}, args...)...)
	cmd.Env = append(os.Environ(), "QUICKSTART_TEST_MAIN=1")
	return cmd
}

func TestQuickstart(t *testing.T) {
	testenv.NeedsUserNamespaces(t)
	state := t.TempDir()
	var out, log bytes.Buffer
	cmd := quickstart(t, state, "--json")
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	var got struct {
		Delivered struct {
			Reference string
			Diff      string
			Records   []struct{ Stage, Error string }
			Verdict   struct{ Digest string }
			Build     struct{ Layout string }
		}
		Refused struct {
			Findings []struct {
				Rule  string
				Place struct {
					File  string
					Start struct{ Line, Column int }
				}
			}
			Records []struct{ Stage, Error string }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.HasSuffix(got.Delivered.Reference, "@"+got.Delivered.Verdict.Digest) {
		t.Errorf("published %s, tested %s", got.Delivered.Reference, got.Delivered.Verdict.Digest)
	}
	if !strings.Contains(got.Delivered.Diff, "base/userland:1.4.9@sha256:") {
		t.Errorf("the diff does not show the move to 1.4.9:\n%s", got.Delivered.Diff)
	}
	index, err := registry.LoadLayout(got.Delivered.Build.Layout)
	if err != nil {
		t.Fatal(err)
	}
	if digest, err := index.Digest(); err != nil || digest.String() != got.Delivered.Verdict.Digest {
		t.Errorf("the layout has %s, %v; want %s", digest, err, got.Delivered.Verdict.Digest)
	}
	var refused []string
	for _, f := range got.Refused.Findings {
		if f.Rule == "DF1001" {
			refused = append(refused, filepath.Base(f.Place.File))
			if f.Place.Start.Line == 0 || f.Place.Start.Column == 0 {
				t.Errorf("the refusal has no line and column: %+v", f)
			}
		}
	}
	if len(refused) != 2 {
		t.Errorf("refused: %q, want the base and the image that is copied from", refused)
	}
	leftovers(t, state)
}

// leftovers finds what a run must not leave behind: its own directory, mounts and processes.
func leftovers(t *testing.T, state string) {
	t.Helper()
	if runs, _ := filepath.Glob(filepath.Join(state, "run-*")); len(runs) > 0 {
		t.Errorf("left behind: %q", runs)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, state) {
			t.Errorf("left mounted: %s", line)
		}
	}
}

// interruption is what the program says then: Go's own words, or those of a library that does not know why.
var interruption = regexp.MustCompile("quickstart: .*(interrupt signal received|context canceled)")

// TestInterrupt presses Ctrl-C in every stage: the program ends soon, says so, and leaves nothing behind.
func TestInterrupt(t *testing.T) {
	testenv.NeedsUserNamespaces(t)
	state := t.TempDir()
	for name, when := range map[string]string{
		"after the set-up":      "set up ",
		"while inputs are read": "checkout ",
		"before the build":      "lint ",
		"in the build":          "RUN ",
		"at its end":            "build      done",
		"in the test":           "test ",
	} {
		t.Run(name, func(t *testing.T) {
			cmd := quickstart(t, state)
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			interrupted := false
			for lines := bufio.NewScanner(stderr); lines.Scan(); {
				log.WriteString(lines.Text() + "\n")
				if !interrupted && strings.Contains(lines.Text(), when) {
					interrupted = true
					_ = cmd.Process.Signal(syscall.SIGINT)
				}
			}
			err = cmd.Wait()
			var exit *exec.ExitError
			switch {
			case !interrupted:
				t.Errorf("%q was never printed:\n%s", when, log.String())
			case errors.As(err, &exit) && exit.ExitCode() == 2 && interruption.MatchString(log.String()):
			case err == nil && (name == "in the test" || name == "at its end"): // it was done before the signal came
			default:
				t.Errorf("it ended with %v:\n%s", err, log.String())
			}
			leftovers(t, state)
		})
	}
}

func TestBadFlags(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"a repository without a catalog": {[]string{"--repo", "."}, "--repo needs --catalog"},
		"a catalog without a repository": {[]string{"--catalog", "catalog.yaml"}, "need --repo"},
		"no such builder":                {[]string{"--builder", "kaniko"}, `unknown builder "kaniko"`},
		"no such catalog":                {[]string{"--repo", ".", "--catalog", "/nowhere.yaml"}, "/nowhere.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := quickstart(t, t.TempDir(), test.args...).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), test.want) {
				t.Errorf("it ended with %v, want the exit code 2 and %q:\n%s", err, test.want, out)
			}
		})
	}
}
