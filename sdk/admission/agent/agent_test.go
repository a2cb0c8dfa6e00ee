package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/agent"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/distribution"
)

var (
	key = admissiontest.NewKey("ops")
	now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	pay = admissiontest.Digest("pay")
)

// deny makes the bytes of a bundle that denies pay.
func deny(change func(*bundle.Header)) []byte {
	h := bundle.Header{Name: "test", Version: 1, Issued: now, Expires: now.Add(24 * time.Hour)}
	if change != nil {
		change(&h)
	}
	b := bundle.NewBuilder(h)
	b.Deny(pay, bundle.Cause{Ban: b.Ban(bundle.Ban{ID: "BAN-1", Reason: "holes"})})
	var out bytes.Buffer
	if err := b.Write(context.Background(), &out, key); err != nil {
		log.Fatal(err)
	}
	return out.Bytes()
}

func version(n uint64) []byte { return deny(func(h *bundle.Header) { h.Version = n }) }

func open(t testing.TB, dir string, change func(*agent.Options)) *agent.Store {
	t.Helper()
	opts := agent.Options{Name: "test", Verifier: key, Now: func() time.Time { return now }}
	if change != nil {
		change(&opts)
	}
	s, err := agent.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func adopt(t testing.TB, s *agent.Store, data []byte) {
	t.Helper()
	if _, err := s.Adopt(t.Context(), data); err != nil {
		t.Fatal(err)
	}
}

func current(t testing.TB, s *agent.Store) uint64 {
	t.Helper()
	held, err := s.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return held.Bundle.Header().Version
}

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := agent.Open(dir, agent.Options{Name: "test", Verifier: key, Now: func() time.Time { return now }})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Adopt(ctx, version(3)); err != nil {
		log.Fatal(err)
	}
	_, err = store.Adopt(ctx, version(2))
	fmt.Println(err)
	fmt.Println(store.Status(ctx))
	gate := admission.NewGate(admission.Options{Bundles: store, Now: func() time.Time { return now }})
	fmt.Println(gate.Decide(ctx, admission.Image{Digests: []string{pay}}).Outcome)
	// Output:
	// an older deny bundle than was here before: version 2, and there was 3
	// test: version 3, 1 digests denied of 1, expires 2026-05-02T12:00:00Z, asked 0s ago
	// denied
}

func TestAdoptRefuses(t *testing.T) {
	good := version(5)
	tests := map[string]struct {
		data []byte
		want error
	}{
		"an older one":                  {version(4), agent.ErrRollback},
		"another of the same version":   {deny(func(h *bundle.Header) { h.Version, h.Catalog = 5, "other" }), agent.ErrFork},
		"one of another stream":         {deny(func(h *bundle.Header) { h.Name, h.Version = "staging", 6 }), agent.ErrStream},
		"one that is cut off":           {version(6)[:500], bundle.ErrInvalid},
		"one with a byte changed":       {append(bytes.Clone(version(6)[:len(version(6))-1]), 'x'), bundle.ErrInvalid},
		"nothing":                       {nil, bundle.ErrInvalid},
		"one that somebody else signed": {admissiontest.New("test").Data(), admissiontest.ErrSignature},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, nil)
			adopt(t, s, good)
			if _, err := s.Adopt(t.Context(), tt.data); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			for name, s := range map[string]*agent.Store{"the same process": s, "the next process": open(t, dir, nil)} {
				if v := current(t, s); v != 5 {
					t.Errorf("%s has version %d", name, v)
				}
			}
		})
	}
}

// Files that somebody put there themselves are judged as what comes from elsewhere.
func TestFilesOnDisk(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"an older bundle", map[string]string{"deny.bundle": string(version(4))}, "older"},
		{"a bundle that is cut off", map[string]string{"deny.bundle": string(version(6)[:600])}, "not a whole"},
		{"an empty bundle", map[string]string{"deny.bundle": ""}, "not a whole"},
		{"a bundle of another stream", map[string]string{"deny.bundle": string(deny(func(h *bundle.Header) { h.Name, h.Version = "staging", 9 }))}, "another stream"},
		{"a broken state", map[string]string{"state.json": "{"}, "state.json"},
	}
	for _, tt := range tests {
		for _, once := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, once %v", tt.name, once), func(t *testing.T) {
				dir := t.TempDir()
				running := open(t, dir, nil)
				adopt(t, running, version(5))
				if v := current(t, running); v != 5 {
					t.Fatal(v)
				}
				for name, content := range tt.files {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if v := current(t, running); v != 5 {
					t.Errorf("who has it in memory goes on with %d", v)
				}
				next := open(t, dir, func(o *agent.Options) { o.Once = once })
				if _, err := next.Current(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("who begins: %v", err)
				}
				if d := admission.NewGate(admission.Options{Bundles: next}).Decide(t.Context(), admission.Image{Digests: []string{pay}}); d.Outcome != admission.Denied {
					t.Errorf("decided %s", d)
				}
			})
		}
	}
}

