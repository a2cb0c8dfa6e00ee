// Package agent keeps the deny bundle of a machine: the last good one on disk, fetched anew when there is a newer one, and
// never an older one again.
//
//	store, err := agent.Open(dir, agent.Options{Name: "production", Verifier: verifier})
//	a := agent.New(store, remote, agent.RunOptions{Every: time.Minute})
//	go a.Run(ctx)
//	gate := admission.NewGate(admission.Options{Bundles: store, Policy: policy})
//
// The agent is one process of a machine; gates in others open the same directory and see what it writes. When there is no
// network gates go on by what is on disk, the status says how stale it is, and what happens once it has expired is the
// gate's policy.
//
// Beside the bundle is the latest time that was seen, and the highest version. A clock that is set back is not believed,
// and an older bundle is refused, also after a restart. Who can write to the directory can undo that: it is for root.
package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/distribution"
)

// Options of a store. Name and Verifier are required.
type Options struct {
	// Name is the stream that is wanted, [bundle.Header].Name.
	Name string
	// Verifier says whose bundles are taken.
	Verifier bundle.Verifier
	// Once is for programs that decide once and end: the bundle is not read into memory, only what a decision touches is.
	Once bool
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log receives bundles on disk that could not be taken, while one in memory still can. Nil discards.
	Log *slog.Logger
}

// Errors that callers branch on.
var (
	// ErrRollback says that a bundle is older than one that was here.
	ErrRollback = errors.New("an older deny bundle than was here before")
	// ErrFork says that there are two bundles of one version.
	ErrFork = errors.New("another deny bundle of the same version")
	// ErrStream says that a bundle belongs to another stream.
	ErrStream = errors.New("a deny bundle of another stream")
)

// The files of a store.
const (
	bundleFile = "deny.bundle"
	stateFile  = "state.json"
	lockFile   = "lock"
	maxFile    = 1 << 30
)

// Store is a directory with the last good bundle. It is safe for concurrent use, and by several processes.
type Store struct {
	dir  string
	opts Options

	mu     sync.Mutex
	held   *bundle.Bundle
	file   *os.File // open behind held if Once
	seen   fs.FileInfo
	state  state
	latest time.Time // of this process's own clock
}

// state is what a store remembers beside the bundle.
type state struct {
	Version uint64 `json:"version"`
	// Mark is the latest time that was seen.
	Mark time.Time `json:"mark"`
	// Fetched is when the remote last said what the newest bundle is.
	Fetched time.Time `json:"fetched"`
}

var _ admission.Bundles = (*Store)(nil)

// Open opens the store in a directory, which is made if need be by [Store.Adopt]. It may be empty: then
// [Store.Current] is an error, and gates deny, until there is a bundle.
func Open(dir string, opts Options) (*Store, error) {
	if opts.Name == "" || opts.Verifier == nil {
		return nil, errors.New("a store of deny bundles needs the name of the stream that is wanted, and a verifier")
	}
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{dir: dir, opts: opts}, nil
}

// Close closes what the store has open.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = nil
	return s.closeFile()
}

func (s *Store) closeFile() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// Current returns the last good bundle and the latest time that was seen. It looks whether another process has written a
// newer one, which costs a stat; a file that can't be taken leaves the one in memory, as long as there is one.
func (s *Store) Current(ctx context.Context) (admission.Held, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(ctx); err != nil {
		if s.held == nil {
			return admission.Held{}, err
		}
		s.opts.Log.Error("the deny bundle on disk can't be used; the one in memory is", "dir", s.dir, "error", err)
	}
	if now := s.opts.Now(); now.After(s.latest) {
		s.latest = now
	}
	mark := s.state.Mark
	if s.latest.After(mark) {
		mark = s.latest
	}
	return admission.Held{Bundle: s.held, Mark: mark}, nil
}

// refresh reads the bundle if it is another file than before. A file that was refused is not read again.
func (s *Store) refresh(ctx context.Context) error {
	path := filepath.Join(s.dir, bundleFile)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if s.seen != nil && os.SameFile(info, s.seen) && info.ModTime().Equal(s.seen.ModTime()) && info.Size() == s.seen.Size() {
		return nil
	}
	remembered, err := s.readState()
	if err != nil {
		return err
	}
	b, f, err := s.read(ctx, path)
	if err != nil {
		return err
	}
	if err := s.accept(b, max(remembered.Version, s.state.Version)); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), closeIf(f))
	}
	err = s.closeFile()
	s.held, s.file, s.state, s.seen = b, f, remembered, info
	return err
}

