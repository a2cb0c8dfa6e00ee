package catalogs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/plimsoll-dev/plimsoll/sdk/attest/artifact"
)

// Dir remembers the newest catalogs in a directory, one file for each name, which is made when the first is accepted.
// Processes may share it. A file that is there and can't be read is an error: what it said may have refused what comes.
func Dir(path string) Seen { return &dir{path: path} }

type dir struct {
	path string
	mu   sync.Mutex
}

func (d *dir) file(name string) string {
	return filepath.Join(d.path, url.PathEscape(name)+".json")
}

// Newest implements [Seen].
func (d *dir) Newest(name string) (artifact.Seen, error) {
	var seen artifact.Seen
	raw, err := os.ReadFile(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return seen, nil
	}
	if err == nil {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err = decoder.Decode(&seen); err != nil || seen.Version == 0 {
			err = fmt.Errorf("%s can't be read (%w); find out who wrote it, and delete it to begin anew", d.file(name), errors.Join(err))
		}
	}
	return seen, err
}

// Accept implements [Seen].
func (d *dir) Accept(name string, seen artifact.Seen) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	newest, err := d.Newest(name)
	if err != nil || seen.Version <= newest.Version {
		return err
	}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	raw, err := json.Marshal(seen)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(d.path, ".seen-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone when it was renamed
	_, err = temporary.Write(append(raw, '\n'))
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), d.file(name))
}
