package bundle

import (
	"encoding/binary"
)

// Nodes are read by the dozen for one decision, so they are not JSON: each is its strings, with their lengths before
// them as a uvarint, and the number of the node below, a uvarint.

func (n Node) encode() []byte {
	var out []byte
	for _, s := range []string{n.Digest, n.Name, n.Role, n.Evidence} {
		out = append(binary.AppendUvarint(out, uint64(u32(len(s)))), s...)
	}
	return binary.AppendUvarint(out, uint64(n.Base))
}

func decodeNode(data []byte) (n Node, ok bool) {
	text, at := string(data), 0 // one allocation, which the strings share
	for _, s := range []*string{&n.Digest, &n.Name, &n.Role, &n.Evidence} {
		size, used := binary.Uvarint(data[at:])
		if at += used; used <= 0 || size > maxSection || int(size) > len(data)-at {
			return n, false
		}
		*s = text[at : at+int(size)]
		at += int(size)
	}
	base, used := binary.Uvarint(data[at:])
	n.Base = NodeID(base & (1<<32 - 1))
	return n, used > 0 && at+used == len(data) && uint64(n.Base) == base
}