func closeIf(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}

func (s *Store) read(ctx context.Context, path string) (*bundle.Bundle, *os.File, error) {
	if !s.opts.Once {
		data, err := readFile(path)
		if err != nil {
			return nil, nil, err
		}
		b, err := bundle.Load(ctx, data, s.opts.Verifier)
		return b, nil, at(path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	b, err := bundle.Open(ctx, f, info.Size(), s.opts.Verifier)
	if err != nil {
		return nil, nil, errors.Join(at(path, err), f.Close())
	}
	return b, f, nil
}

func at(path string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, at most %d", path, info.Size(), maxFile)
	}
	return os.ReadFile(path)
}

// accept says whether a bundle may follow what was here.
func (s *Store) accept(b *bundle.Bundle, highest uint64) error {
	h := b.Header()
	switch {
	case h.Name != s.opts.Name:
		return fmt.Errorf("%w: it is of %.100q, wanted is %q", ErrStream, h.Name, s.opts.Name)
	case h.Version < highest:
		return fmt.Errorf("%w: version %d, and there was %d", ErrRollback, h.Version, highest)
	case s.held != nil && h.Version == s.held.Header().Version && !b.Same(s.held):
		return fmt.Errorf("%w %d", ErrFork, h.Version)
	}
	return nil
}

func (s *Store) readState() (state, error) {
	path := filepath.Join(s.dir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	var st state
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&st); err != nil {
		return state{}, fmt.Errorf("%s: %w: it says which bundles are too old; if the machine has to go on without, remove it", path, err)
	}
	return st, nil
}

// Adopt takes a bundle that was fetched: checks it, and puts it on disk before anything is decided by it. An older one, a
// different one of the same version, and one of another stream are errors, and nothing changes.
func (s *Store) Adopt(ctx context.Context, data []byte) (*bundle.Bundle, error) {
	b, err := bundle.Load(ctx, data, s.opts.Verifier)
	if err != nil {
		return nil, err
	}
	err = s.locked(ctx, func() error {
		if err := s.accept(b, s.state.Version); err != nil {
			return err
		}
		if err := distribution.WriteFile(filepath.Join(s.dir, bundleFile), data, 0o644); err != nil {
			return err
		}
		h := b.Header()
		s.state.Version = h.Version
		return s.note(h.Issued, true)
	})
	return b, err
}

// Touch notes what time it is; asked says that the remote was, and had nothing newer.
func (s *Store) Touch(ctx context.Context, asked bool) error {
	return s.locked(ctx, func() error { return s.note(time.Time{}, asked) })
}

// note writes down the time.
func (s *Store) note(other time.Time, asked bool) error {
	now := s.opts.Now()
	if asked {
		s.state.Fetched = now
	}
	for _, t := range []time.Time{now, other, s.latest} {
		if t.After(s.state.Mark) {
			s.state.Mark = t
		}
	}
	return s.writeState()
}

// ForgetTime removes the latest time that was seen, for a machine whose clock was ahead by mistake.
func (s *Store) ForgetTime(ctx context.Context) error {
	return s.locked(ctx, func() error {
		s.latest, s.state.Mark = time.Time{}, s.opts.Now()
		return s.writeState()
	})
}

func (s *Store) writeState() error {
	text, err := json.MarshalIndent(s.state, "", "  ")
	if err != nil {
		return err
	}
	return distribution.WriteFile(filepath.Join(s.dir, stateFile), append(text, '\n'), 0o644)
}

// locked changes the store, alone among all processes, on top of what is on disk.
func (s *Store) locked(ctx context.Context, change func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if err := s.refresh(ctx); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.opts.Log.Error("the deny bundle on disk can't be used", "dir", s.dir, "error", err)
	}
	remembered, err := s.readState()
	if err != nil {
		return err
	}
	if remembered.Version < s.state.Version {
		remembered.Version = s.state.Version
	}
	s.state = remembered
	return change()
}
