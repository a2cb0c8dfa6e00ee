package docker

import (
	"os"
	"strconv"
	"strings"
)

// machine is this boot of this kernel and the namespace in which process ids count.
func machine() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	return string(boot) + namespace, err
}

// processStart reads when a process started, in clock ticks since the boot: field 22 of proc_pid_stat(5).
func processStart(pid int) (start uint64, alive bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	// The name, field 2, may contain anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 {
		return 0, true
	}
	start, _ = strconv.ParseUint(fields[19], 10, 64)
	return start, fields[0] != "Z" && fields[0] != "X"
}
