//go:build linux

package stage

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// groupPrefix begins the names of the groups that supervisors make.
const groupPrefix = "plimsoll-"

// groupTree is the supervisor's own group in every hierarchy; each container gets a group below it.
type groupTree struct {
	groups     []ControlGroup
	locks      []*os.File // held open and locked while the supervisor lives
	weaknesses []string
}

// newGroupTree makes the supervisor's groups beside or below those that it runs in, and removes the ones that
// supervisors which were killed have left.
func newGroupTree() *groupTree {
	t := &groupTree{}
	name := groupPrefix + rand.Text()
	problems := map[string]string{}
	for _, parent := range hierarchies() {
		sweep(parent)
		g, err := parent.child(name)
		if err != nil {
			for c := range strings.SplitSeq(parent.Controllers, ",") {
				problems[c] = failure("make a control group", err).Error()
			}
			continue
		}
		if lock := tryLock(g.Dir); lock != nil {
			t.locks = append(t.locks, lock)
		}
		t.groups = append(t.groups, g)
	}
	for _, need := range []struct{ controller, what string }{
		{"memory", "memory is bounded loosely and for each process alone, and that it has run out is not seen"},
		{"pids", fmt.Sprintf("the number of processes is bounded for all instances together, at %d, and not for the real root", sharedPIDs)},
		{"cpu", "processor time is not bounded"},
	} {
		if !t.has(need.controller) {
			why := problems[need.controller]
			if why == "" {
				why = "no control group hierarchy that this process may write to has the " + need.controller + " controller"
			}
			t.weaknesses = append(t.weaknesses, need.what+": "+why)
		}
	}
	return t
}

func (t *groupTree) has(controller string) bool {
	for _, g := range t.groups {
		if g.has(controller) {
			return true
		}
	}
	return false
}

// container makes the groups of one container. Those that do not exist are no error: newGroupTree has said so.
func (t *groupTree) container(spec *Spec) ([]ControlGroup, error) {
	var groups []ControlGroup
	for _, g := range t.groups {
		if g.has("cpuset") && !g.Unified && spec.Resources.CPUSet == "" && spec.Resources.MemorySet == "" {
			continue
		}
		for name := range strings.SplitSeq(strings.Trim(filepath.Clean("/"+spec.Resources.Parent), "/"), "/") {
			if name == "" {
				continue
			}
			var err error
			if g, err = g.child(name); err != nil {
				return groups, failure("make the control group "+filepath.Join(g.Dir, name), err)
			}
		}
		g, err := g.child(spec.ID)
		if err != nil {
			return groups, failure("make a control group", err)
		}
		groups = append(groups, g)
		if err := g.limit(spec.Resources); err != nil {
			return groups, err
		}
	}
	return groups, nil
}

// Where there is no group, a process may use so much more memory than its container's limit, because language runtimes
// reserve what they never use; and all processes of all containers together may be so many, because the kernel counts
// them by user.
const (
	reservedMemory = 128 << 20
	sharedPIDs     = 2048
)

// rlimits are what is left to bound a process where there is no group for it.
func (t *groupTree) rlimits(r Resources) []Rlimit {
	var limits []Rlimit
	if r.Memory > 0 && !t.has("memory") {
		limits = append(limits, lowered(unix.RLIMIT_DATA, uint64(r.Memory)+reservedMemory))
	}
	if r.PIDs > 0 && !t.has("pids") {
		limits = append(limits, lowered(unix.RLIMIT_NPROC, uint64(max(r.PIDs, sharedPIDs))))
	}
	return limits
}

// lowered is a limit within the one that this process has, which it may not raise.
func lowered(resource int, value uint64) Rlimit {
	var now unix.Rlimit
	if err := unix.Getrlimit(resource, &now); err == nil {
		value = min(value, now.Max)
	}
	return Rlimit{Resource: resource, Soft: value, Hard: value}
}

func (t *groupTree) remove() {
	for _, g := range t.groups {
		_ = g.remove()
	}
	CloseAll(t.locks)
}

// sweep removes what a killed supervisor left: its groups are not locked any more.
func sweep(parent ControlGroup) {
	dirs, _ := filepath.Glob(filepath.Join(parent.Dir, groupPrefix+"*"))
	for _, dir := range dirs {
		if lock := tryLock(dir); lock != nil {
			_ = ControlGroup{Dir: dir}.remove()
			_ = lock.Close()
		}
	}
}

// hierarchies finds a group in each hierarchy in which groups for containers may be made.
func hierarchies() []ControlGroup {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	return findHierarchies(string(own), string(mounts))
}

func findHierarchies(own, mounts string) []ControlGroup {
	paths := map[string]string{} // this process's group by controllers; "" is version 2
	for line := range strings.Lines(own) {
		if _, rest, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			controllers, path, _ := strings.Cut(rest, ":")
			paths[controllers] = path
		}
	}
	var found []ControlGroup
	for line := range strings.Lines(mounts) {
		// 36 35 98:0 /root /mount/point rw,noatime - type source super,options   (proc(5))
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) < 3 {
			continue
		}
		root, point := fields[3], fields[4]
		switch kind[0] {
		case "cgroup2":
			path, ok := paths[""]
			if g := (ControlGroup{Unified: true, Dir: point}); ok && g.has("memory") {
				if g.Dir, ok = below(point, root, path); ok {
					found = append(found, ControlGroup{Unified: true, Controllers: "memory,pids,cpu", Dir: notOccupied(g.Dir, point)})
				}
			}
		case "cgroup":
			for controllers, path := range paths {
				first, _, _ := strings.Cut(controllers, ",")
				wanted := first == "memory" || first == "pids" || strings.HasPrefix(controllers, "cpu")
				if !wanted || !strings.Contains(","+kind[2]+",", ","+first+",") {
					continue
				}
				if dir, ok := below(point, root, path); ok {
					found = append(found, ControlGroup{Controllers: controllers, Dir: dir})
				}
			}
		}
	}
	return found
}

// below is where a group's path is under a mount point that shows the hierarchy from root on.
func below(point, root, path string) (string, bool) {
	if root == "/" || strings.HasPrefix(root, "/..") {
		root = ""
	}
	rest, ok := strings.CutPrefix(path, root)
	return filepath.Join(point, rest), ok
}

// notOccupied is a version 2 group whose children can have controllers: one without processes. That is the root, or the
// parent of this process's group.
func notOccupied(dir, point string) string {
	if dir == point {
		return dir
	}
	return filepath.Dir(dir)
}

func (g ControlGroup) String() string { return fmt.Sprintf("%s (%s)", g.Dir, g.Controllers) }
