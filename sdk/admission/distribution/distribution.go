// Package distribution brings deny bundles from who makes them to who decides by them: by a registry, by plain HTTP, or
// by a directory. All three are a [Remote], a few named files:
//
//	latest   a small JSON document: which version is the newest, and which deltas there are
//	42       version 42, all of it
//	41-42    what makes version 42 of version 41
//
// Nothing of it has to be trusted. A bundle is signed as a whole, a delta makes what was signed or nothing, and what
// "latest" says can at worst hold something back, which the bundle's expiry ends. A directory that any web server serves
// is enough:
//
//	err := distribution.Publish(ctx, distribution.Dir("/srv/deny"), deny, data)
//	...
//	update, err := distribution.Fetch(ctx, distribution.HTTP(client, "https://deny.example/production"), have, verifier)
package distribution

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
)

// Remote is where bundles are kept.
type Remote interface {
	// Get reads a file of at most limit bytes. One that is not there is [ErrNotFound].
	Get(ctx context.Context, name string, limit int64) ([]byte, error)
	// Put writes a file, all of it or nothing.
	Put(ctx context.Context, name string, data []byte) error
}

// ErrNotFound says that a remote has no such file.
var ErrNotFound = errors.New("not found")

const (
	latestName  = "latest"
	maxLatest   = 64 << 10
	maxBundle   = 1 << 30
	keptDeltas  = 8
	maxVersions = 1 << 62
)

// latest is what the file of that name says.
type latest struct {
	Version uint64  `json:"version"`
	Size    int64   `json:"size"`
	Deltas  []delta `json:"deltas,omitempty"` // oldest first; each begins where the one before ends
}

type delta struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	Size int64  `json:"size"`
}

func fullName(version uint64) string { return strconv.FormatUint(version, 10) }
func (d delta) name() string         { return fullName(d.From) + "-" + fullName(d.To) }
func readLatest(data []byte) (*latest, error) {
	l := &latest{}
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("%s: %w", latestName, err)
	}
	if l.Version == 0 || l.Version > maxVersions || l.Size <= 0 || l.Size > maxBundle {
		return nil, fmt.Errorf("%s: version %d of %d bytes", latestName, l.Version, l.Size)
	}
	return l, nil
}

// Publish puts a bundle and the delta from the version before onto a remote, "latest" last, so that nobody is told of
// what is not there yet. A version that is not higher than the newest there is refused. data are the bundle's bytes.
func Publish(ctx context.Context, to Remote, next *bundle.Bundle, data []byte, verifier bundle.Verifier) error {
	h := next.Header()
	l := &latest{Version: h.Version, Size: int64(len(data))}
	text, err := to.Get(ctx, latestName, maxLatest)
	if err == nil {
		err = l.follow(ctx, to, text, next, verifier)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := to.Put(ctx, fullName(h.Version), data); err != nil {
		return err
	}
	text, err = json.Marshal(l)
	if err != nil {
		return err
	}
	return to.Put(ctx, latestName, text)
}

// follow adds the delta from the version that is there. One that can't be read any more is no reason not to publish.
func (l *latest) follow(ctx context.Context, to Remote, text []byte, next *bundle.Bundle, verifier bundle.Verifier) error {
	before, err := readLatest(text)
	if err != nil {
		return nil //nolint:nilerr // a broken pointer is replaced
	}
	if before.Version >= l.Version {
		return fmt.Errorf("version %d is there, and %d is not newer: make it with a higher version", before.Version, l.Version)
	}
	data, err := to.Get(ctx, fullName(before.Version), maxBundle)
	if err != nil {
		return ignore(ctx, err)
	}
	earlier, err := bundle.Load(ctx, data, verifier)
	if err != nil || earlier.Header().Name != next.Header().Name {
		return ignore(ctx, err)
	}
	var made bytes.Buffer
	if err := bundle.Diff(&made, earlier, next); err != nil {
		return err
	}
	d := delta{From: before.Version, To: l.Version, Size: int64(made.Len())}
	if err := to.Put(ctx, d.name(), made.Bytes()); err != nil {
		return err
	}
	if n := len(before.Deltas); n > 0 && before.Deltas[n-1].To == d.From {
		l.Deltas = before.Deltas[max(0, n+1-keptDeltas):]
	}
	l.Deltas = append(l.Deltas, d)
	return nil
}

// ignore drops an error unless the context has ended.
func ignore(ctx context.Context, _ error) error { return ctx.Err() }

// Update is a newer bundle.
type Update struct {
	Bundle *bundle.Bundle
	Data   []byte // its bytes
	Read   int64  // how many were read to get it
}

// Fetch gets the newest bundle of a remote if it is newer than the one that is at hand (nil for none), and nil if not. It
// takes deltas where they are the smaller way; if they do not lead there the whole bundle is read.
func Fetch(ctx context.Context, from Remote, have *bundle.Bundle, verifier bundle.Verifier) (*Update, error) {
	text, err := from.Get(ctx, latestName, maxLatest)
	if err != nil {
		return nil, err
	}
	l, err := readLatest(text)
	if err != nil {
		return nil, err
	}
	if have != nil && have.Header().Version == l.Version {
		return nil, nil //nolint:nilnil // there is nothing newer
	}
	if have != nil && have.Header().Version > l.Version {
		return nil, fmt.Errorf("%w: the newest there is %d, and here is %d", ErrOlder, l.Version, have.Header().Version)
	}
	if way := l.way(have); way != nil {
		if u, err := along(ctx, from, have, way, verifier); err == nil || ctx.Err() != nil {
			return u, err
		}
	}
	data, err := from.Get(ctx, fullName(l.Version), l.Size)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Load(ctx, data, verifier)
	if err != nil {
		return nil, err
	}
	return &Update{Bundle: b, Data: data, Read: int64(len(data))}, nil
}

// ErrOlder says that a remote is behind what is at hand: it was rolled back, or another one is meant.
var ErrOlder = errors.New("the remote has only an older deny bundle")

// way returns the deltas from a bundle to the newest, nil if there are none or they are larger than the bundle.
func (l *latest) way(have *bundle.Bundle) []delta {
	if have == nil {
		return nil
	}
	at, size := have.Header().Version, int64(0)
	var way []delta
	for _, d := range l.Deltas {
		if d.From != at || d.Size <= 0 {
			continue
		}
		way, at, size = append(way, d), d.To, size+d.Size
	}
	if at != l.Version || size >= l.Size {
		return nil
	}
	return way
}

func along(ctx context.Context, from Remote, have *bundle.Bundle, way []delta, verifier bundle.Verifier) (*Update, error) {
	u := &Update{Bundle: have}
	for _, d := range way {
		data, err := from.Get(ctx, d.name(), d.Size)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		if u.Bundle, err = bundle.Apply(ctx, &out, u.Bundle, bytes.NewReader(data), int64(len(data)), verifier); err != nil {
			return nil, err
		}
		u.Data = out.Bytes()
		u.Read += int64(len(data))
	}
	return u, nil
}
