package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// attack tries what a locked-down instance must not be able to do, and prints one line for each: its name and what the
// kernel said. With arguments it tries only those.
func attack(args []string) {
	attacks := []struct {
		name string
		try  func() error
	}{
		{"mount", func() error { return syscall.Mount("none", "/tmp", "tmpfs", 0, "") }},
		{"unshare-user", func() error { return syscall.Unshare(syscall.CLONE_NEWUSER) }},
		{"unshare-mount", func() error { return syscall.Unshare(syscall.CLONE_NEWNS) }},
		{"clone3", func() error { return errno(syscall.RawSyscall(435, 0, 0, 0)) }},
		{"write-sysctl", func() error { return os.WriteFile("/proc/sys/kernel/hostname", []byte("x"), 0) }},
		{"write-sysrq", func() error { return os.WriteFile("/proc/sysrq-trigger", []byte("h"), 0) }},
		{"read-kcore", func() error { return readSome("/proc/kcore") }},
		{"write-sysfs", func() error { return os.WriteFile("/sys/kernel/mm/ksm/run", []byte("0"), 0) }},
		{"write-cgroup", func() error { return os.Mkdir("/sys/fs/cgroup/x", 0o755) }},
		{"raw-socket", func() error { return socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP) }},
		{"packet-socket", func() error { return socket(syscall.AF_PACKET, syscall.SOCK_RAW, 0) }},
		{"vsock", func() error { return socket(40, syscall.SOCK_STREAM, 0) }},
		{"chroot", func() error { return syscall.Chroot("/tmp") }},
		{"mknod", func() error { return syscall.Mknod("/tmp/disk", syscall.S_IFBLK|0o666, 8<<8) }},
		{"use-device", func() error { return useDevice("/tmp/null") }},
		{"use-device-in-dev", func() error { return useDevice("/dev/other-null") }},
		{"setuid", func() error { return errno(syscall.RawSyscall(syscall.SYS_SETUID, 4321, 0, 0)) }},
		{"keyctl", func() error { return errno(syscall.RawSyscall(syscall.SYS_KEYCTL, 0, 0, 0)) }},
		{"bpf", func() error { return errno(syscall.RawSyscall(321, 0, 0, 0)) }},
		{"module", func() error { return errno(syscall.RawSyscall(syscall.SYS_INIT_MODULE, 0, 0, 0)) }},
		{"reboot", func() error { return syscall.Reboot(syscall.LINUX_REBOOT_CMD_CAD_OFF) }},
		{"personality", func() error { return errno(syscall.RawSyscall(syscall.SYS_PERSONALITY, 0x0400000, 0, 0)) }},
		{"settime", func() error { return syscall.Settimeofday(&syscall.Timeval{Sec: 1}) }},
		{"x32", func() error { return errno(syscall.RawSyscall(0x40000000|syscall.SYS_MOUNT, 0, 0, 0)) }},
		{"ptrace-init", func() error {
			return errno(syscall.RawSyscall6(syscall.SYS_PTRACE, syscall.PTRACE_ATTACH, 1, 0, 0, 0, 0))
		}},
		{"write-root", func() error { return os.WriteFile("/written", nil, 0o644) }},
		{"network", func() error { return connect("192.0.2.1:80") }},
		{"raise-nofile", raiseLimit},
	}
	if slices.Contains(args, "chmod-mask") { // allowed, as long as it is not the host's file
		fmt.Printf("chmod-mask: %s\n", outcome(os.Chmod("/proc/timer_list", 0o600)))
	}
	for _, a := range attacks {
		if len(args) > 0 && !slices.Contains(args, a.name) {
			continue
		}
		fmt.Printf("%s: %s\n", a.name, outcome(a.try()))
	}
}

func outcome(err error) string {
	if err == nil {
		return "WORKED"
	}
	text := err.Error()
	return text[strings.LastIndex(text, ": ")+1:]
}

func errno(_, _ uintptr, e syscall.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}

func socket(domain, kind, protocol int) error {
	fd, err := syscall.Socket(domain, kind, protocol)
	if err == nil {
		_ = syscall.Close(fd)
	}
	return err
}

// useDevice makes a null device and opens it.
func useDevice(name string) error {
	if err := syscall.Mknod(name, syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		return err
	}
	f, err := os.Open(name)
	if err == nil {
		_ = f.Close()
	}
	return err
}

func readSome(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := f.Read(make([]byte, 16))
	if n == 0 && err != nil {
		return fmt.Errorf("nothing to read: %w", err)
	}
	return nil
}

func connect(address string) error {
	c, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err == nil {
		_ = c.Close()
	}
	return err
}

func raiseLimit() error {
	var l syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	l.Max++
	l.Cur = l.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}
