package sqlstore

import (
	"encoding/hex"
	"strings"
	"time"
)

// encode makes a digest short: the hash alone, whose length tells the algorithm. "" is nil.
func encode(digest string) []byte {
	_, digits, _ := strings.Cut(digest, ":")
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) == 0 {
		return nil // only what Batch.Check let pass is encoded
	}
	return b
}

func decode(hash []byte) string {
	switch len(hash) {
	case 0:
		return ""
	case 64:
		return "sha512:" + hex.EncodeToString(hash)
	}
	return "sha256:" + hex.EncodeToString(hash)
}

// hexes are the hex digits of digests, for a list parameter. What is no digest is left out: nothing is known of it.
func hexes(digests []string) []string {
	out := make([]string, 0, len(digests))
	for _, d := range digests {
		if hash := encode(d); hash != nil {
			out = append(out, hex.EncodeToString(hash))
		}
	}
	return out
}

// link is a ChainID as it is kept for comparison: its first half is more than enough to tell layers apart.
type link [16]byte

func linkOf(chain string) (l link) {
	copy(l[:], encode(chain))
	return l
}

func (l link) hex() string { return hex.EncodeToString(l[:]) }

// micro is a time as it is kept, in microseconds; zero is NULL.
func micro(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func timeOf(micro *int64) time.Time {
	if micro == nil {
		return time.Time{}
	}
	return time.UnixMicro(*micro).UTC()
}
