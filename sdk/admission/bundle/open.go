package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"
)

// Bundle is a bundle whose signature was verified. It is immutable and safe for concurrent use.
type Bundle struct {
	header   *Header
	envelope []byte
	payload  [sha256.Size]byte // hash of what is signed

	body    io.ReaderAt // all that follows the envelope
	records []byte      // nil unless in memory

	pages  func() ([]byte, error)
	tables map[string]func() (table, error)
	bans   func() ([]Ban, error)
}

// Header returns what is signed.
func (b *Bundle) Header() Header { return *b.header }

// Envelope returns the signed envelope. It must not be changed.
func (b *Bundle) Envelope() []byte { return b.envelope }

// Same says whether two bundles say the same: it compares what is signed.
func (b *Bundle) Same(other *Bundle) bool { return b.payload == other.payload }

// Load checks all of a bundle and keeps it in memory, for programs that decide often. It keeps data.
func Load(ctx context.Context, data []byte, verifier Verifier) (*Bundle, error) {
	b, err := Open(ctx, bytes.NewReader(data), int64(len(data)), verifier)
	if err != nil {
		return nil, err
	}
	if err := b.Check(); err != nil {
		return nil, err
	}
	b.records = data[int64(len(data))-int64(b.header.Records)*recordSize:]
	return b, nil
}

// Open verifies the signature and the size, and reads the rest when a lookup needs it, each part checked against what
// was signed each time that it is read. The caller keeps the file open, and closes it.
func Open(ctx context.Context, file io.ReaderAt, size int64, verifier Verifier) (*Bundle, error) {
	envelope, rest, err := readEnvelope(file, size, magic)
	if err != nil {
		return nil, err
	}
	b, err := verify(ctx, envelope, verifier)
	if err != nil {
		return nil, err
	}
	if got, want := size-rest, b.header.bodySize(); got != want {
		return nil, invalid("%d bytes after the envelope, signed are %d: it is cut off, or something was added", got, want)
	}
	b.body = io.NewSectionReader(file, rest, size-rest)
	return b, nil
}

// readEnvelope reads the beginning of a bundle or a delta and returns where it ends.
func readEnvelope(file io.ReaderAt, size int64, magic string) ([]byte, int64, error) {
	head := make([]byte, len(magic)+4)
	if _, err := file.ReadAt(head, 0); err != nil || string(head[:len(magic)]) != magic {
		return nil, 0, invalid("it does not begin with %q", magic)
	}
	n := int64(binary.BigEndian.Uint32(head[len(magic):]))
	if n > maxEnvelope || int64(len(head))+n > size {
		return nil, 0, invalid("an envelope of %d bytes in a file of %d", n, size)
	}
	envelope := make([]byte, n)
	if _, err := file.ReadAt(envelope, int64(len(head))); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	return envelope, int64(len(head)) + n, nil
}

// verify makes a bundle of an envelope, without its body.
func verify(ctx context.Context, envelope []byte, verifier Verifier) (*Bundle, error) {
	payload, err := verifier.Verify(ctx, PayloadType, envelope)
	if err != nil {
		return nil, fmt.Errorf("the signature of the deny bundle: %w", err)
	}
	header, err := parseHeader(payload)
	if err != nil {
		return nil, err
	}
	b := &Bundle{header: header, envelope: envelope, payload: sha256.Sum256(payload)}
	offset := int64(0)
	read := func(name string, s Section) func() ([]byte, error) {
		at := offset
		offset += s.Size
		return sync.OnceValues(func() ([]byte, error) {
			data := make([]byte, s.Size)
			if n, err := b.body.ReadAt(data, at); int64(n) != s.Size {
				return nil, fmt.Errorf("read the deny bundle: %w", err)
			}
			return data, s.check(name, data)
		})
	}
	b.tables = map[string]func() (table, error){}
	for _, s := range []struct {
		name string
		at   Section
	}{{"bans", header.Bans}, {"nodes", header.Nodes}, {"reasons", header.Reasons}} {
		get := read(s.name, s.at)
		b.tables[s.name] = func() (table, error) { return get() }
	}
	b.pages = read("pages", header.Pages)
	b.bans = sync.OnceValues(b.readBans)
	return b, nil
}

func (b *Bundle) table(name string) (table, error) { return b.tables[name]() }

func (b *Bundle) readBans() ([]Ban, error) {
	t, err := b.table("bans")
	if err != nil {
		return nil, err
	}
	bans := make([]Ban, t.count())
	for i := range bans {
		if err := t.document(i, &bans[i]); err != nil {
			return nil, err
		}
	}
	return bans, nil
}

// Bans returns the bans that the bundle knows.
func (b *Bundle) Bans() ([]Ban, error) {
	bans, err := b.bans()
	return append([]Ban(nil), bans...), err
}

