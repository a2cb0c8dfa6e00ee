package source

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/memory"
)

// objectStore takes the objects of one fetch, into memory or a directory of the cache. A directory gets its final name
// only when it is complete, so that whoever finds it there can use it, and two Loads at once do not meet.
type objectStore struct {
	objects  storage.Storer
	complete bool   // found in the cache
	cache    string // directory of all entries; "" for memory
	prefix   string // of the entry's name, which the commit completes
	temp     string // what is being written
}

func newStore(opts Options, name string, commit plumbing.Hash) (*objectStore, error) {
	if opts.CacheDir == "" {
		return &objectStore{objects: &limitedMemory{Storage: memory.NewStorage(), limit: opts.MaxFetch}}, nil
	}
	sum := sha256.Sum256([]byte(name))
	s := &objectStore{cache: opts.CacheDir, prefix: hex.EncodeToString(sum[:16])}
	if !commit.IsZero() {
		if _, err := os.Stat(s.entry(commit)); err == nil {
			s.complete, s.objects = true, openEntry(s.entry(commit))
			return s, nil
		}
	}
	if err := os.MkdirAll(s.cache, 0o700); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(s.cache, "fetch-*.tmp")
	if err != nil {
		return nil, err
	}
	s.temp, s.objects = temp, openDir(temp)
	if _, err := git.Init(s.objects, nil); err != nil {
		s.discard()
		return nil, err
	}
	return s, nil
}

func openDir(dir string) storage.Storer {
	return filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRUDefault())
}

// openEntry opens a directory that does not change any more; see openGit for its files.
func openEntry(dir string) storage.Storer {
	return filesystem.NewStorageWithOptions(osfs.New(dir), cache.NewObjectLRUDefault(),
		filesystem.Options{ExclusiveAccess: true, KeepDescriptors: true})
}

// entry is the directory of a commit.
func (s *objectStore) entry(commit plumbing.Hash) string {
	return filepath.Join(s.cache, s.prefix+"-"+commit.String()+".git")
}

// keep gives the store its final place and returns it from there.
func (s *objectStore) keep(commit plumbing.Hash) (storer.EncodedObjectStorer, error) {
	if s.temp == "" {
		return s.objects, nil
	}
	entry := s.entry(commit)
	err := os.Rename(s.temp, entry)
	if err != nil {
		if _, statErr := os.Stat(entry); statErr != nil {
			return nil, err
		}
		if err := os.RemoveAll(s.temp); err != nil { // another Load was first
			return nil, err
		}
	}
	s.temp = ""
	return openEntry(entry), nil
}

// discard removes what keep did not take.
func (s *objectStore) discard() {
	if s.temp != "" {
		_ = os.RemoveAll(s.temp) // best effort: the name says that it is no entry
	}
}

// limitedMemory holds objects up to a limit in bytes.
type limitedMemory struct {
	*memory.Storage
	limit, size int64
}

// SetEncodedObject stores an object.
func (m *limitedMemory) SetEncodedObject(o plumbing.EncodedObject) (plumbing.Hash, error) {
	if m.size += o.Size(); m.size > m.limit {
		return plumbing.ZeroHash, &LimitError{Option: "MaxFetch", Limit: m.limit, Found: m.size}
	}
	return m.Storage.SetEncodedObject(o)
}
