package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// clock gives each entry a second of its own.
func clock() func() time.Time {
	var mu sync.Mutex
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Second)
		return at
	}
}

func open(t testing.TB, dir string, opts audit.Options) *audit.Log {
	t.Helper()
	if opts.Now == nil {
		opts.Now = clock()
	}
	log, err := audit.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func appendN(t testing.TB, log *audit.Log, n int) {
	t.Helper()
	for range n {
		if _, err := log.Append(audit.Event{Actor: "ana", Action: "build.request", Object: "build/42", Outcome: audit.Allowed}); err != nil {
			t.Fatal(err)
		}
	}
}

func entries(t testing.TB, dir string, from uint64) []audit.Entry {
	t.Helper()
	var all []audit.Entry
	for e, err := range audit.Read(os.DirFS(dir), from) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// whole fails unless the log verifies and has that many lines.
func whole(t testing.TB, dir string, lines uint64, known ...audit.Checkpoint) {
	t.Helper()
	v, err := audit.Verify(os.DirFS(dir), audit.VerifyOptions{Checkpoints: known})
	if err != nil {
		t.Fatal(err)
	}
	if err := finding.Gate(v.Findings, finding.Info); err != nil || v.Lines != lines {
		t.Errorf("%d lines, want %d; %v", v.Lines, lines, err)
	}
}

func TestWhatIsAppendedIsRead(t *testing.T) {
	dir := t.TempDir()
	log := open(t, dir, audit.Options{Name: "x"})
	event := audit.Event{
		Actor: "ana <ana@example.com>", Action: "build.request", Object: "build/42", Outcome: audit.Denied,
		Detail: map[string]string{"reason": "a line\nand \"another\" & \u2028 more"},
	}
	want, err := log.Append(event)
	if err != nil {
		t.Fatal(err)
	}
	got := entries(t, dir, 0)
	if diff := cmp.Diff([]audit.Entry{want}, got); diff != "" {
		t.Errorf("(-appended +read):\n%s", diff)
	}
	if diff := cmp.Diff(event, got[0].Event); diff != "" {
		t.Errorf("(-event +read):\n%s", diff)
	}
	if c := log.Checkpoint(); c.Log != "x" || c.Seq != 1 || c.Hash != want.Hash {
		t.Errorf("the checkpoint is %+v", c)
	}
}

func TestFilesRotateAndTheChainGoesOn(t *testing.T) {
	dir := t.TempDir()
	log := open(t, dir, audit.Options{MaxBytes: 1000})
	appendN(t, log, 30)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log = open(t, dir, audit.Options{MaxBytes: 1000})
	appendN(t, log, 30)
	names, err := filepath.Glob(filepath.Join(dir, "audit-*.jsonl"))
	if err != nil || len(names) < 10 {
		t.Errorf("%d files, %v; want 10 or more", len(names), err)
	}
	whole(t, dir, 60, log.Checkpoint())
	if got := entries(t, dir, 57); len(got) != 4 || got[0].Seq != 57 {
		t.Errorf("read from 57: %v", got)
	}
	t.Run("a crash right after a file was begun", func(t *testing.T) {
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("audit-%020d.jsonl", 61)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		appendN(t, open(t, dir, audit.Options{MaxBytes: 1000}), 1)
		whole(t, dir, 61)
	})
}

func TestALineCutShortByACrashIsTakenOff(t *testing.T) {
	source := t.TempDir()
	log := open(t, source, audit.Options{})
	appendN(t, log, 3)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	const name = "audit-00000000000000000001.jsonl"
	text, err := os.ReadFile(filepath.Join(source, name))
	if err != nil {
		t.Fatal(err)
	}
	third := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	for cut := third + 1; cut < len(text); cut += 7 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := audit.Verify(os.DirFS(dir), audit.VerifyOptions{}); err != nil || len(v.Findings) != 1 || v.Findings[0].Rule != audit.RuleTorn {
			t.Errorf("cut at %d: before it is opened again: %+v, %v", cut, v, err)
		}
		log := open(t, dir, audit.Options{})
		appendN(t, log, 1)
		whole(t, dir, 4)
		if got := entries(t, dir, 3); got[0].Action != "audit.recover" || got[0].Detail["bytes"] != fmt.Sprint(cut-third) {
			t.Errorf("cut at %d: the entry about it is %+v", cut, got[0])
		}
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	log := open(t, dir, audit.Options{})
	if _, err := audit.Open(dir, audit.Options{}); !errors.Is(err, audit.ErrInUse) {
		t.Errorf("a second writer: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(audit.Event{Actor: "ana", Action: "x"}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("appended to a closed log: %v", err)
	}
}

func TestManyWritersAtOnce(t *testing.T) {
	dir := t.TempDir()
	log := open(t, dir, audit.Options{MaxBytes: 5000})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 10 {
				if _, err := log.Append(audit.Event{Actor: "ana", Action: "build.request"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	whole(t, dir, 200, log.Checkpoint())
}

func TestEventsThatAreRefusedLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	log := open(t, dir, audit.Options{})
	long := audit.Event{Actor: "ana", Action: "x", Detail: map[string]string{"y": strings.Repeat("z", audit.MaxLine)}}
	if _, err := log.Append(long); !errors.Is(err, audit.ErrTooLong) {
		t.Errorf("a long event: %v", err)
	}
	if _, err := log.Append(audit.Event{Action: "x"}); err == nil {
		t.Error("an event without an actor was taken")
	}
	appendN(t, log, 1)
	whole(t, dir, 1)
}

func TestABrokenEndIsNotWrittenTo(t *testing.T) {
	dir := t.TempDir()
	log := open(t, dir, audit.Options{})
	appendN(t, log, 2)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "audit-00000000000000000001.jsonl")
	text, _ := os.ReadFile(name)
	last := bytes.LastIndex(text, []byte("ana"))
	text[last] = 'e'
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(dir, audit.Options{}); err == nil || !strings.Contains(err.Error(), "the last line of audit-0") {
		t.Errorf("opened a log whose last line was changed: %v", err)
	}
}

func TestAFullDiskLosesNothing(t *testing.T) {
	testenv.NeedsRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		testenv.Needs(t, "mounts", err.Error())
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	log := open(t, dir, audit.Options{})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 40<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	var written uint64
	var err error
	for err == nil {
		if _, err = log.Append(audit.Event{Actor: "ana", Action: "x", Detail: map[string]string{"y": strings.Repeat("z", 1500)}}); err == nil {
			written++
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the error is %v", err)
	}
	whole(t, dir, written, log.Checkpoint())
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	appendN(t, log, 3)
	whole(t, dir, written+3, log.Checkpoint())
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkAppend(b *testing.B) {
	log := open(b, b.TempDir(), audit.Options{})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := log.Append(audit.Event{Actor: "ana", Action: "build.request", Object: "build/42", Outcome: audit.Allowed}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	log := open(b, dir, audit.Options{})
	appendN(b, log, 1000)
	b.ResetTimer()
	for b.Loop() {
		whole(b, dir, 1000, log.Checkpoint())
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "us/line")
}
