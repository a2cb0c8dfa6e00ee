//go:build linux

package embedded

import "net"

// Serve answers on one more listener, as a buildkitd would.
func (b *Builder) Serve(l net.Listener) { go func() { _ = b.server.grpc.Serve(l) }() }
