//go:build !linux

package embedded

import (
	"context"
	"fmt"
	"runtime"
)

func startEngine(context.Context, Options) (engine, error) {
	return nil, fmt.Errorf("%w: it needs Linux, this is %s: use buildkit.Docker or buildkit.Dial", ErrUnavailable, runtime.GOOS)
}
