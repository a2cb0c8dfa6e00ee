package docker

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/containerd/containerd/v2/pkg/archive/compression"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// budget is what an image may still use when it is unpacked. The daemon sets no bound, and a layer of some megabytes can
// fill its disk; so what goes to it is unpacked here as well, and only counted.
type budget struct {
	mu             sync.Mutex
	bytes, entries int64
}

// count reads an unpacked layer.
func (b *budget) count(layer io.Reader) error {
	files := tar.NewReader(layer)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := b.take(h); err != nil {
			return err
		}
	}
}

func (b *budget) take(h *tar.Header) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries--
	b.bytes -= h.Size
	if b.entries < 0 {
		return errors.New("the image has more files than the limit; Options.MaxEntries sets it")
	}
	if b.bytes < 0 {
		return fmt.Errorf("%s: the files of the image are larger than the limit; Options.MaxBytes sets it", h.Name)
	}
	return nil
}

// counted is an image whose layers take from a budget as they are read.
type counted struct {
	v1.Image
	left *budget
}

func (i counted) Layers() ([]v1.Layer, error) {
	layers, err := i.Image.Layers()
	if err != nil {
		return nil, err
	}
	list := make([]v1.Layer, len(layers))
	for n, l := range layers {
		list[n] = countedLayer{l, i.left}
	}
	return list, nil
}

type countedLayer struct {
	v1.Layer
	left *budget
}

func (l countedLayer) Compressed() (io.ReadCloser, error) {
	layer, err := l.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	c := &countedReader{ReadCloser: layer, copy: w, result: make(chan error, 1)}
	go func() {
		err := l.unpack(r)
		_ = r.CloseWithError(err) // who writes gets it
		c.result <- err
	}()
	return c, nil
}

func (l countedLayer) unpack(r io.Reader) error {
	unpacked, err := compression.DecompressStream(r)
	if err != nil {
		return err
	}
	defer unpacked.Close()
	if err := l.left.count(unpacked); err != nil {
		return err
	}
	// Padding, and whatever else follows; nobody unpacks it.
	_, err = io.Copy(io.Discard, r)
	return err
}

// countedReader gives what it reads to somebody else as well, and ends with that one's verdict.
type countedReader struct {
	io.ReadCloser
	copy   *io.PipeWriter
	result chan error
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if _, werr := c.copy.Write(p[:n]); werr != nil {
		return 0, werr
	}
	if errors.Is(err, io.EOF) {
		_ = c.copy.Close()
		result := <-c.result
		c.result <- result
		if result != nil {
			return n, result
		}
	}
	return n, err
}

func (c *countedReader) Close() error {
	_ = c.copy.CloseWithError(io.ErrClosedPipe)
	return c.ReadCloser.Close()
}
