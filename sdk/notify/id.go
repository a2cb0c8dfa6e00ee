package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// ID makes an event's ID from what is told: the same parts give the same ID, in every process.
func ID(kind Kind, parts ...string) string {
	h := sha256.New()
	for _, part := range append([]string{string(kind)}, parts...) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
