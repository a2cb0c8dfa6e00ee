//go:build linux

package embedded

import "net"

// Serve answers on one more listener, as a buildkitd would. The engine is one of this process.
func (b *Builder) Serve(l net.Listener) { b.engine.(*server).serve(l) }
