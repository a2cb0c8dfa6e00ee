package container

import (
	"fmt"
	"slices"
	"strings"
)

// capabilities are the kernel's names in the order of its numbers (linux/capability.h).
func capabilities() []string {
	return []string{
		"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
		"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
		"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
		"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
		"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
		"CHECKPOINT_RESTORE",
	}
}

// Capabilities is the bit mask of the named capabilities; "NET_RAW" and "cap_net_raw" are the same.
func Capabilities(names ...string) (uint64, error) {
	all := capabilities()
	var set uint64
	for _, name := range names {
		i := slices.Index(all, strings.TrimPrefix(strings.ToUpper(name), "CAP_"))
		if i < 0 {
			return 0, fmt.Errorf("capability %q is not known; the names are those of capabilities(7)", name)
		}
		set |= 1 << i
	}
	return set, nil
}

// CapabilityNames are the names of a set, as "CAP_NET_RAW".
func CapabilityNames(set uint64) []string {
	var names []string
	for i, name := range capabilities() {
		if set&(1<<i) != 0 {
			names = append(names, "CAP_"+name)
		}
	}
	return names
}

// BuildCapabilities is Docker's default set, which the steps of a build get.
func BuildCapabilities() uint64 {
	set, _ := Capabilities("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
		"SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE") // all of them are known
	return set
}

// AllCapabilities is every capability, for a privileged container.
func AllCapabilities() uint64 { return 1<<len(capabilities()) - 1 }
