package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Builder collects what a bundle says. It is not safe for concurrent use. The zero value is not useful: see
// [NewBuilder].
type Builder struct {
	header  Header
	bans    interned
	nodes   interned
	reasons interned
	records []record
	err     error
}

type record struct {
	key    Key
	reason uint32
}

// interned keeps items that are there once, in the order in which they came.
type interned struct {
	items [][]byte
	index map[string]uint32
}

func (in *interned) document(v any) uint32 {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs can be marshalled
	}
	return in.add(text)
}

func (in *interned) add(text []byte) uint32 {
	if i, ok := in.index[string(text)]; ok {
		return i
	}
	if in.index == nil {
		in.index = map[string]uint32{}
	}
	i := u32(len(in.items))
	in.items = append(in.items, text)
	in.index[string(text)] = i
	return i
}

// NewBuilder begins a bundle. Of the header Name, Version, Issued and Expires are required; Records and what follows
// them is filled in.
func NewBuilder(header Header) *Builder {
	b := &Builder{header: header}
	b.nodes.add(Node{}.encode())  // NodeID 0 is no node
	b.reasons.document([]Cause{}) // reason 0 is known
	return b
}

// Follow makes bans, nodes and reasons that are in an earlier bundle keep their numbers, so that the delta to it is
// small. Call it first. What the new bundle does not use any more stays in it; begin without Follow now and then.
func (b *Builder) Follow(earlier *Bundle) error {
	for _, part := range []struct {
		to   *interned
		name string
	}{{&b.bans, "bans"}, {&b.nodes, "nodes"}, {&b.reasons, "reasons"}} {
		t, err := earlier.table(part.name)
		if err != nil {
			return err
		}
		for i := range t.count() {
			item, err := t.item(i)
			if err != nil {
				return err
			}
			if n := part.to.add(bytes.Clone(item)); int(n) != i {
				return invalid("%s %d of version %d is there twice", part.name, i, earlier.header.Version)
			}
		}
	}
	return nil
}

// Ban adds a ban; the same one again has the same id.
func (b *Builder) Ban(ban Ban) BanID { return BanID(b.bans.document(ban)) }

// Node adds an image along a path; the same one again has the same id.
func (b *Builder) Node(node Node) NodeID {
	if int(node.Base) >= len(b.nodes.items) {
		b.err = errors.Join(b.err, fmt.Errorf("node %s stands on a node that was not added", node.Name))
	}
	return NodeID(b.nodes.add(node.encode()))
}

// Deny lists a digest (of an index, manifest or config, or the ChainID of a base's layers) as denied. More causes may
// come by further calls.
func (b *Builder) Deny(digest string, causes ...Cause) {
	for _, c := range causes {
		if int(c.Ban) >= len(b.bans.items) || int(c.On) >= len(b.nodes.items) {
			b.err = errors.Join(b.err, fmt.Errorf("%s is denied by a ban or on a node that was not added", digest))
		}
	}
	if len(causes) == 0 {
		b.err = errors.Join(b.err, fmt.Errorf("%s is denied without a cause", digest))
		return
	}
	b.add(digest, b.reasons.document(causes))
}

// Know lists a digest as known: an image that is not denied. It does not weaken a denial of the same digest.
func (b *Builder) Know(digest string) { b.add(digest, known) }

func (b *Builder) add(digest string, reason uint32) {
	key, err := ParseKey(digest)
	if err != nil {
		b.err = errors.Join(b.err, err)
		return
	}
	b.records = append(b.records, record{key, reason})
}

// Write signs the bundle and writes it. Nothing is written after a mistake in what was added.
func (b *Builder) Write(ctx context.Context, w io.Writer, signer Signer) error {
	if err := errors.Join(b.err, b.header.Valid()); err != nil {
		return err
	}
	if err := b.merge(); err != nil {
		return err
	}
	bans, nodes, reasons := makeTable(b.bans.items), makeTable(b.nodes.items), makeTable(b.reasons.items)
	records := encode(b.records)
	pages := pageIndex(records)
	h := b.header
	h.Records, h.Denied = len(b.records), 0
	for _, r := range b.records {
		if r.reason != known {
			h.Denied++
		}
	}
	h.Bans, h.Nodes, h.Reasons, h.Pages = section(bans), section(nodes), section(reasons), section(pages)
	payload, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if _, err := parseHeader(payload); err != nil {
		return err // too large: better told here than by every gate
	}
	envelope, err := signer.Sign(ctx, PayloadType, payload)
	if err != nil {
		return fmt.Errorf("sign the deny bundle: %w", err)
	}
	return write(w, envelope, bans, nodes, reasons, pages, records)
}

func write(w io.Writer, envelope []byte, sections ...[]byte) error {
	if len(envelope) > maxEnvelope {
		return fmt.Errorf("an envelope of %d bytes, at most %d", len(envelope), maxEnvelope)
	}
	head := binary.BigEndian.AppendUint32([]byte(magic), length(envelope))
	for _, part := range append([][]byte{head, envelope}, sections...) {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// merge sorts the records and joins those of one digest.
func (b *Builder) merge() error {
	slices.SortFunc(b.records, func(x, y record) int {
		if c := bytes.Compare(x.key[:], y.key[:]); c != 0 {
			return c
		}
		return int(x.reason) - int(y.reason)
	})
	out := b.records[:0]
	for i := 0; i < len(b.records); {
		first, same := b.records[i], i+1
		for same < len(b.records) && b.records[same].key == first.key {
			same++
		}
		reason, err := b.join(b.records[i:same])
		if err != nil {
			return err
		}
		out = append(out, record{first.key, reason})
		i = same
	}
	b.records = out
	return nil
}

func (b *Builder) join(same []record) (uint32, error) {
	last := same[len(same)-1].reason
	if same[0].reason == last || len(same) == 2 && same[0].reason == known {
		return last, nil
	}
	var all []Cause
	for _, r := range same {
		var causes []Cause
		if err := json.Unmarshal(b.reasons.items[r.reason], &causes); err != nil {
			return 0, err
		}
		for _, c := range causes {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return b.reasons.document(all), nil
}

func encode(records []record) []byte {
	out := make([]byte, 0, len(records)*recordSize)
	for _, r := range records {
		out = append(out, r.key[:]...)
		out = binary.BigEndian.AppendUint32(out, r.reason)
	}
	return out
}

func pageIndex(records []byte) []byte {
	var out []byte
	for page := range slices.Chunk(records, pageRecords*recordSize) {
		sum := sha256.Sum256(page)
		out = append(out, page[:sha256.Size]...)
		out = append(out, sum[:]...)
	}
	return out
}
