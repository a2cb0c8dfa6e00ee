package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Options of a [Log]. The zero value is useful.
type Options struct {
	// Name is the log's name in its checkpoints. Each directory wants its own: two hosts of one service, two names.
	Name string
	// MaxBytes is the size from which on a new file is begun. Default 64 MiB.
	MaxBytes int64
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Log is an open log: one directory, one writer. It is safe for concurrent use; calls that wait for the disk at the same
// time share one flush.
type Log struct {
	dir  string
	opts Options
	lock *os.File

	mu   sync.Mutex // orders lines
	file *os.File
	size int64
	last Checkpoint
	err  error // why nothing can be written any more

	flush   sync.Mutex // one flush at a time
	flushed uint64     // the line up to which all are on disk; held by flush
}

// ErrInUse says that another process has the log open.
var ErrInUse = errors.New("another process writes to this audit log")

// Open opens or begins the log in a directory. A last line that a crash cut short, which nobody was told is written, is
// cut off, and an entry says so. The end of the log is checked against its hashes: what is broken there is an error, and
// [Verify] tells more. The caller closes the log.
func Open(dir string, opts Options) (*Log, error) {
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 64 << 20
	}
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the audit log: %w", err)
	}
	l := &Log{dir: dir, opts: opts, last: Checkpoint{Log: opts.Name}}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("the audit log in %s: %w", dir, errors.Join(err, l.close()))
	}
	return l, nil
}

func (l *Log) open() error {
	var err error
	l.lock, err = os.OpenFile(filepath.Join(l.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(l.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("%w: %w", ErrInUse, err)
	}
	names, err := files(os.DirFS(l.dir))
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return l.begin()
	}
	cut, err := l.resume(names)
	if err != nil || cut == 0 {
		return err
	}
	_, err = l.Append(Event{
		Actor: "audit", Action: "audit.recover", Object: l.opts.Name, Outcome: Done,
		Detail: map[string]string{"bytes": strconv.FormatInt(cut, 10), "reason": "the last line was cut short by a crash and never confirmed"},
	})
	return err
}

// resume finds the end of the log, and returns how many bytes of an unfinished line it took off. The last file is empty
// when a crash came right after it was begun: then the one before has the last line.
func (l *Log) resume(names []string) (int64, error) {
	name := names[len(names)-1]
	f, err := os.OpenFile(filepath.Join(l.dir, name), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return 0, err
	}
	l.file = f
	end, err := tail(f)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	l.size = end.size
	if end.torn > 0 {
		if err := errors.Join(f.Truncate(end.size), f.Sync()); err != nil {
			return 0, err
		}
	}
	switch {
	case end.line != nil:
		err = l.adopt(name, end.line)
	case len(names) > 1:
		name = names[len(names)-2]
		err = l.adoptLast(name)
	}
	l.flushed = l.last.Seq
	return end.torn, err
}

func (l *Log) adoptLast(name string) error {
	f, err := os.Open(filepath.Join(l.dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := tail(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if end.torn > 0 || end.line == nil {
		return fmt.Errorf("%s ends in the middle of a line, though a later file was begun: look at it with a verifier", name)
	}
	return l.adopt(name, end.line)
}

func (l *Log) adopt(name string, text []byte) error {
	e, err := parse(text)
	if err != nil {
		return fmt.Errorf("the last line of %s: %w: look at the log with a verifier, and begin another in a new directory", name, err)
	}
	l.last.Seq, l.last.Hash, l.last.Time = e.Seq, e.Hash, e.Time
	return nil
}

// begin starts the file for the next line.
func (l *Log) begin() error {
	f, err := os.OpenFile(filepath.Join(l.dir, fileName(l.last.Seq+1)), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := syncDir(l.dir); err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	l.file, l.size = f, 0
	return nil
}

// Append writes an event as the next line and returns it when it is on disk. After an error nothing was written: whoever
// must not act without a record does not act. A full disk is an error until there is room again; an error of the disk
// itself ends the log, since what is on it is not known any more.
func (l *Log) Append(event Event) (Entry, error) {
	e, err := l.write(event)
	if err != nil {
		return Entry{}, fmt.Errorf("the audit log: %w", err)
	}
	if err := l.sync(e.Seq); err != nil {
		return Entry{}, fmt.Errorf("the audit log: %w", err)
	}
	return e, nil
}

func (l *Log) write(event Event) (Entry, error) {
	if event.Actor == "" || event.Action == "" {
		return Entry{}, fmt.Errorf("an event needs an actor and an action, it has %q and %q", event.Actor, event.Action)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return Entry{}, l.err
	}
	e := Entry{Seq: l.last.Seq + 1, Time: l.opts.Now().UTC(), Event: event, Prev: l.last.Hash}
	text, err := line(&e)
	if err != nil {
		return Entry{}, err
	}
	if l.size > 0 && l.size+int64(len(text)) > l.opts.MaxBytes {
		if err := l.rotate(); err != nil {
			return Entry{}, err
		}
	}
	if n, err := l.file.Write(text); err != nil {
		if n > 0 {
			if undo := l.file.Truncate(l.size); undo != nil {
				l.err = fmt.Errorf("half a line could not be taken back: %w", undo)
			}
		}
		return Entry{}, err
	}
	l.size += int64(len(text))
	l.last.Seq, l.last.Hash, l.last.Time = e.Seq, e.Hash, e.Time
	return e, nil
}

// rotate begins a new file when all of the old one is on disk.
func (l *Log) rotate() error {
	if err := l.file.Sync(); err != nil {
		l.err = err
		return err
	}
	old := l.file
	if err := l.begin(); err != nil {
		return err
	}
	return old.Close()
}

// sync returns when the line is on disk. While one caller waits for the disk others write their lines; the next flush is
// for all of them. A rotation has flushed the lines of the file before.
func (l *Log) sync(seq uint64) error {
	l.flush.Lock()
	defer l.flush.Unlock()
	if l.flushed >= seq {
		return nil
	}
	l.mu.Lock()
	file, upTo, err := l.file, l.last.Seq, l.err
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		if errors.Is(err, fs.ErrClosed) { // by a rotation, after its own flush
			l.mu.Lock()
			file = l.file
			l.mu.Unlock()
			err = file.Sync()
		}
		if err != nil {
			l.mu.Lock()
			l.err = err
			l.mu.Unlock()
			return err
		}
	}
	l.flushed = upTo
	return nil
}

// Checkpoint says how far the log has come, counting only lines that are on disk or about to be.
func (l *Log) Checkpoint() Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// FS shows the log's files, for [Read] and [Verify].
func (l *Log) FS() fs.FS { return os.DirFS(l.dir) }

// Close flushes and closes the log. Nothing can be appended afterwards.
func (l *Log) Close() error {
	l.flush.Lock()
	defer l.flush.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Sync()
	l.err = fs.ErrClosed
	return errors.Join(err, l.close())
}

func (l *Log) close() error {
	var err error
	for _, f := range []*os.File{l.file, l.lock} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	l.file, l.lock = nil, nil
	return err
}
