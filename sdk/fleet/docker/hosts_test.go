package docker_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/docker"
)

// host is a Docker daemon as far as a remedy needs one, with containers that are nothing but numbers.
type host struct {
	number, size int
	slow         time.Duration
	flaps        bool // every third connection is dropped in mid-request
	dead         atomic.Bool
	requests     atomic.Int32
	volumes      sync.Map
	started      sync.Map // ids of execs
}

func (h *host) id(n int) string { return fmt.Sprintf("%032x%032x", h.number, n) }

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.dead.Load() || h.flaps && h.requests.Add(1)%3 == 0 {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	time.Sleep(h.slow)
	_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1.41"), "/")
	parts := strings.Split(path, "/")
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/_ping"):
		w.Header().Set("Api-Version", "1.41")
	case path == "containers/json":
		list := []map[string]any{}
		for n := range h.size {
			list = append(list, map[string]any{"Id": h.id(n), "Names": []string{fmt.Sprintf("/c%d", n)}, "Image": "app:1", "ImageID": "sha256:" + strings.Repeat("a", 64), "State": "running"})
		}
		answer(list)
	case parts[0] == "images":
		answer(map[string]any{"Id": "sha256:" + strings.Repeat("a", 64), "RootFS": map[string]any{"Type": "layers"}})
	case path == "volumes/create":
		var v map[string]any
		_ = json.NewDecoder(r.Body).Decode(&v)
		h.volumes.Store(v["Name"], v)
		w.WriteHeader(http.StatusCreated)
		answer(v)
	case path == "volumes":
		all := []any{}
		h.volumes.Range(func(_, v any) bool { all = append(all, v); return true })
		answer(map[string]any{"Volumes": all})
	case parts[0] == "volumes":
		h.volumes.Delete(parts[1])
		w.WriteHeader(http.StatusNoContent)
	case len(parts) == 3 && parts[0] == "containers" && parts[2] == "json":
		answer(map[string]any{"Id": parts[1], "Name": "/c", "Image": "sha256:" + strings.Repeat("a", 64), "State": map[string]any{"Running": true, "Pid": 1, "StartedAt": "2026-11-28T00:00:00Z"}})
	case len(parts) == 3 && parts[0] == "containers" && parts[2] == "exec":
		w.WriteHeader(http.StatusCreated)
		answer(map[string]any{"Id": "exec" + parts[1]})
	case len(parts) == 3 && parts[0] == "exec" && parts[2] == "start":
		h.started.Store(parts[1], true)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		started(rw)
	case len(parts) == 3 && parts[0] == "exec":
		pid := 0
		if _, ok := h.started.Load(parts[1]); ok {
			pid = 7
		}
		answer(map[string]any{"ID": parts[1], "Running": false, "ExitCode": 0, "Pid": pid})
	default:
		http.Error(w, "no "+path, http.StatusNotImplemented)
	}
}

// started is the daemon's stream of a command that says "ok".
func started(rw *bufio.ReadWriter) {
	_, _ = rw.WriteString("HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	header := [8]byte{1}
	binary.BigEndian.PutUint32(header[4:], 3)
	_, _ = rw.Write(header[:])
	_, _ = rw.WriteString("ok\n")
	_ = rw.Flush()
}

// manyHosts runs a remedy on hosts of which some are dead, slow or lose connections, and accounts for each instance.
func manyHosts(t testing.TB, hosts, size, odd int) *fleet.Transcript {
	t.Helper()
	var places []fleet.Place
	var all []*host
	for n := range hosts {
		h := &host{number: n, size: size}
		switch {
		case n < odd: // dead from when it has been listed on
		case n < 2*odd:
			h.slow = 20 * time.Millisecond
		case n < 3*odd:
			h.flaps = true
		}
		all = append(all, h)
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		places = append(places, open(t, docker.Options{Host: "tcp://" + server.Listener.Addr().String(), Name: fmt.Sprintf("docker://h%04d", n)}))
	}
	inventory := fleet.NewInventory(places...)
	for try := 0; try < 5 && len(inventory.Unreached()) > 0; try++ { // those that flap are asked again
		_ = inventory.Refresh(t.Context(), time.Minute)
	}
	if n := len(inventory.Instances()); n != hosts*size {
		t.Fatalf("%d instances of %d: %v", n, hosts*size, inventory.Unreached())
	}
	for _, h := range all[:odd] {
		h.dead.Store(true)
	}
	auditLog, err := audit.Open(t.TempDir(), audit.Options{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer auditLog.Close()
	runner := fleet.Runner{Inventory: inventory, Log: auditLog}
	got, err := runner.Run(t.Context(), fleet.Order{
		Remedy:   fleet.Remedy{Name: "many", Where: "true", Run: []string{"true"}, Limits: fleet.Limits{Parallel: 64, Canary: "1%", Failures: "100%"}},
		Selector: fleet.SelectorFunc(func(*fleet.Instance) fleet.Verdict { return fleet.Verdict{Meant: fleet.Yes} }), By: "ana",
	})
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]map[fleet.Outcome]int{}
	seen := map[string]bool{}
	for _, r := range got.Results {
		n := slices.IndexFunc(places, func(p fleet.Place) bool { return p.Name() == r.Instance.Place })
		kind := "well"
		if n < 3*odd {
			kind = []string{"dead", "slow", "flapping"}[n/max(odd, 1)]
		}
		if outcomes[kind] == nil {
			outcomes[kind] = map[fleet.Outcome]int{}
		}
		if outcomes[kind][r.Outcome]++; kind == "well" && r.Outcome != fleet.Done {
			t.Errorf("%s: %s: %s", r.Instance.Key(), r.Outcome, r.Reason)
		}
		seen[r.Instance.Key()] = true
	}
	t.Log(outcomes)
	if len(seen) != hosts*size || len(got.Results) != hosts*size {
		t.Errorf("%d results for %d of %d instances", len(got.Results), len(seen), hosts*size)
	}
	if outcomes["well"][fleet.Done] != (hosts-3*odd)*size || outcomes["slow"][fleet.Done] != odd*size || outcomes["dead"][fleet.Dead] != odd*size {
		t.Errorf("%v", outcomes)
	}
	return got
}

func TestManyHosts(t *testing.T) {
	t.Parallel()
	manyHosts(t, 40, 10, 2)
}

func BenchmarkThousandHosts(b *testing.B) {
	for b.Loop() {
		began := time.Now()
		got := manyHosts(b, 1000, 100, 10)
		b.Logf("%s in %s", got.Summary(), time.Since(began))
	}
}
