package homes_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/homes"
)

func TestRunDirsOfEndedRunsAreRemoved(t *testing.T) {
	state := t.TempDir()
	killed := filepath.Join(state, "run-killed")
	if err := os.MkdirAll(filepath.Join(killed, "blobs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(killed+".lock", nil, 0o600); err != nil { // nobody holds it any more
		t.Fatal(err)
	}
	running, err := homes.NewRunDir(state)
	if err != nil {
		t.Fatal(err)
	}
	other, err := homes.NewRunDir(state)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(killed); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what the killed run left is still there: %v", err)
	}
	if _, err := os.Stat(running.Path); err != nil {
		t.Errorf("the directory of a run that goes on: %v", err)
	}
	if err := errors.Join(running.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(state); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
