package sqlite_test

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/lineagetest"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
)

func open(t testing.TB, path string) lineage.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestConformance(t *testing.T) {
	lineagetest.Run(t, func(t *testing.T) lineage.Store { return open(t, filepath.Join(t.TempDir(), "lineage.db")) })
}

func TestTwoPrograms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lineage.db")
	lineagetest.Together(t, open(t, path), open(t, path))
}

// What was put is there when the file is opened again.
func TestOpenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a file with ? and # and %20.db")
	store, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = store.Put(t.Context(), lineage.Batch{Marks: map[string]string{"a": "1"}})
	if e := store.Close(); err != nil || e != nil {
		t.Fatal(err, e)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	marks, err := open(t, path).Marks(t.Context(), "")
	if err != nil || marks["a"] != "1" {
		t.Errorf("got %v, %v", marks, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	newer := filepath.Join(dir, "newer.db")
	store := open(t, newer)
	db, err := sql.Open("sqlite", newer)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO lineage_schema VALUES (99)"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Marks(t.Context(), ""); err != nil {
		t.Errorf("a store that is open is held up: %v", err)
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		newer:                            "its schema has version 99, this program knows up to 1: use a newer program, or another database",
		text:                             "file is not a database",
		dir:                              "unable to open database file",
		filepath.Join(dir, "no", "such"): "unable to open database file",
	} {
		store, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err == nil {
			store.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

// A writer that is killed in the middle leaves what was there before.
func TestKilledWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lineage.db")
	if os.Getenv("LINEAGE_WRITE") != "" {
		path = os.Getenv("LINEAGE_WRITE")
		store := open(t, path)
		for i := range 1 << 20 {
			var b lineage.Batch
			for n := range 100 { // images whose number is a multiple of 100 were put whole
				b.Images = append(b.Images, lineage.Image{Digest: lineagetest.Digest(fmt.Sprint(i, n)), Kind: lineage.KindManifest})
			}
			if err := store.Put(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledWriter$")
	cmd.Env = append(os.Environ(), "LINEAGE_WRITE="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 1<<18 || time.Now().After(deadline) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	counts, err := open(t, path).Counts(t.Context())
	if err != nil || counts.Images == 0 || counts.Images%100 != 0 {
		t.Errorf("got %+v, %v, want whole batches of 100", counts, err)
	}
}
