package bundle_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
)

func TestFindSaysWhy(t *testing.T) {
	data := write(t, builder(7, 3000)) // three pages of records
	lazy, err := bundle.Open(t.Context(), bytes.NewReader(data), int64(len(data)), ops)
	if err != nil {
		t.Fatal(err)
	}
	ban := bundle.Ban{ID: "BAN-1", Reason: "holes", DenyFrom: now, WayOut: "use 12.9"}
	path := []bundle.Step{
		{Name: "base/java:21", Digest: digest(-2), Role: "base", Evidence: "signed provenance"},
		{Name: "base/debian:12.8", Digest: digest(-1), Role: "base", Evidence: "build record"},
	}
	for name, b := range map[string]*bundle.Bundle{"in memory": load(t, data), "from a file": lazy} {
		t.Run(name, func(t *testing.T) {
			if h := b.Header(); h.Records != 6001 || h.Denied != 3001 || h.Version != 7 {
				t.Errorf("header %+v", h)
			}
			for digest, want := range map[string]bundle.Entry{
				digest(-1):                          {Listed: true, Denials: []bundle.Denial{{Ban: ban}}},
				digest(0):                           {Listed: true, Denials: []bundle.Denial{{Ban: ban, Path: path}}},
				digest(2 * 2999):                    {Listed: true, Denials: []bundle.Denial{{Ban: ban, Path: path}}},
				digest(1):                           {Listed: true},
				digest(7000):                        {},
				"sha256:" + strings.Repeat("0", 64): {},
				"sha256:" + strings.Repeat("f", 64): {},
			} {
				got, err := b.Find(digest)
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("%s: %v\n%s", digest, err, diff)
				}
			}
			for i := range 3000 {
				if e, err := b.Find(digest(2 * i)); err != nil || len(e.Denials) != 1 {
					t.Fatalf("digest %d: %+v, %v", 2*i, e, err)
				}
				if e, err := b.Find(digest(2*i + 1)); err != nil || !e.Listed || len(e.Denials) != 0 {
					t.Fatalf("digest %d: %+v, %v", 2*i+1, e, err)
				}
			}
		})
	}
}

func TestDigestsThatCannotBeLookedUp(t *testing.T) {
	b := load(t, write(t, builder(1, 1)))
	for _, digest := range []string{
		"", "sha256:", digest(1)[:70], digest(1) + "0", strings.ToUpper(digest(1)), "sha512:" + strings.Repeat("0", 128),
		"sha256:" + strings.Repeat("g", 64), digest(1)[7:],
	} {
		if _, err := b.Find(digest); !errors.Is(err, bundle.ErrDigest) {
			t.Errorf("%q: %v", digest, err)
		}
	}
}

func TestCausesOfOneDigestAreJoined(t *testing.T) {
	b := bundle.NewBuilder(header(1))
	first, second := b.Ban(bundle.Ban{ID: "A"}), b.Ban(bundle.Ban{ID: "B"})
	b.Know(digest(1))
	b.Deny(digest(1), bundle.Cause{Ban: first})
	b.Deny(digest(1), bundle.Cause{Ban: second})
	b.Deny(digest(1), bundle.Cause{Ban: first})
	b.Know(digest(1))
	entry, err := load(t, write(t, b)).Find(digest(1))
	if err != nil || len(entry.Denials) != 2 {
		t.Errorf("%+v, %v", entry, err)
	}
}

// Every byte is covered: a bundle with one of them changed, one less or one more is none.
func TestChangedBytesAreFound(t *testing.T) {
	data := write(t, builder(1, 20))
	refused := func(what string, data []byte) {
		t.Helper()
		if _, err := bundle.Load(t.Context(), data, ops); err == nil {
			t.Errorf("%s: loaded", what)
		}
	}
	for i := range data {
		changed := bytes.Clone(data)
		changed[i] ^= 0x80
		refused(fmt.Sprintf("byte %d of %d changed", i, len(data)), changed)
	}
	for n := range len(data) {
		refused(fmt.Sprintf("cut off at %d", n), data[:n])
	}
	refused("one more byte", append(bytes.Clone(data), 0))
}

// What is read later is checked later: a changed page is an error, and not an answer.
func TestChangedPageOfAnOpenFile(t *testing.T) {
	data := write(t, builder(1, 20))
	data[len(data)-1] ^= 1
	b, err := bundle.Open(t.Context(), bytes.NewReader(data), int64(len(data)), ops)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Find(digest(0)); !errors.Is(err, bundle.ErrInvalid) {
		t.Errorf("found in a changed page: %v", err)
	}
}

func TestOtherKey(t *testing.T) {
	if _, err := bundle.Load(t.Context(), write(t, builder(1, 1)), newSigner("someone else")); !errors.Is(err, errSignature) {
		t.Errorf("got %v", err)
	}
}

