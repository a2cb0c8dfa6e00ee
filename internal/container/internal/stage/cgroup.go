//go:build linux

package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ControlGroup is a directory in one hierarchy of control groups.
type ControlGroup struct {
	Controllers string // of a v1 hierarchy, as "cpu,cpuacct"
	Unified     bool   // version 2, with all controllers
	Dir         string
}

// has says whether the group limits what the controller is for.
func (g ControlGroup) has(controller string) bool {
	if g.Unified {
		data, err := os.ReadFile(filepath.Join(g.Dir, "cgroup.controllers"))
		return err == nil && strings.Contains(" "+strings.TrimSpace(string(data))+" ", " "+controller+" ")
	}
	return strings.Contains(","+g.Controllers+",", ","+controller+",")
}

func (g ControlGroup) write(file, value string) error {
	return os.WriteFile(filepath.Join(g.Dir, file), []byte(value), 0)
}

func (g ControlGroup) exists(file string) bool {
	_, err := os.Stat(filepath.Join(g.Dir, file))
	return err == nil
}

// child makes a group below g.
func (g ControlGroup) child(name string) (ControlGroup, error) {
	if g.Unified {
		// Without this the child would have no limits; what is not available here is missed by has.
		for _, c := range []string{"memory", "pids", "cpu"} {
			_ = g.write("cgroup.subtree_control", "+"+c)
		}
		if strings.Contains(g.Dir, groupPrefix) { // not in a group that is not ours
			_ = g.write("cgroup.subtree_control", "+cpuset")
		}
	}
	child := g
	child.Dir = filepath.Join(g.Dir, name)
	err := os.Mkdir(child.Dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err == nil && g.has("cpuset") && !g.Unified {
		// A new v1 cpuset is empty and takes no process until it has processors and memory.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if data, err := os.ReadFile(filepath.Join(g.Dir, file)); err == nil {
				_ = child.write(file, string(data))
			}
		}
	}
	return child, err
}

// limit sets what of r this group is for.
func (g ControlGroup) limit(r Resources) error {
	const period = 100_000 // microseconds
	settings := []struct {
		controller, v1, v2 string
		value1, value2     string
		set                bool
	}{
		{"memory", "memory.limit_in_bytes", "memory.max", decimal(r.Memory), decimal(r.Memory), r.Memory > 0},
		{"memory", "memory.memsw.limit_in_bytes", "memory.swap.max", decimal(r.Memory), "0", r.Memory > 0},
		{"cpu", "cpu.cfs_period_us", "", decimal(period), "", r.CPUs > 0},
		{"cpu", "cpu.cfs_quota_us", "cpu.max", decimal(int64(r.CPUs * period)), fmt.Sprintf("%d %d", int64(r.CPUs*period), period), r.CPUs > 0},
		{"cpu", "cpu.shares", "cpu.weight", decimal(int64(r.CPUShares)), decimal(weight(r.CPUShares)), r.CPUShares > 0},
		{"cpuset", "cpuset.cpus", "cpuset.cpus", r.CPUSet, r.CPUSet, r.CPUSet != ""},
		{"cpuset", "cpuset.mems", "cpuset.mems", r.MemorySet, r.MemorySet, r.MemorySet != ""},
	}
	for _, s := range settings {
		file, value := s.v1, s.value1
		if g.Unified {
			file, value = s.v2, s.value2
		}
		if !s.set || file == "" || !g.has(s.controller) || !g.exists(file) { // not every kernel accounts for swap
			continue
		}
		if err := g.write(file, value); err != nil {
			return failure(fmt.Sprintf("set %s to %s", filepath.Join(g.Dir, file), value), err)
		}
	}
	return nil
}

// limitPIDs bounds the number of processes and threads, if limit is not 0.
func limitPIDs(groups []ControlGroup, limit, more int) error {
	for _, g := range groups {
		if limit > 0 && g.has("pids") {
			if err := g.write("pids.max", strconv.Itoa(limit+more)); err != nil {
				return failure("set "+filepath.Join(g.Dir, "pids.max"), err)
			}
		}
	}
	return nil
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// weight turns v1 shares (2-262144) into a v2 weight (1-10000), as runc does.
func weight(shares uint64) int64 { return int64(1 + (max(shares, 2)-2)*9999/262142) }

// number reads a file with one number in it.
func (g ControlGroup) number(file string) (int64, error) {
	data, err := os.ReadFile(filepath.Join(g.Dir, file))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}

// statistic reads a line "key number" of a file.
func (g ControlGroup) statistic(file, key string) (int64, error) {
	data, err := os.ReadFile(filepath.Join(g.Dir, file))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+" "); ok {
			return strconv.ParseInt(value, 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", filepath.Join(g.Dir, file), key)
}

// memory is what the group uses without the page cache, which the kernel takes back when it is needed.
func (g ControlGroup) memory() (int64, error) {
	file, prefix := "memory.usage_in_bytes", "total_"
	if g.Unified {
		file, prefix = "memory.current", ""
	}
	used, err := g.number(file)
	if err != nil {
		return 0, err
	}
	for _, key := range []string{"active_file", "inactive_file"} {
		cache, err := g.statistic("memory.stat", prefix+key)
		if err != nil {
			return 0, err
		}
		used -= cache
	}
	return max(used, 0), nil
}

// cpu is the time that the group's processes have run.
func (g ControlGroup) cpu() (time.Duration, error) {
	if g.Unified {
		n, err := g.statistic("cpu.stat", "usage_usec")
		return time.Duration(n) * time.Microsecond, err
	}
	n, err := g.number("cpuacct.usage")
	return time.Duration(n), err
}

// oomKills counts the processes that the memory limit killed.
func (g ControlGroup) oomKills() int {
	file := "memory.oom_control"
	if g.Unified {
		file = "memory.events"
	}
	n, err := g.statistic(file, "oom_kill")
	if err != nil { // a kernel that does not count them
		return 0
	}
	return int(n)
}

// remove removes the group and those below it, whose processes are dead but may need a moment to leave.
func (g ControlGroup) remove() error {
	entries, _ := os.ReadDir(g.Dir)
	for _, e := range entries {
		if e.IsDir() {
			child := g
			child.Dir = filepath.Join(g.Dir, e.Name())
			if err := child.remove(); err != nil {
				return err
			}
		}
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		err := unix.Rmdir(g.Dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return failure("remove "+g.Dir, err)
		}
	}
}
