package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A log's files are named after their first line's number, so that their order is that of their names.
const prefix, suffix = "audit-", ".jsonl"

func fileName(first uint64) string { return fmt.Sprintf("%s%020d%s", prefix, first, suffix) }

// first returns the number that a file's name says its first line has.
func first(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	if digits, ok = strings.CutSuffix(digits, suffix); !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

// files lists the names of a log's files in order.
func files(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, ok := first(e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// ending is how a file ends.
type ending struct {
	line []byte // the last whole line, without its newline
	size int64  // of the whole lines
	torn int64  // bytes after them
}

// tail reads the end of a file.
func tail(f *os.File) (ending, error) {
	info, err := f.Stat()
	if err != nil {
		return ending{}, err
	}
	// Two lines and what is torn off a third are all that is needed.
	from := max(0, info.Size()-2*MaxLine-1)
	buf, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return ending{}, err
	}
	newline := bytes.LastIndexByte(buf, '\n')
	if newline < 0 {
		if from > 0 {
			return ending{}, errors.New("its end has no line")
		}
		return ending{torn: int64(len(buf))}, nil
	}
	end := ending{size: from + int64(newline) + 1, torn: int64(len(buf) - newline - 1)}
	end.line = buf[bytes.LastIndexByte(buf[:newline], '\n')+1 : newline]
	return end, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