// Check reads all of it and compares it with what was signed.
func (b *Bundle) Check() error {
	for name := range b.tables {
		if _, err := b.table(name); err != nil {
			return err
		}
	}
	var last Key
	denied := 0
	for i := range b.header.pages() {
		page, err := b.page(i)
		if err != nil {
			return err
		}
		for at := 0; at < len(page); at += recordSize {
			key := Key(page[at : at+sha256.Size])
			if (i > 0 || at > 0) && bytes.Compare(last[:], key[:]) >= 0 {
				return invalid("record %d is out of order", i*pageRecords+at/recordSize)
			}
			last = key
			if binary.BigEndian.Uint32(page[at+sha256.Size:]) != known {
				denied++
			}
		}
	}
	if denied != b.header.Denied {
		return invalid("%d denied digests, signed are %d", denied, b.header.Denied)
	}
	return nil
}

// page returns a page of records: from memory where all was checked, or read and checked.
func (b *Bundle) page(i int) ([]byte, error) {
	from := int64(i) * pageRecords * recordSize
	to := min(from+pageRecords*recordSize, int64(b.header.Records)*recordSize)
	if b.records != nil {
		return b.records[from:to], nil
	}
	pages, err := b.pages()
	if err != nil {
		return nil, err
	}
	page := make([]byte, to-from)
	start := b.header.bodySize() - int64(b.header.Records)*recordSize
	if n, err := b.body.ReadAt(page, start+from); n != len(page) {
		return nil, fmt.Errorf("read the deny bundle: %w", err)
	}
	if sum := sha256.Sum256(page); !bytes.Equal(sum[:], pages[i*pageEntry+sha256.Size:(i+1)*pageEntry]) {
		return nil, invalid("page %d has not the hash that was signed", i)
	}
	return page, nil
}

// find returns the reason of a digest.
func (b *Bundle) find(key Key) (reason uint32, found bool, err error) {
	pages, err := b.pages()
	if err != nil {
		return 0, false, err
	}
	i := sort.Search(b.header.pages(), func(i int) bool {
		return bytes.Compare(pages[i*pageEntry:i*pageEntry+sha256.Size], key[:]) > 0
	}) - 1
	if i < 0 {
		return 0, false, nil
	}
	page, err := b.page(i)
	if err != nil {
		return 0, false, err
	}
	n := len(page) / recordSize
	at := sort.Search(n, func(i int) bool {
		return bytes.Compare(page[i*recordSize:i*recordSize+sha256.Size], key[:]) >= 0
	})
	if at == n || !bytes.Equal(page[at*recordSize:at*recordSize+sha256.Size], key[:]) {
		return 0, false, nil
	}
	return binary.BigEndian.Uint32(page[at*recordSize+sha256.Size:]), true, nil
}

// Find looks up a digest, "sha256:...".
func (b *Bundle) Find(digest string) (Entry, error) {
	key, err := ParseKey(digest)
	if err != nil {
		return Entry{}, err
	}
	reason, found, err := b.find(key)
	if err != nil || !found {
		return Entry{}, err
	}
	entry := Entry{Listed: true}
	if reason == known {
		return entry, nil
	}
	entry.Denials, err = b.denials(reason)
	return entry, err
}

func (b *Bundle) denials(reason uint32) ([]Denial, error) {
	bans, err := b.bans()
	if err != nil {
		return nil, err
	}
	reasons, err := b.table("reasons")
	if err != nil {
		return nil, err
	}
	var causes []Cause
	if err := reasons.document(int(reason), &causes); err != nil {
		return nil, err
	}
	if len(causes) == 0 {
		return nil, invalid("reason %d has no cause", reason)
	}
	denials := make([]Denial, len(causes))
	for i, c := range causes {
		if int(c.Ban) >= len(bans) {
			return nil, invalid("reason %d names ban %d of %d", reason, c.Ban, len(bans))
		}
		denials[i].Ban = bans[c.Ban]
		if denials[i].Path, err = b.path(c); err != nil {
			return nil, err
		}
	}
	return denials, nil
}

// maxPath limits paths; a longer one is a loop.
const maxPath = 1000

func (b *Bundle) path(c Cause) ([]Step, error) {
	if c.On == 0 {
		return nil, nil
	}
	nodes, err := b.table("nodes")
	if err != nil {
		return nil, err
	}
	path := make([]Step, 0, 12)
	role, evidence := c.Role, c.Evidence
	for id := c.On; id != 0; {
		item, err := nodes.item(int(id))
		if err != nil {
			return nil, err
		}
		n, ok := decodeNode(item)
		if !ok {
			return nil, invalid("node %d can't be read", id)
		}
		if path = append(path, Step{Name: n.Name, Digest: n.Digest, Role: role, Evidence: evidence}); len(path) > maxPath {
			return nil, invalid("a path of more than %d images", maxPath)
		}
		id, role, evidence = n.Base, n.Role, n.Evidence
	}
	return path, nil
}

// Digests calls yield with every digest, whether it is denied, in order.
func (b *Bundle) Digests(yield func(digest string, denied bool) bool) error {
	for i := range b.header.pages() {
		page, err := b.page(i)
		if err != nil {
			return err
		}
		for at := 0; at < len(page); at += recordSize {
			reason := binary.BigEndian.Uint32(page[at+sha256.Size:])
			if !yield(Key(page[at:at+sha256.Size]).String(), reason != known) {
				return nil
			}
		}
	}
	return nil
}
