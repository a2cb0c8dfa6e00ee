package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// ID makes an event's ID from what is told: the same parts give the same ID, in every process.
func ID(kind Kind, parts ...string) string {
	h := sha256.New()
	for _, part := range append([]string{string(kind)}, parts...) {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part)) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
