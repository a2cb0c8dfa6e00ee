package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// network checks that steps have loopback only, whatever the Dockerfile says, unless the request gives the host's.
func (s suite) network(t *testing.T) {
	interfaces := func(t *testing.T, network build.Network, flag string) int {
		t.Helper()
		result := s.build(t, build.Request{
			Network:    network,
			NoCache:    true,
			Dockerfile: fmt.Appendf(nil, "FROM %s\nRUN %s cat /proc/net/dev > /net\n", s.base.Ref, flag),
		})
		dev := files(t, image(t, result.Index), "net")["net"]
		if !strings.Contains(dev, "lo:") {
			t.Errorf("no loopback:\n%s", dev)
		}
		return strings.Count(dev, ":") - strings.Count(dev, "0:0 ") - 1
	}
	host, err := os.ReadFile("/proc/net/dev")
	if err != nil {
		t.Fatal(err)
	}
	others := strings.Count(string(host), ":") - 1
	if got := interfaces(t, build.NetworkNone, ""); got != 0 {
		t.Errorf("a step has %d interfaces besides loopback", got)
	}
	if got := interfaces(t, build.NetworkHost, ""); got == 0 && others > 0 {
		t.Errorf("a step with the host's network has loopback only, the host has %d interfaces besides", others)
	}
	if s.lacks.RunNetwork {
		return
	}
	if got := interfaces(t, build.NetworkHost, "--network=none"); got != 0 {
		t.Errorf("a step that asked for no network has %d interfaces besides loopback", got)
	}
	_, err = s.builder.Build(t.Context(), s.request(t, build.Request{
		NoCache:    true,
		Dockerfile: fmt.Appendf(nil, "FROM %s\nRUN --network=host cat /proc/net/dev\n", s.base.Ref),
	}))
	if err == nil || !strings.Contains(err.Error(), "network.host") {
		t.Errorf("a step that asks for the host's network: got %v, want a refusal", err)
	}
}

// cacheScope checks that cache mounts are shared within a scope only.
func (s suite) cacheScope(t *testing.T) {
	see := func(scope string) string {
		result := s.build(t, build.Request{
			NoCache:    true,
			CacheScope: scope,
			Dockerfile: fmt.Appendf(nil, "FROM %s\nRUN --mount=type=cache,target=/c,id=%s echo . >> /c/n && cat /c/n > /n\n", s.base.Ref, t.TempDir()),
		})
		return files(t, image(t, result.Index), "n")["n"]
	}
	first := see("team-a")
	if other := see("team-b"); other != first {
		t.Errorf("another scope sees %q, want the same as the first: %q", other, first)
	}
}

// sameSecond checks that contexts and Dockerfiles are told from each other by their content, not only by names, sizes and
// times: commits can be of the same second, and a base moved from 1.4.8 to 1.4.9 leaves the Dockerfile's size as it is.
func (s suite) sameSecond(t *testing.T) {
	for _, content := range []string{"one", "two"} {
		result := s.build(t, build.Request{
			Context:    fstest.MapFS{"f": {Data: []byte(content), Mode: 0o644, ModTime: created}},
			Dockerfile: fmt.Appendf(nil, "FROM %s\nCOPY f /f\n", s.base.Ref),
		})
		if got := files(t, image(t, result.Index), "f")["f"]; !strings.HasSuffix(got, content) {
			t.Errorf("the file is %q, want %q", got, content)
		}
	}
	for _, name := range []string{"a", "b"} {
		result := s.build(t, build.Request{
			Context:    fstest.MapFS{"f": {Data: []byte("one"), Mode: 0o644, ModTime: created}},
			Dockerfile: fmt.Appendf(nil, "FROM %s\nCOPY f /%s\n", s.base.Ref, name),
		})
		if len(files(t, image(t, result.Index), name)) != 1 {
			t.Errorf("the file %s is not there", name)
		}
	}
}

func (s suite) concurrent(t *testing.T) {
	var group errgroup.Group
	for i := range 4 {
		req := s.request(t, build.Request{
			Context:    fstest.MapFS{"f": {Data: []byte(strconv.Itoa(i)), Mode: 0o644, ModTime: created}},
			Dockerfile: fmt.Appendf(nil, "FROM %s\nCOPY f /f\nRUN cat /f > /g\n", s.base.Ref),
		})
		group.Go(func() error {
			result, err := s.builder.Build(t.Context(), req)
			if err != nil {
				return err
			}
			if got := files(t, image(t, result.Index), "g")["g"]; !strings.HasSuffix(got, strconv.Itoa(i)) {
				return fmt.Errorf("build %d has %q", i, got)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// cancel checks that a step which never ends is killed with its context, that the error says where, and that nothing
// stays behind.
func (s suite) cancel(t *testing.T) {
	marker := strconv.FormatInt(100000+time.Now().UnixNano()%100000, 10)
	enough := errors.New("enough of it")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	req := s.request(t, build.Request{
		Dockerfile: fmt.Appendf(nil, "FROM %s\nRUN echo begun; sleep %s\n", s.base.Ref, marker),
		Progress: func(e build.Event) {
			if e.State == "log" && strings.Contains(string(e.Log), "begun") {
				cancel(enough)
			}
		},
	})
	begin := time.Now()
	if s.lacks.Steps { // then its beginning is not told
		timer := time.AfterFunc(5*time.Second, func() { cancel(enough) })
		defer timer.Stop()
	}
	_, err := s.builder.Build(ctx, req)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, enough) {
		t.Fatalf("got %v, want context.Canceled and its cause", err)
	}
	t.Logf("after %s: %v", time.Since(begin), err)
	var failed *build.Error
	if !errors.As(err, &failed) || failed.Place.Start.Line != 2 && !s.lacks.Steps {
		t.Errorf("the error does not name the step: %v", err)
	}
	for end := begin.Add(20 * time.Second); s.lacks.Steps && len(Processes(t, marker)) > 0 && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond) // an engine behind a connection ends it on its own
	}
	if got := Processes(t, marker); len(got) > 0 {
		t.Errorf("still running: %q", got)
	}
	assertFiles(t, filepath.Dir(req.Layout))
	req.Dockerfile = fmt.Appendf(nil, "FROM %s\nRUN echo still works\n", s.base.Ref)
	if _, err := s.builder.Build(t.Context(), req); err != nil {
		t.Errorf("the next build: %v", err)
	}
}

// Processes are the command lines of this machine that have a word.
func Processes(t testing.TB, word string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range all {
		args, err := os.ReadFile(name)
		if err == nil && strings.Contains(string(args), word) {
			found = append(found, strings.ReplaceAll(string(args), "\x00", " "))
		}
	}
	return found
}
