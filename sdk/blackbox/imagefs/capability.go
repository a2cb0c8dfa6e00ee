package imagefs

import (
	"encoding/binary"
	"slices"
)

// fileCapability returns the permitted set of a security.capability attribute (struct vfs_cap_data of
// linux/capability.h, revisions 2 and 3), or 0 when there is none.
func fileCapability(attribute string) uint64 {
	const (
		revisionMask = 0xff000000
		revision2    = 0x02000000
		revision3    = 0x03000000
	)
	b := []byte(attribute)
	if len(b) < 20 {
		return 0
	}
	if revision := binary.LittleEndian.Uint32(b) & revisionMask; revision != revision2 && revision != revision3 {
		return 0
	}
	return uint64(binary.LittleEndian.Uint32(b[4:])) | uint64(binary.LittleEndian.Uint32(b[12:]))<<32
}

// capabilities are the names in linux/capability.h, by bit.
var capabilities = [...]string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
	"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE",
}

// CapabilityNames returns the names of the capabilities in a bit mask, in the order of their numbers and without the
// "CAP_" in front.
func CapabilityNames(mask uint64) []string {
	var names []string
	for bit, name := range capabilities {
		if mask&(1<<bit) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// CapabilityBit returns the number of a capability by its name without the "CAP_" in front, and whether there is one.
func CapabilityBit(name string) (int, bool) {
	bit := slices.Index(capabilities[:], name)
	return bit, bit >= 0
}
