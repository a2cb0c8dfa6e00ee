package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/campaign"
)

func rehearsal(t *testing.T, args ...string) (out, progress string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := newCommand()
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetArgs(append(args, "--state", t.TempDir()))
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	return stdout.String(), stderr.String()
}

func TestWithoutDocker(t *testing.T) {
	testenv.NeedsRoot(t)
	report := filepath.Join(t.TempDir(), "report.html")
	out, progress := rehearsal(t, "--no-docker", "--images", "5", "--json", "--report", report)
	var state campaign.State
	if err := json.Unmarshal([]byte(out), &state); err != nil {
		t.Fatal(err)
	}
	if rebased, rebuilt := state.Replaced(); state.Phase != campaign.Safe || rebased != 4 || rebuilt != 1 {
		t.Errorf("%s, %d rebased, %d built again", state.Phase, rebased, rebuilt)
	}
	marks := state.Timeline
	if marks.FirstRefusal.IsZero() || marks.FirstRefusal.After(marks.AllSafe) {
		t.Errorf("%+v", marks)
	}
	for _, want := range []string{"refused a start: it is banned by " + ban, "wave 1: 4 rebased, 1 rebuilt"} {
		if !strings.Contains(progress, want) {
			t.Errorf("the progress lacks %q:\n%s", want, progress)
		}
	}
	page, err := os.ReadFile(report)
	if err != nil || !bytes.Contains(page, []byte("all is safe")) {
		t.Errorf("%v: %.200s", err, page)
	}
}

func TestWithDocker(t *testing.T) {
	testenv.NeedsRoot(t)
	testenv.NeedsDocker(t)
	out, progress := rehearsal(t, "--images", "3", "--containers", "2")
	for _, want := range []string{"all is safe; 2 instances under a remedy", "3 images rebased and 0 built again"} {
		if !strings.Contains(out, want) {
			t.Errorf("the outcome lacks %q:\n%s", want, out)
		}
	}
	if want := "Containers are replaced too: 2 run, 0 of them denied."; !strings.Contains(progress, want) {
		t.Errorf("the progress lacks %q:\n%s", want, progress)
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{"--images", "0"}, {"--containers", "-1"}, {"--conjure"}, {"word"}} {
		cmd := newCommand()
		cmd.SetOut(&bytes.Buffer{})
		cmd.SetErr(&bytes.Buffer{})
		cmd.SetArgs(args)
		if err := cmd.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
