package forge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/forge"
)

// memory is a forge that remembers requests.
type memory struct {
	requests []forge.Request // the newest first
	fail     []error         // what the next calls answer
	rival    func()          // runs before the next Create
	calls    int
}

func (m *memory) next() error {
	m.calls++
	if len(m.fail) == 0 {
		return nil
	}
	err := m.fail[0]
	m.fail = m.fail[1:]
	return err
}

func (m *memory) Requests(context.Context, forge.Proposal) ([]forge.Request, error) {
	return m.requests, m.next()
}

func (m *memory) Create(_ context.Context, p forge.Proposal) (forge.Request, error) {
	if m.rival != nil {
		m.rival()
		m.rival = nil
	}
	if len(m.requests) > 0 && m.requests[0].State == forge.Open {
		return forge.Request{}, forge.ErrExists
	}
	r := forge.Request{Number: int64(len(m.requests) + 1), State: forge.Open, Title: p.Title, Body: p.Body}
	m.requests = append([]forge.Request{r}, m.requests...)
	return r, m.next()
}

func (m *memory) Update(_ context.Context, number int64, p forge.Proposal) (forge.Request, error) {
	for i := range m.requests {
		if m.requests[i].Number == number {
			m.requests[i].Title, m.requests[i].Body = p.Title, p.Body
			return m.requests[i], m.next()
		}
	}
	return forge.Request{}, forge.ErrNotFound
}

func proposal() forge.Proposal {
	return forge.Proposal{Repository: "https://git.example/a/b", Branch: "plimsoll/x", Base: "main", Title: "Use debian:12.9", Body: "Because.", Key: "k1"}
}

func TestPropose(t *testing.T) {
	m := &memory{}
	step := func(name string, p forge.Proposal, want forge.State, number int64) {
		t.Helper()
		r, err := forge.Propose(t.Context(), m, p)
		if err != nil || r.State != want || r.Number != number {
			t.Fatalf("%s: %+v %v; want %s of %d", name, r, err, want, number)
		}
	}
	other := proposal()
	other.Title, other.Key = "Use debian:12.10", "k2"
	step("the first time", proposal(), forge.Created, 1)
	step("again", proposal(), forge.Unchanged, 1)
	m.requests[0].Body = strings.ReplaceAll(m.requests[0].Body, "\n", "\r\n") + "\r\n"
	step("with other line breaks", proposal(), forge.Unchanged, 1)
	step("another change", other, forge.Updated, 1)
	m.requests[0].State = forge.Closed
	step("closed by people", other, forge.Declined, 1)
	step("another change after that", proposal(), forge.Created, 2)
	m.requests[0].State = forge.Merged
	step("merged, and due again", proposal(), forge.Created, 3)

	m = &memory{}
	m.rival = func() {
		m.requests = []forge.Request{{Number: 9, State: forge.Open, Title: "Use debian:12.9", Body: "Because.\n\n<!-- plimsoll: k1 -->"}}
	}
	step("another process was faster", proposal(), forge.Unchanged, 9)
}

func TestProposeRefuses(t *testing.T) {
	for _, spoil := range []func(*forge.Proposal){
		func(p *forge.Proposal) { p.Key = "" }, func(p *forge.Proposal) { p.Base = "" }, func(p *forge.Proposal) { p.Title = "" },
	} {
		p := proposal()
		spoil(&p)
		m := &memory{}
		if _, err := forge.Propose(t.Context(), m, p); err == nil || m.calls > 0 {
			t.Errorf("%v after %d calls", err, m.calls)
		}
	}
	p := proposal()
	p.Body = strings.Repeat("ö", 50_000)
	m := &memory{}
	if _, err := forge.Propose(t.Context(), m, p); err != nil || len(m.requests[0].Body) > 65_000 || !strings.HasSuffix(m.requests[0].Body, "(and more)\n\n<!-- plimsoll: k1 -->") {
		t.Error("a long body is not cut where it should be")
	}
}

func TestPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := func(after time.Duration) error {
			return &forge.RateLimitError{Until: time.Now().Add(after), Err: errors.New("slowly")}
		}
		m := &memory{fail: []error{limited(time.Minute)}}
		begun := time.Now()
		if r, err := forge.Propose(t.Context(), &forge.Patient{Forge: m, Max: 5 * time.Minute}, proposal()); err != nil || r.State != forge.Created {
			t.Errorf("%+v %v", r, err)
		}
		if waited := time.Since(begun); waited != time.Minute {
			t.Errorf("waited %s", waited)
		}
		m = &memory{fail: []error{limited(time.Hour)}}
		if _, err := forge.Propose(t.Context(), &forge.Patient{Forge: m, Max: 5 * time.Minute}, proposal()); err == nil || m.calls != 1 {
			t.Errorf("%v after %d calls", err, m.calls)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		m = &memory{fail: []error{limited(time.Minute)}}
		if _, err := forge.Propose(ctx, &forge.Patient{Forge: m, Max: time.Hour}, proposal()); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestPath(t *testing.T) {
	for repository, want := range map[string]string{
		"https://github.com/a/b.git": "a/b", "https://gitlab.example/g/s/n/": "g/s/n", "git@github.com:a/b.git": "a/b",
		"ssh://git@github.com:22/a/b": "a/b", "https://u:p@github.com/a/b": "a/b",
		"https://github.com/b": "", "": "", "/srv/git/a.git": "", "https://github.com": "",
	} {
		if got, err := forge.Path(repository); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", repository, got, err, want)
		}
	}
}

func ExamplePropose() {
	var f forge.Forge = &memory{} // a forge/github or forge/gitlab
	p := forge.Proposal{
		Repository: "https://git.example/pay/api", Branch: "plimsoll/bases", Base: "main",
		Title: "Use debian:12.9", Body: "CVE-2026-1234 in libssl", Key: "debian:12.9",
	}
	for range 2 {
		r, err := forge.Propose(context.Background(), f, p)
		fmt.Println(r.State, err)
	}
	// Output:
	// created <nil>
	// unchanged <nil>
}
