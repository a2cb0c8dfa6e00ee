package source

import (
	"strconv"
	"strings"
)

const maxPointer = 1024 // bytes; Git LFS writes pointers of about 130 and reads none larger

// lfsPointer reads a Git LFS pointer file (github.com/git-lfs/git-lfs, docs/spec.md).
func lfsPointer(content []byte) (sha256 string, size int64, ok bool) {
	text, ok := strings.CutPrefix(string(content), "version https://git-lfs.github.com/spec/v1\n")
	if !ok {
		return "", 0, false
	}
	size = -1
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "oid":
			sha256 = strings.TrimPrefix(value, "sha256:")
		case "size":
			size, _ = strconv.ParseInt(value, 10, 64)
		}
	}
	return sha256, size, len(sha256) == 64 && size >= 0
}