func TestMistakesOfTheMaker(t *testing.T) {
	tests := map[string]func() *bundle.Builder{
		"no name":         func() *bundle.Builder { h := header(1); h.Name = ""; return bundle.NewBuilder(h) },
		"no version":      func() *bundle.Builder { return bundle.NewBuilder(header(0)) },
		"ends at once":    func() *bundle.Builder { h := header(1); h.Expires = h.Issued; return bundle.NewBuilder(h) },
		"never issued":    func() *bundle.Builder { h := header(1); h.Issued = time.Time{}; return bundle.NewBuilder(h) },
		"bad digest":      func() *bundle.Builder { b := builder(1, 1); b.Know("sha256:1"); return b },
		"no cause":        func() *bundle.Builder { b := builder(1, 1); b.Deny(digest(9)); return b },
		"no such ban":     func() *bundle.Builder { b := builder(1, 1); b.Deny(digest(9), bundle.Cause{Ban: 9}); return b },
		"no such node":    func() *bundle.Builder { b := builder(1, 1); b.Deny(digest(9), bundle.Cause{On: 9}); return b },
		"floating parent": func() *bundle.Builder { b := builder(1, 1); b.Node(bundle.Node{Base: 9}); return b },
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := make().Write(t.Context(), &out, ops); err == nil || out.Len() > 0 {
				t.Errorf("wrote %d bytes, error %v", out.Len(), err)
			}
		})
	}
}

func TestDelta(t *testing.T) {
	old := load(t, write(t, builder(1, 3000)))
	b := bundle.NewBuilder(header(2))
	if err := b.Follow(old); err != nil {
		t.Fatal(err)
	}
	fill(b, 2990) // twenty digests are gone
	ban := b.Ban(bundle.Ban{ID: "BAN-2", Reason: "more holes"})
	b.Deny(digest(1), bundle.Cause{Ban: ban}) // was known
	b.Deny(digest(9001), bundle.Cause{Ban: ban})
	data := write(t, b)
	want := load(t, data)

	var delta bytes.Buffer
	if err := bundle.Diff(&delta, old, want); err != nil {
		t.Fatal(err)
	}
	if delta.Len() > len(data)/50 {
		t.Errorf("the delta has %d bytes, the bundle %d", delta.Len(), len(data))
	}
	apply := func(from *bundle.Bundle, delta []byte) (*bundle.Bundle, []byte, error) {
		var out bytes.Buffer
		made, err := bundle.Apply(t.Context(), &out, from, bytes.NewReader(delta), int64(len(delta)), ops)
		return made, out.Bytes(), err
	}
	made, got, err := apply(old, delta.Bytes())
	if err != nil || !bytes.Equal(got, data) || !made.Same(want) {
		t.Fatalf("the delta makes %d bytes of %d: %v", len(got), len(data), err)
	}

	if _, out, err := apply(want, delta.Bytes()); !errors.Is(err, bundle.ErrDelta) || len(out) > 0 {
		t.Errorf("applied to another version: %d bytes, %v", len(out), err)
	}
	for i := range delta.Len() {
		changed := bytes.Clone(delta.Bytes())
		changed[i] ^= 0x10
		if _, out, err := apply(old, changed); err == nil && !bytes.Equal(out, data) {
			t.Errorf("byte %d changed makes another bundle", i)
		}
		if _, out, err := apply(old, delta.Bytes()[:i]); err == nil && !bytes.Equal(out, data) {
			t.Errorf("cut off at %d makes another bundle", i)
		}
	}
}

// A delta may not make the reader allocate what it says rather than what it has.
func TestDeltaThatPromisesMuch(t *testing.T) {
	old := load(t, write(t, builder(1, 1)))
	next := load(t, write(t, builder(2, 1)))
	var delta bytes.Buffer
	if err := bundle.Diff(&delta, old, next); err != nil {
		t.Fatal(err)
	}
	short := delta.Bytes()[:len(delta.Bytes())-20]
	var out bytes.Buffer
	if _, err := bundle.Apply(t.Context(), &out, old, bytes.NewReader(short), int64(len(short)), ops); !errors.Is(err, bundle.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestDigests(t *testing.T) {
	var got []string
	denied := 0
	err := load(t, write(t, builder(1, 3))).Digests(func(digest string, d bool) bool {
		got = append(got, digest)
		if d {
			denied++
		}
		return true
	})
	if err != nil || len(got) != 7 || denied != 4 || !slices.IsSorted(got) {
		t.Errorf("%d digests, %d denied, %v: %v", len(got), denied, got, err)
	}
}

func FuzzLoad(f *testing.F) {
	good := write(f, builder(1, 3))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("plimsoll deny bundle 1\n\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := bundle.Load(t.Context(), data, trusting{})
		if err != nil {
			return
		}
		err = b.Digests(func(digest string, denied bool) bool {
			e, err := b.Find(digest)
			if err == nil && (!e.Listed || denied != (len(e.Denials) > 0)) {
				t.Errorf("%s: %+v", digest, e)
			}
			return true
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func FuzzApply(f *testing.F) {
	old, next := load(f, write(f, builder(1, 3))), load(f, write(f, builder(2, 4)))
	var delta bytes.Buffer
	if err := bundle.Diff(&delta, old, next); err != nil {
		f.Fatal(err)
	}
	f.Add(delta.Bytes())
	f.Add(binary.BigEndian.AppendUint32([]byte("plimsoll deny delta 1\n"), 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		made, err := bundle.Apply(t.Context(), &out, old, bytes.NewReader(data), int64(len(data)), trusting{})
		if err != nil && out.Len() > 0 {
			t.Errorf("%d bytes written with %v", out.Len(), err)
		}
		if err == nil && made.Check() != nil {
			t.Error("made a bundle that is none")
		}
	})
}
