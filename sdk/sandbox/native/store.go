//go:build linux

package native

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/internal/reexec"
)

// store keeps unpacked images in a directory:
//
//	<hex>.lock    locked shared by those who use <hex>, alone by those who make or remove it
//	<hex>/rootfs  the files of the image whose manifest has that digest
//	<hex>.new     being unpacked; it becomes <hex> when it is complete
type store struct {
	dir      string
	options  Options
	ordinary bool // files are made in a user namespace
}

func newStore(options Options, ordinary bool) (*store, error) {
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// An image's files are what their owners on this machine are not: a setuid program in it must not be reachable.
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	return &store{dir: dir, options: options, ordinary: ordinary}, nil
}

// unpacked is an image whose files are there until it is closed.
type unpacked struct {
	root   string
	config *v1.ConfigFile
	lock   *os.File
}

func (u *unpacked) close() error { return u.lock.Close() }

// open unpacks an image if it is not there yet.
func (s *store) open(ctx context.Context, image v1.Image) (*unpacked, error) {
	digest, err := image.Digest()
	if err != nil {
		return nil, fmt.Errorf("the image's digest: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("image %s: the config: %w", digest, err)
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, digest.Hex+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	u := &unpacked{root: filepath.Join(s.dir, digest.Hex, "rootfs"), config: config, lock: lock}
	for {
		if err := flock(ctx, lock, unix.LOCK_SH); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
		if _, err := os.Stat(u.root); err == nil {
			return u, nil
		}
		// A lock cannot be raised without giving it up, so whoever gets it alone looks again. Who does not get it looks
		// again, too: another may have unpacked the image meanwhile and keep the lock as long as it uses it.
		alone, cancel := context.WithTimeout(ctx, lockInterval)
		err := flock(alone, lock, unix.LOCK_EX)
		cancel()
		if err != nil {
			if ctx.Err() == nil && alone.Err() != nil {
				continue
			}
			return nil, errors.Join(err, lock.Close())
		}
		if _, err := os.Stat(u.root); err != nil {
			if err := s.unpack(ctx, image, config, filepath.Join(s.dir, digest.Hex)); err != nil {
				return nil, errors.Join(fmt.Errorf("image %s: %w", digest, err), lock.Close())
			}
		}
	}
}

// lockInterval is how often a lock that others have is asked for.
const lockInterval = 20 * time.Millisecond

// flock waits for a lock until ctx ends. It asks again and again, because a blocked flock cannot be interrupted.
func flock(ctx context.Context, f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lockInterval):
		}
	}
}

// unpack makes dir from the image's layers; dir is there only if all of it is.
func (s *store) unpack(ctx context.Context, image v1.Image, config *v1.ConfigFile, dir string) (err error) {
	work := dir + ".new"
	if err := s.remove(ctx, work); err != nil { // of a process that was killed
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.remove(context.WithoutCancel(ctx), work))
		}
	}()
	root := filepath.Join(work, "rootfs")
	if err := os.Mkdir(work, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return fmt.Errorf("the layers: %w", err)
	}
	if len(layers) != len(config.RootFS.DiffIDs) {
		return fmt.Errorf("the manifest has %d layers, the config names %d", len(layers), len(config.RootFS.DiffIDs))
	}
	left := budget{s.options.MaxBytes, s.options.MaxEntries}
	for i, layer := range layers {
		if err := s.apply(ctx, layer, config.RootFS.DiffIDs[i], work, &left); err != nil {
			return fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	return os.Rename(work, dir)
}

// budget is what an image may still use.
type budget struct {
	bytes, entries int64
}

// apply unpacks one layer by the helper, and checks that its content is what the config says.
func (s *store) apply(ctx context.Context, layer v1.Layer, want v1.Hash, work string, left *budget) error {
	if want.Algorithm != "sha256" {
		return fmt.Errorf("digest algorithm %q is not known", want.Algorithm)
	}
	content, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	sum := sha256.New()
	stdout, err := s.help(ctx, &hashing{content, sum}, "apply", work, strconv.FormatInt(left.bytes, 10), strconv.FormatInt(left.entries, 10))
	if err != nil {
		return err
	}
	// The helper has read all of it, and so have the checks of the registry's digest that Uncompressed may make.
	if got := hex.EncodeToString(sum.Sum(nil)); got != want.Hex {
		return fmt.Errorf("the config says that its content is sha256:%s, it is sha256:%s", want.Hex, got)
	}
	if _, err := fmt.Sscan(stdout, &left.bytes, &left.entries); err != nil {
		return fmt.Errorf("the unpacking helper said %q: %w", stdout, err)
	}
	return nil
}

// hashing hashes what is read.
type hashing struct {
	io.ReadCloser
	sum hash.Hash
}

func (h *hashing) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	h.sum.Write(p[:n])
	return n, err
}

// help runs this program as the helper that handles an image's files, in a user namespace if need be. It closes input.
func (s *store) help(ctx context.Context, input io.ReadCloser, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := reexec.Command(helperName, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &limited{b: &stderr}
	finish := func() error { return nil }
	if input != nil {
		var err error
		if cmd.Stdin, finish, err = feed(input); err != nil {
			return "", errors.Join(err, input.Close())
		}
	}
	err := s.run(ctx, cmd)
	readErr := finish()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case readErr != nil: // then the helper has failed because of it
		return "", readErr
	case err != nil && stderr.Len() > 0:
		return "", errors.New(strings.TrimSpace(stderr.String()))
	case err != nil:
		return "", fmt.Errorf("the unpacking helper: %w", err)
	}
	return stdout.String(), nil
}

// feed makes input a process's stdin. The caller calls finish when the process has ended: it closes input and returns the
// error with which reading it ended, if it did before the process.
func feed(input io.ReadCloser) (stdin *os.File, finish func() error, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	var readErr error
	var ended atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := io.Copy(w, input)
		if !errors.Is(err, unix.EPIPE) && !ended.Load() {
			readErr = err
		}
		_ = w.Close()
	}()
	return r, func() error {
		ended.Store(true)
		_ = r.Close()     // lets go a writer,
		_ = input.Close() // and this a reader
		<-done
		return readErr
	}, nil
}

func (s *store) run(ctx context.Context, cmd *exec.Cmd) error {
	if s.ordinary {
		if _, err := container.StartInUserNamespace(ctx, cmd); err != nil {
			return err
		}
	} else if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	return cmd.Wait()
}

// limited keeps the beginning of an error message.
type limited struct{ b *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.b.Write(p[:min(len(p), max(0, 4096-l.b.Len()))])
	return len(p), nil
}

// remove removes a directory whatever the image has made of it.
func (s *store) remove(ctx context.Context, dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !s.ordinary {
		return os.RemoveAll(dir)
	}
	_, err := s.help(ctx, nil, "remove", dir)
	return err
}

func (s *store) purge(ctx context.Context) error {
	locks, err := filepath.Glob(filepath.Join(s.dir, "*.lock"))
	if err != nil {
		return err
	}
	var all []error
	for _, name := range locks {
		lock, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue // somebody else purges
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			dir := strings.TrimSuffix(name, ".lock")
			all = append(all, s.remove(ctx, dir), s.remove(ctx, dir+".new"))
		}
		all = append(all, lock.Close())
	}
	return errors.Join(all...)
}
