package docker

import (
	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// ulimits are this process's limits on open files and processes, but no more than Podman gives itself.
func ulimits() []*container.Ulimit {
	var list []*container.Ulimit
	for _, l := range []struct {
		name     string
		resource int
		most     uint64
	}{{"nofile", unix.RLIMIT_NOFILE, 1 << 20}, {"nproc", unix.RLIMIT_NPROC, 1 << 15}} {
		var limit unix.Rlimit
		if unix.Getrlimit(l.resource, &limit) == nil {
			n := int64(min(limit.Max, l.most)) //nolint:gosec // it is small
			list = append(list, &container.Ulimit{Name: l.name, Soft: n, Hard: n})
		}
	}
	return list
}
