//go:build !linux

package docker

import "errors"

// kill ends a process of a container of this machine, which only Linux has.
func kill(int, string, bool) error { return errors.New("the daemon is on another machine") }
