package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

const (
	magic      = "plimsoll deny bundle 1\n"
	deltaMagic = "plimsoll deny delta 1\n"

	recordSize  = sha256.Size + 4 // a digest and its reason
	pageRecords = 2048
	pageEntry   = 2 * sha256.Size // a page's first digest and its hash

	maxEnvelope = 1 << 20
	maxSection  = 1 << 30
	maxRecords  = 1 << 26
)

// known is the reason of digests that are known and not denied.
const known = 0

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

func section(data []byte) Section {
	sum := sha256.Sum256(data)
	return Section{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
}

func (s Section) check(name string, data []byte) error {
	if got := section(data); got != s {
		return invalid("the section of %s is %d bytes with SHA-256 %s, signed are %d with %.80q", name, got.Size, got.SHA256, s.Size, s.SHA256)
	}
	return nil
}

// parseHeader reads the payload of an envelope whose signature was verified. Limits come first: sizes are allocated.
func parseHeader(payload []byte) (*Header, error) {
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields() // a later format may mean more than we would do
	h := &Header{}
	if err := dec.Decode(h); err != nil {
		return nil, invalid("header: %v", err)
	}
	for _, s := range []Section{h.Bans, h.Nodes, h.Reasons, h.Pages} {
		if s.Size < 0 || s.Size > maxSection {
			return nil, invalid("header: a section of %d bytes, at most %d", s.Size, maxSection)
		}
	}
	if h.Records < 0 || h.Records > maxRecords || h.Denied < 0 || h.Denied > h.Records {
		return nil, invalid("header: %d records with %d denied, at most %d", h.Records, h.Denied, maxRecords)
	}
	if want := int64(h.pages()) * pageEntry; h.Pages.Size != want {
		return nil, invalid("header: %d records need an index of %d bytes, it has %d", h.Records, want, h.Pages.Size)
	}
	return h, h.Valid()
}

// Valid checks what the maker of a bundle sets.
func (h *Header) Valid() error {
	switch {
	case h.Name == "":
		return invalid("header: no name")
	case h.Version == 0:
		return invalid("header: no version")
	case h.Issued.IsZero() || !h.Expires.After(h.Issued):
		return invalid("header: issued %s and expires %s: it must be issued before it expires", h.Issued, h.Expires)
	}
	return nil
}

func (h *Header) pages() int { return (h.Records + pageRecords - 1) / pageRecords }

// bodySize is the size of all that follows the envelope.
func (h *Header) bodySize() int64 {
	return h.Bans.Size + h.Nodes.Size + h.Reasons.Size + h.Pages.Size + int64(h.Records)*recordSize
}

// u32 is for sizes and counts, which are limited far below.
func u32(n int) uint32 { return uint32(n) } //nolint:gosec // see above

func length(data []byte) uint32 { return u32(len(data)) }

// table is an offset for each item and one for the end, then the items.
type table []byte

func makeTable(items [][]byte) table {
	head := 4 * (len(items) + 1)
	var body []byte
	t := make(table, head)
	for i, item := range items {
		binary.BigEndian.PutUint32(t[4*i:], u32(head+len(body)))
		body = append(body, item...)
	}
	binary.BigEndian.PutUint32(t[4*len(items):], u32(head+len(body)))
	return append(t, body...)
}

// count is how many items there are; it is where the first one begins that says so.
func (t table) count() int {
	if len(t) < 4 {
		return 0
	}
	return int(binary.BigEndian.Uint32(t))/4 - 1
}

func (t table) item(i int) ([]byte, error) {
	if i < 0 || i >= t.count() || 4*(i+2) > len(t) {
		return nil, invalid("no item %d in a table of %d", i, t.count())
	}
	from, to := binary.BigEndian.Uint32(t[4*i:]), binary.BigEndian.Uint32(t[4*(i+1):])
	if from > to || int64(to) > int64(len(t)) {
		return nil, invalid("item %d of a table lies outside of it", i)
	}
	return t[from:to], nil
}

// document reads an item that is JSON.
func (t table) document(i int, into any) error {
	data, err := t.item(i)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return invalid("item %d of a table: %v", i, err)
	}
	return nil
}
