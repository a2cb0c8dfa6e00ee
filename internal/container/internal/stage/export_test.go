//go:build linux

package stage

// For tests of what a machine with another layout has.
var (
	FindHierarchies = findHierarchies
	ParseSockets    = parseSockets
	Executables     = executables
)

// Limit sets limits as a container's group would.
func (g ControlGroup) Limit(r Resources) error { return g.limit(r) }

// LimitPIDs sets the limit of processes.
func (g ControlGroup) LimitPIDs(n int) error { return limitPIDs([]ControlGroup{g}, n, 0) }

// Measure reads memory, processor time and the number of kills by the memory limit.
func (g ControlGroup) Measure() (memory int64, nanoseconds int64, kills int, err error) {
	if memory, err = g.memory(); err != nil {
		return
	}
	d, err := g.cpu()
	return memory, int64(d), g.oomKills(), err
}
