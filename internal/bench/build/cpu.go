package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuTime is what this process and all that it started have used, but for the registry. Unlike time on the clock it
// hardly depends on what else the machine does.
func cpuTime(registry int) (time.Duration, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	type process struct {
		parent int
		ticks  int64
	}
	all := map[int]process{}
	for _, f := range files {
		stat, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		// What follows the name in parentheses: state, parent, ..., and the times of itself and of ended children.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		p := process{parent: parent}
		for _, field := range fields[11:15] {
			n, _ := strconv.ParseInt(field, 10, 64)
			p.ticks += n
		}
		all[pid] = p
	}
	var ticks int64
	for pid, p := range all {
		for at := pid; at > 1 && at != registry; at = all[at].parent {
			if at == os.Getpid() {
				ticks += p.ticks
				break
			}
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil // USER_HZ is 100 on all that Go runs on
}
