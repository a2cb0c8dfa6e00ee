package lint_test

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

var corpusDir = flag.String("corpus", os.Getenv("PLIMSOLL_LINT_CORPUS"), "folder with Dockerfiles to measure on; default is the archives of the rules")

// corpus returns the files to measure on.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	if *corpusDir == "" {
		for i, src := range seeds(t) {
			files[filepath.Join("seed", string(rune('0'+i)))] = src
		}
		return files
	}
	err := filepath.WalkDir(*corpusDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		src, err := os.ReadFile(path)
		files[path] = src
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// BenchmarkLint compares, in one run and file by file, BuildKit's parser alone with parse and all rules. For each file the
// best of all rounds counts, in processor time, so that what else the machine does matters little. It reports the ratio of
// the sums; the same of all processor time that the process used, the garbage collector's with it; and the slowest file.
//
//	go test ./sdk/lint -run - -bench Lint -benchtime 10x -corpus ~/dockerfiles
func BenchmarkLint(b *testing.B) {
	runtime.LockOSThread() // the clock is the thread's
	defer runtime.UnlockOSThread()
	files := corpus(b)
	for name, src := range files {
		if _, err := parser.Parse(bytes.NewReader(src)); err != nil {
			delete(files, name)
		}
	}
	all := rules.All()
	alone, ours := map[string]time.Duration{}, map[string]time.Duration{}
	var allAlone, allOurs time.Duration
	for b.Loop() {
		for name, src := range files {
			start, whole := cpuTime(b, unix.CLOCK_THREAD_CPUTIME_ID), cpuTime(b, unix.CLOCK_PROCESS_CPUTIME_ID)
			if _, err := parser.Parse(bytes.NewReader(src)); err != nil {
				b.Fatal(err)
			}
			mid, half := cpuTime(b, unix.CLOCK_THREAD_CPUTIME_ID), cpuTime(b, unix.CLOCK_PROCESS_CPUTIME_ID)
			if file, err := definition.Parse("Dockerfile", src); err == nil {
				if _, err := lint.Run(file, all, lint.Config{At: now}); err != nil {
					b.Fatal(err)
				}
			}
			best(alone, name, mid-start)
			best(ours, name, cpuTime(b, unix.CLOCK_THREAD_CPUTIME_ID)-mid)
			allAlone, allOurs = allAlone+half-whole, allOurs+cpuTime(b, unix.CLOCK_PROCESS_CPUTIME_ID)-half
		}
	}
	var sumAlone, sumOurs, slowest time.Duration
	for name := range ours {
		sumAlone, sumOurs, slowest = sumAlone+alone[name], sumOurs+ours[name], max(slowest, ours[name])
	}
	n := float64(len(ours))
	b.ReportMetric(float64(sumOurs)/float64(sumAlone), "ours/parser")
	b.ReportMetric(float64(allOurs)/float64(allAlone), "ours/parser-with-gc")
	b.ReportMetric(float64(sumOurs.Microseconds())/n, "µs/file")
	b.ReportMetric(float64(sumAlone.Microseconds())/n, "parser-µs/file")
	b.ReportMetric(float64(slowest.Microseconds())/1000, "slowest-ms")
	b.ReportMetric(n, "files")
}

// cpuTime is the processor time on one of the system's clocks.
func cpuTime(b *testing.B, clock int32) time.Duration {
	b.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

func best(times map[string]time.Duration, name string, took time.Duration) {
	if old, ok := times[name]; !ok || took < old {
		times[name] = took
	}
}

// TestCorpus lints and fixes every file of a corpus: nothing crashes, a file that does not parse does not stop the
// others, fixes come to an end and keep every byte outside their edits.
func TestCorpus(t *testing.T) {
	all := rules.All()
	var parsed, refused, found, fixed int
	byRule := map[string]int{}
	for name, src := range corpus(t) {
		file, err := definition.Parse("Dockerfile", src)
		if err != nil {
			if _, ok := errors.AsType[*definition.SyntaxError](err); !ok {
				t.Errorf("%s: %v", name, err)
			}
			refused++
			continue
		}
		parsed++
		findings, err := lint.Run(file, all, lint.Config{At: now})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, f := range findings {
			byRule[f.Rule]++
		}
		found += len(findings)
		after, left, err := lint.Fix(file, all, lint.Config{At: now})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(after.Src, src) {
			fixed++
		}
		checkNothingNew(t, name, findings, left)
	}
	t.Logf("%d files linted, %d refused, %d findings, %d files fixed", parsed, refused, found, fixed)
	for _, r := range all {
		t.Logf("%s %-28s %6d", r.ID, r.Name, byRule[r.ID])
	}
}

// checkNothingNew fails when a file has more findings of a rule after fixing.
func checkNothingNew(t *testing.T, name string, before, after []finding.Finding) {
	t.Helper()
	had := map[string]int{}
	for _, f := range before {
		had[f.Rule]++
	}
	for _, f := range after {
		if had[f.Rule]--; had[f.Rule] == -1 {
			t.Errorf("%s: fixing brings up %s", name, f)
		}
	}
}
