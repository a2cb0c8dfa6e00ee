package bundle

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Diff writes what makes one bundle of a stream out of an earlier one. It is small when the later one was built with
// [Builder.Follow].
//
// A delta is a magic line, the later bundle's envelope, the hash of what is signed in the earlier one, and, compressed,
// the tables, the digests that are gone, and the records that are new.
func Diff(w io.Writer, from, to *Bundle) error {
	head := binary.BigEndian.AppendUint32([]byte(deltaMagic), length(to.envelope))
	head = append(append(head, to.envelope...), from.payload[:]...)
	if _, err := w.Write(head); err != nil {
		return err
	}
	removed, added, err := compare(from, to)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(w)
	for _, name := range tableNames {
		t, err := to.table(name)
		if err != nil {
			return err
		}
		if _, err := z.Write(t); err != nil {
			return err
		}
	}
	for _, list := range [][]byte{removed, added} {
		if _, err := z.Write(binary.BigEndian.AppendUint32(nil, length(list))); err != nil {
			return err
		}
		if _, err := z.Write(list); err != nil {
			return err
		}
	}
	return z.Close()
}

// tableNames are the sections with tables, in the order of the file.
var tableNames = []string{"bans", "nodes", "reasons"}

// compare returns the keys that are gone, and the records that are new or have another reason.
func compare(from, to *Bundle) (removed, added []byte, err error) {
	before, err := from.all()
	if err != nil {
		return nil, nil, err
	}
	after, err := to.all()
	if err != nil {
		return nil, nil, err
	}
	for len(before) > 0 || len(after) > 0 {
		switch order(before, after) {
		case -1:
			removed = append(removed, before[:sha256.Size]...)
			before = before[recordSize:]
		case 1:
			added = append(added, after[:recordSize]...)
			after = after[recordSize:]
		default:
			if !bytes.Equal(before[:recordSize], after[:recordSize]) {
				added = append(added, after[:recordSize]...)
			}
			before, after = before[recordSize:], after[recordSize:]
		}
	}
	return removed, added, nil
}

// order compares the keys at the beginning of two lists; a list at its end comes last.
func order(a, b []byte) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return bytes.Compare(a[:sha256.Size], b[:sha256.Size])
}

// all returns all records.
func (b *Bundle) all() ([]byte, error) {
	if b.records != nil || b.header.Records == 0 {
		return b.records, nil
	}
	var all []byte
	for i := range b.header.pages() {
		page, err := b.page(i)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	return all, nil
}

// Apply writes the later bundle that a delta makes of an earlier one, and returns it, checked and in memory. A delta for
// another version is [ErrDelta]; what does not come out as it was signed is [ErrInvalid], and nothing is written.
func Apply(ctx context.Context, w io.Writer, from *Bundle, delta io.ReaderAt, size int64, verifier Verifier) (*Bundle, error) {
	envelope, at, err := readEnvelope(delta, size, deltaMagic)
	if err != nil {
		return nil, err
	}
	to, err := verify(ctx, envelope, verifier)
	if err != nil {
		return nil, err
	}
	base := make([]byte, sha256.Size)
	if _, err := delta.ReadAt(base, at); err != nil && !errors.Is(err, io.EOF) {
		return nil, invalid("the delta ends early: %v", err)
	}
	if !bytes.Equal(base, from.payload[:]) {
		return nil, fmt.Errorf("%w: it makes version %d, and not of the version %d that is here", ErrDelta, to.header.Version, from.header.Version)
	}
	z, err := gzip.NewReader(io.NewSectionReader(delta, at+sha256.Size, size-at-sha256.Size))
	if err != nil {
		return nil, invalid("the delta: %v", err)
	}
	data, err := rebuild(from, to.header, envelope, z)
	if err != nil {
		return nil, err
	}
	made, err := Load(ctx, data, verifier)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(data)
	return made, err
}

// rebuild puts the bytes of the later bundle together. They are checked as those of any other bundle afterwards.
func rebuild(from *Bundle, h *Header, envelope []byte, delta io.Reader) ([]byte, error) {
	read := func(n int64) ([]byte, error) {
		var part bytes.Buffer // grows with what is there, not with what is said to be
		if _, err := io.CopyN(&part, delta, n); err != nil {
			return nil, invalid("the delta ends early: %v", err)
		}
		return part.Bytes(), nil
	}
	list := func(item int) ([]byte, error) {
		head, err := read(4)
		if err != nil {
			return nil, err
		}
		n := binary.BigEndian.Uint32(head)
		if int64(n)%int64(item) != 0 || int64(n)/int64(item) > maxRecords {
			return nil, invalid("the delta: a list of %d bytes", n)
		}
		return read(int64(n))
	}
	tables, err := read(h.Bans.Size + h.Nodes.Size + h.Reasons.Size)
	if err != nil {
		return nil, err
	}
	removed, err := list(sha256.Size)
	if err != nil {
		return nil, err
	}
	added, err := list(recordSize)
	if err != nil {
		return nil, err
	}
	before, err := from.all()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(len(magic) + 4 + len(envelope) + len(tables) + len(before) + len(added) + len(before)/pageRecords*2 + pageEntry)
	records := patch(before, removed, added)
	if err := write(&out, envelope, tables, pageIndex(records), records); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// patch takes keys out of a list of records and puts others in.
func patch(before, removed, added []byte) []byte {
	out := make([]byte, 0, len(before)+len(added))
	for len(before) > 0 || len(added) > 0 {
		switch order(before, added) {
		case -1:
			key := before[:sha256.Size]
			for len(removed) > 0 && bytes.Compare(removed[:sha256.Size], key) < 0 {
				removed = removed[sha256.Size:]
			}
			if len(removed) == 0 || !bytes.Equal(removed[:sha256.Size], key) {
				out = append(out, before[:recordSize]...)
			}
			before = before[recordSize:]
		case 0:
			before = before[recordSize:]
			fallthrough
		default:
			out = append(out, added[:recordSize]...)
			added = added[recordSize:]
		}
	}
	return out
}
