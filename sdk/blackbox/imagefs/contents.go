package imagefs

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"iter"
)

// Item is an entry that [FS.Contents] found, or the error that ended it.
type Item struct {
	Entry
	// Err is not nil for the last item when the layers could not be read to the end.
	Err error
}

// Contents goes over the regular files that want says yes to, with their content, in at most one pass over each layer.
// A file with several hard links comes once, under one of its paths. The reader is valid until the next item; a sparse
// file gives more bytes than its layer has, so limit what you read. When [Item.Err] is not nil the reader is nil and
// the iteration ends.
func (f *FS) Contents(ctx context.Context, want func(Entry) bool) iter.Seq2[Item, io.Reader] {
	return func(yield func(Item, io.Reader) bool) {
		var kept []Entry
		seen := map[*inode]bool{}
		streamed := make([]map[int]Entry, len(f.layers)+1)
		for e := range f.All() {
			i := e.inode
			if !e.Mode.IsRegular() || seen[i] || !want(e) {
				continue
			}
			seen[i] = true
			if i.inMemory() {
				kept = append(kept, e)
				continue
			}
			if streamed[i.layer] == nil {
				streamed[i.layer] = map[int]Entry{}
			}
			streamed[i.layer][i.index] = e
		}
		for _, e := range kept {
			if !yield(Item{Entry: e}, bytes.NewReader(e.inode.data)) {
				return
			}
		}
		for layer, entries := range streamed {
			if len(entries) == 0 {
				continue
			}
			more, err := f.stream(ctx, layer, entries, yield)
			if err != nil {
				yield(Item{Err: &LayerError{Layer: layer, Err: err}}, nil)
				return
			}
			if !more {
				return
			}
		}
	}
}

func (i *inode) inMemory() bool { return i.data != nil || i.size == 0 }

// stream reads a layer again, up to the last of the entries, which are keyed by the number of their header.
func (f *FS) stream(ctx context.Context, layer int, entries map[int]Entry, yield func(Item, io.Reader) bool) (more bool, err error) {
	rc, err := f.layers[layer-1].Uncompressed()
	if err != nil {
		return false, err
	}
	defer rc.Close()
	var read int64
	tr := tar.NewReader(&limited{ctx: ctx, r: rc, n: &read, max: f.limits.Bytes})
	for index, left := 0, len(entries); left > 0; index++ {
		if _, err := tr.Next(); err != nil {
			return false, err
		}
		e, ok := entries[index]
		if !ok {
			continue
		}
		left--
		if !yield(Item{Entry: e}, tr) {
			return false, nil
		}
	}
	return true, nil
}
