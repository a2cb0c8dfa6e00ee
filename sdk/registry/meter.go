package registry

import (
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// meter counts the bytes of one push.
type meter struct {
	report func(done, total int64) // may be nil
	size   map[v1.Hash]int64
	total  int64

	mu   sync.Mutex
	done map[v1.Hash]int64
	sum  int64
}

func newMeter(layers []v1.Layer, report func(done, total int64)) (*meter, error) {
	m := &meter{report: report, size: map[v1.Hash]int64{}, done: map[v1.Hash]int64{}}
	for _, l := range layers {
		digest, err := l.Digest()
		if err != nil {
			return nil, err
		}
		size, err := l.Size()
		if err != nil {
			return nil, err
		}
		m.size[digest] = size
		m.total += size
	}
	return m, nil
}

// set notes how much of a layer is done; it goes back to 0 when an upload starts over.
func (m *meter) set(digest v1.Hash, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sum += n - m.done[digest]
	m.done[digest] = n
	if m.report != nil {
		m.report(m.sum, m.total)
	}
}

// complete notes that the registry has a layer, uploaded or there before.
func (m *meter) complete(digest v1.Hash) { m.set(digest, m.size[digest]) }

// watch returns the layer with its reading counted, and checked against its digest before the registry is asked to
// accept it. That a layer can be mounted from another repository must stay visible to go-containerregistry.
func (m *meter) watch(layer v1.Layer, digest v1.Hash) v1.Layer {
	if l, ok := layer.(*remote.MountableLayer); ok {
		return &remote.MountableLayer{Layer: m.watch(l.Layer, digest), Reference: l.Reference}
	}
	return &watchedLayer{Layer: layer, digest: digest, meter: m}
}

type watchedLayer struct {
	v1.Layer
	digest v1.Hash
	meter  *meter
}

func (l *watchedLayer) Compressed() (io.ReadCloser, error) {
	hasher, err := v1.Hasher(l.digest.Algorithm)
	if err != nil {
		return nil, err
	}
	l.meter.set(l.digest, 0)
	body, err := l.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	return &watchedReader{ReadCloser: body, layer: l, hash: hasher}, nil
}

type watchedReader struct {
	io.ReadCloser
	layer *watchedLayer
	hash  hash.Hash
	n     int64
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.hash.Write(p[:n])
	r.n += int64(n)
	r.layer.meter.set(r.layer.digest, r.n)
	if err != io.EOF {
		return n, err
	}
	if got := hex.EncodeToString(r.hash.Sum(nil)); got != r.layer.digest.Hex {
		return n, fmt.Errorf("layer %s has the content of %s:%s", r.layer.digest, r.layer.digest.Algorithm, got)
	}
	return n, err
}
