// Package sandboxtest tests implementations of [sandbox.Runtime]: all of them run the same [Run].
//
//	func TestConformance(t *testing.T) {
//		sandboxtest.Run(t, sandboxtest.Options{New: func(t *testing.T) sandbox.Runtime { ... }})
//	}
//
// The image under test is as small as an image can be: a static program, [Probe], is its only file. [Image] makes such
// images for tests of other packages.
package sandboxtest

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Options of [Run]. New is required.
type Options struct {
	// New returns the runtime to test, for all tests of one Run.
	New func(t *testing.T) sandbox.Runtime
	// Lacks names tests that this implementation does not pass, each with the reason. They are skipped with it.
	Lacks map[string]string
	// Only names the tests to run, for one more way to reach the same thing. Default all.
	Only []string
}

// suite is one Run.
type suite struct {
	rt sandbox.Runtime
}

// Run tests a runtime.
func Run(t *testing.T, options Options) {
	s := &suite{rt: options.New(t)}
	tests := map[string]func(*testing.T){
		"Process":             s.process,
		"Config":              s.config,
		"BadSpecs":            s.badSpecs,
		"Exit":                s.exit,
		"Signal":              s.signal,
		"Restart":             s.restart,
		"Exec":                s.exec,
		"ExecStopsWithItsCtx": s.execContext,
		"Logs":                s.logs,
		"Files":               s.files,
		"WritableRoot":        s.writableRoot,
		"Layers":              s.layers,
		"Dial":                s.dial,
		"Network":             s.network,
		"Inspect":             s.inspect,
		"Usage":               s.usage,
		"Attacks":             s.attacks,
		"Capabilities":        s.capabilities,
		"MemoryLimit":         s.memoryLimit,
		"ProcessLimit":        s.processLimit,
		"Life":                s.life,
		"Close":               s.close,
		"CancelledStart":      s.cancelledStart,
		"Concurrency":         s.concurrency,
	}
	names := make([]string, 0, len(tests))
	for name := range tests {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if len(options.Only) > 0 && !slices.Contains(options.Only, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if why := options.Lacks[name]; why != "" {
				t.Skipf("%s: %s", s.rt.Name(), why)
			}
			tests[name](t)
		})
	}
}

// weak says whether the runtime owns up to weaknesses on this machine.
func (s *suite) weak() bool {
	w, ok := s.rt.(sandbox.WeakRuntime)
	return ok && len(w.Weaknesses()) > 0
}

// start starts an instance that the test closes at its end.
func (s *suite) start(t *testing.T, spec sandbox.Spec) sandbox.Instance {
	t.Helper()
	if spec.Platform == "" {
		spec.Platform = Platform()
	}
	i, err := s.rt.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return i
}

// run runs an instance to its end, closes it, and returns how it ended and what it wrote. All output is there when Wait
// returns.
func (s *suite) run(t *testing.T, spec sandbox.Spec) (sandbox.Exit, sandbox.Logs) {
	t.Helper()
	i := s.start(t, spec)
	exit, err := i.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	logs, err := i.Logs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return exit, logs
}

// ready waits until the instance has written a line.
func ready(t *testing.T, i sandbox.Instance, line string) {
	t.Helper()
	eventually(t, func() string {
		logs, err := i.Logs(t.Context())
		if err != nil {
			return err.Error()
		}
		if !strings.Contains(string(logs.Stdout), line+"\n") {
			return "the log lacks " + line + ": " + string(logs.Stdout) + string(logs.Stderr)
		}
		return ""
	})
}

// eventually asks until the problem is gone, for ten seconds at most.
func eventually(t *testing.T, problem func() string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		p := problem()
		if p == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(p)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ask sends a request of HTTP/1.0 to the probe's port and returns the answer.
func ask(t *testing.T, i sandbox.Instance, path string) string {
	t.Helper()
	var answer string
	eventually(t, func() string {
		conn, err := i.Dial(t.Context(), "tcp", 8080)
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.0\r\n\r\n"); err != nil {
			return err.Error()
		}
		data, err := io.ReadAll(conn)
		if err != nil {
			return err.Error()
		}
		answer = string(data)
		return ""
	})
	return answer
}

// as asserts that the instance has an optional interface.
func as[T any](t *testing.T, i sandbox.Instance) T {
	t.Helper()
	v, ok := i.(T)
	if !ok {
		t.Fatalf("the instance, a %T, is no %T; name the test in Options.Lacks if it cannot be one", i, *new(T))
	}
	return v
}
