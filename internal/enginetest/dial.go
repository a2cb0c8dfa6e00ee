package enginetest

import (
	"context"
	"net"
	"time"
)

func dial(path string) (net.Conn, error) {
	return (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "unix", path)
}