func TestOtherProcessesSeeWhatTheAgentWrites(t *testing.T) {
	dir := t.TempDir()
	gate := open(t, dir, nil)
	if _, err := gate.Current(t.Context()); err == nil {
		t.Error("an empty store has a bundle")
	}
	writer := open(t, dir, nil)
	for v := uint64(1); v <= 3; v++ {
		adopt(t, writer, version(v))
		if got := current(t, gate); got != v {
			t.Errorf("version %d, want %d", got, v)
		}
	}
}

func TestClockSetBack(t *testing.T) {
	dir := t.TempDir()
	clock := now.Add(10 * time.Hour)
	at := func(o *agent.Options) { o.Now = func() time.Time { return clock } }
	s := open(t, dir, at)
	adopt(t, s, version(1))
	seen := clock
	clock = now.Add(-100 * time.Hour)
	for name, s := range map[string]*agent.Store{"the same process": s, "the next process": open(t, dir, at)} {
		held, err := s.Current(t.Context())
		if err != nil || !held.Mark.Equal(seen) {
			t.Errorf("%s: mark %s, %v", name, held.Mark, err)
		}
		if st := s.Status(t.Context()); st.ClockBehind != (110 * time.Hour).Seconds() {
			t.Errorf("%s: %+v", name, st)
		}
	}
	if err := s.ForgetTime(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := open(t, dir, at).Status(t.Context()); st.ClockBehind > 0 && st.ClockBehind > (101*time.Hour).Seconds() {
		t.Errorf("after forgetting: %+v", st)
	}
}

func TestPull(t *testing.T) {
	remote := t.TempDir()
	publish := func(data []byte) {
		t.Helper()
		b, err := bundle.Load(t.Context(), data, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := distribution.Publish(t.Context(), distribution.Dir(remote), b, data, key); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(http.FileServer(http.Dir(remote)))
	defer server.Close()
	web, err := distribution.HTTP(server.Client(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	store := open(t, dir, nil)
	a := agent.New(store, web, agent.RunOptions{})
	pull := func(want bool) {
		t.Helper()
		if changed, err := a.Pull(t.Context()); err != nil || changed != want {
			t.Errorf("changed %v, %v; want %v", changed, err, want)
		}
	}
	if _, err := a.Pull(t.Context()); !errors.Is(err, distribution.ErrNotFound) {
		t.Errorf("from an empty remote: %v", err)
	}
	publish(version(1))
	pull(true)
	pull(false)
	publish(version(2))
	publish(version(3))
	pull(true)
	if v := current(t, store); v != 3 {
		t.Errorf("version %d", v)
	}

	// The remote is rolled back: the last good bundle stays, and the status says so.
	if err := os.RemoveAll(filepath.Join(remote, "latest")); err != nil {
		t.Fatal(err)
	}
	publish(version(2))
	if _, err := a.Pull(t.Context()); !errors.Is(err, distribution.ErrOlder) {
		t.Errorf("from a remote that was rolled back: %v", err)
	}
	server.Close()
	if _, err := a.Pull(t.Context()); err == nil {
		t.Error("pulled from a dead remote")
	}
	st := a.Status(t.Context())
	if st.Version != 3 || st.Errors != 3 || st.LastError == "" || st.Expired {
		t.Errorf("%+v", st)
	}
}

func TestStaleness(t *testing.T) {
	dir := t.TempDir()
	clock := now
	s := open(t, dir, func(o *agent.Options) { o.Now = func() time.Time { return clock } })
	adopt(t, s, version(1))
	clock = now.Add(25 * time.Hour)
	if err := s.Touch(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	st := s.Status(t.Context())
	if !st.Expired || st.Stale != (25*time.Hour).Seconds() || !strings.Contains(st.String(), "EXPIRED") {
		t.Errorf("%+v: %s", st, st)
	}
}

// A disk that takes no more leaves the old bundle, and nothing half-written.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Skip("needs to mount a tmpfs: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := open(t, dir, nil)
	adopt(t, s, version(1))
	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	large := deny(func(h *bundle.Header) { h.Version, h.Catalog = 2, strings.Repeat("x", 20_000) })
	if _, err := s.Adopt(t.Context(), large); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	for name, s := range map[string]*agent.Store{"the same process": s, "the next process": open(t, dir, nil)} {
		if v := current(t, s); v != 1 {
			t.Errorf("%s has version %d", name, v)
		}
	}
	if after, err := os.ReadDir(dir); err != nil || len(after) != len(before) {
		t.Errorf("%v, %v", after, err)
	}
}

func TestRun(t *testing.T) {
	remote := t.TempDir()
	data := version(1)
	b, err := bundle.Load(t.Context(), data, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := distribution.Publish(t.Context(), distribution.Dir(remote), b, data, key); err != nil {
		t.Fatal(err)
	}
	store := open(t, t.TempDir(), nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- agent.New(store, distribution.Dir(remote), agent.RunOptions{Every: time.Millisecond}).Run(ctx)
	}()
	for {
		if _, err := store.Current(t.Context()); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
