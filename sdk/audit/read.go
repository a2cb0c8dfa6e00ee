package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
)

// Read returns the entries of a log from a line on, in order. Files that end before that line are not opened. A line that
// is broken is an error, and the reading goes on behind it; an unfinished last line is not shown. [Verify] judges the
// whole.
func Read(fsys fs.FS, from uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		names, err := files(fsys)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for i, name := range names {
			if i+1 < len(names) {
				if next, _ := first(names[i+1]); next <= from {
					continue
				}
			}
			for l, err := range lines(fsys, name) {
				var e Entry
				if err == nil {
					if l.torn {
						continue
					}
					e, err = parse(l.text)
				}
				if err != nil {
					err = fmt.Errorf("%s:%d: %w", name, l.number, err)
				} else if e.Seq < from {
					continue
				}
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

// numbered is a line of a file.
type numbered struct {
	number int
	offset int
	text   []byte // without its newline, valid until the next
	torn   bool   // it has none
}

// lines reads a file. The text of a line longer than [MaxLine] is cut there, which breaks its hash.
func lines(fsys fs.FS, name string) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) {
		f, err := fsys.Open(name)
		if err != nil {
			yield(numbered{}, err)
			return
		}
		defer f.Close()
		r := bufio.NewReaderSize(f, 64<<10)
		l := numbered{}
		for {
			l.number++
			read, err := l.read(r)
			if err != nil && !errors.Is(err, io.EOF) {
				yield(l, err)
				return
			}
			l.torn = err != nil
			if l.torn && read == 0 || !yield(l, nil) || l.torn {
				return
			}
			l.offset += read
		}
	}
}

// read reads the next line and returns how many bytes it takes.
func (l *numbered) read(r *bufio.Reader) (read int, err error) {
	var buf bytes.Buffer
	for {
		part, err := r.ReadSlice('\n')
		read += len(part)
		if room := MaxLine + 1 - buf.Len(); room > 0 {
			buf.Write(part[:min(room, len(part))])
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		l.text = bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
		return read, err
	}
}
