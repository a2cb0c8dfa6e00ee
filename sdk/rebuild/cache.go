package rebuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	lru "github.com/hashicorp/golang-lru/v2"
)

// Cache keeps what is known by digest and therefore never changes: manifests, configurations, and what layers touch. With
// a cache that lasts, planning an image that was seen before asks the registry for nothing. Implementations are safe for
// concurrent use.
type Cache interface {
	// Get returns a value, or ok false.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
	// Put keeps a value; it may be dropped at any time.
	Put(ctx context.Context, key string, value []byte) error
}

// memory is the cache of a [Mover] that was given none.
type memory struct{ kept *lru.Cache[string, []byte] }

// memoryEntries bounds the default cache: some tens of megabytes.
const memoryEntries = 4096

func newMemory() memory {
	kept, err := lru.New[string, []byte](memoryEntries)
	if err != nil {
		panic(err) // only a size that is not positive fails
	}
	return memory{kept}
}

func (m memory) Get(_ context.Context, key string) ([]byte, bool, error) {
	value, ok := m.kept.Get(key)
	return value, ok, nil
}

func (m memory) Put(_ context.Context, key string, value []byte) error {
	m.kept.Add(key, value)
	return nil
}

// cached returns what is kept under a key, or makes it and keeps it.
func cached(ctx context.Context, c Cache, key string, fill func() ([]byte, error)) ([]byte, error) {
	value, ok, err := c.Get(ctx, key)
	if err != nil || ok {
		return value, err
	}
	if value, err = fill(); err != nil {
		return nil, err
	}
	return value, c.Put(ctx, key, value)
}

// touched returns what a layer touches. It is kept by diff ID, which names the content however it is compressed.
func touched(ctx context.Context, c Cache, diffID v1.Hash, layer v1.Layer) (*Touched, error) {
	raw, err := cached(ctx, c, "touched:"+diffID.String(), func() ([]byte, error) {
		t, err := ReadLayer(ctx, &checked{layer, diffID})
		if err != nil {
			return nil, err
		}
		return json.Marshal(t)
	})
	if err != nil {
		return nil, err
	}
	t := &Touched{}
	return t, json.Unmarshal(raw, t)
}

// checked is a layer whose content is compared with the diff ID that the configuration gives it: what is kept under a
// diff ID has to be true of it.
type checked struct {
	v1.Layer

	diffID v1.Hash
}

func (c *checked) Uncompressed() (io.ReadCloser, error) {
	body, err := c.Layer.Uncompressed()
	if err != nil {
		return nil, err
	}
	hasher, err := v1.Hasher(c.diffID.Algorithm)
	if err != nil {
		return nil, errors.Join(err, body.Close())
	}
	return &checkedBody{ReadCloser: body, tee: io.TeeReader(body, hasher), sum: func() error {
		got := v1.Hash{Algorithm: c.diffID.Algorithm, Hex: fmt.Sprintf("%x", hasher.Sum(nil))}
		if got != c.diffID {
			return fmt.Errorf("the configuration says that the layer's content is %s, it is %s", c.diffID, got)
		}
		return nil
	}}, nil
}

type checkedBody struct {
	io.ReadCloser

	tee io.Reader
	sum func() error
}

func (b *checkedBody) Read(p []byte) (int, error) { return b.tee.Read(p) }

// Close reads what the archive's reader left, and compares.
func (b *checkedBody) Close() error {
	_, err := io.Copy(io.Discard, b.tee)
	if err == nil {
		err = b.sum()
	}
	return errors.Join(err, b.ReadCloser.Close())
}
