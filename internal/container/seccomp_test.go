//go:build linux

package container_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container"
)

// filterVM runs a filter without the kernel.
type filterVM struct{ vm *bpf.VM }

func newFilterVM(t *testing.T, capabilities uint64) filterVM {
	t.Helper()
	filter, err := container.DefaultFilter(capabilities)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(filter) / 8; n > unix.BPF_MAXINSNS {
		t.Fatalf("%d instructions, the kernel takes %d", n, unix.BPF_MAXINSNS)
	}
	var program []bpf.Instruction
	for ; len(filter) > 0; filter = filter[8:] {
		raw := bpf.RawInstruction{
			Op: binary.NativeEndian.Uint16(filter), Jt: filter[2], Jf: filter[3], K: binary.NativeEndian.Uint32(filter[4:]),
		}
		program = append(program, raw.Disassemble())
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	return filterVM{vm}
}

// run returns the filter's answer. The VM reads words in network byte order, the kernel in its own.
func (f filterVM) run(t *testing.T, auditArch, number uint32, args [6]uint64) uint32 {
	t.Helper()
	data := binary.BigEndian.AppendUint32(nil, number)
	data = binary.BigEndian.AppendUint32(data, auditArch)
	data = append(data, make([]byte, 8)...)
	for _, a := range args {
		low, high := uint32(a), uint32(a>>32)
		if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
			low, high = high, low
		}
		data = binary.BigEndian.AppendUint32(data, low)
		data = binary.BigEndian.AppendUint32(data, high)
	}
	answer, err := f.vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(answer)
}

const (
	allow  = uint32(unix.SECCOMP_RET_ALLOW)
	eperm  = uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.EPERM)
	enosys = uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.ENOSYS)
)

func TestFilter(t *testing.T) {
	const x86, x32 = uint32(0x40000003), uint32(0x40000000)
	amd64 := uint32(arch.X86_64.ID)
	number := func(name string) uint32 { return uint32(arch.X86_64.SyscallNames[name]) }
	sysAdmin, err := container.Capabilities("SYS_ADMIN")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name         string
		capabilities uint64
		arch, number uint32
		args         [6]uint64
		want         uint32
	}{
		{"read", 0, amd64, number("read"), [6]uint64{}, allow},
		{"mount", 0, amd64, number("mount"), [6]uint64{}, eperm},
		{"mount with SYS_ADMIN", sysAdmin, amd64, number("mount"), [6]uint64{}, allow},
		{"clone of a thread", 0, amd64, number("clone"), [6]uint64{unix.CLONE_VM | unix.CLONE_THREAD}, allow},
		{"clone of a user namespace", 0, amd64, number("clone"), [6]uint64{unix.CLONE_NEWUSER}, eperm},
		{"clone of a network namespace among other flags", 0, amd64, number("clone"), [6]uint64{unix.CLONE_VM | unix.CLONE_NEWNET}, eperm},
		{"clone with a user namespace and SYS_ADMIN", sysAdmin, amd64, number("clone"), [6]uint64{unix.CLONE_NEWUSER}, allow},
		{"clone3", 0, amd64, number("clone3"), [6]uint64{}, enosys},
		{"personality 0", 0, amd64, number("personality"), [6]uint64{0}, allow},
		{"personality query", 0, amd64, number("personality"), [6]uint64{0xffffffff}, allow},
		{"personality with a value in the high half", 0, amd64, number("personality"), [6]uint64{1 << 32}, eperm},
		{"personality of another system", 0, amd64, number("personality"), [6]uint64{0x0400000}, eperm},
		{"inet socket", 0, amd64, number("socket"), [6]uint64{unix.AF_INET}, allow},
		{"vsock socket", 0, amd64, number("socket"), [6]uint64{unix.AF_VSOCK}, eperm},
		{"crypto socket", 0, amd64, number("socket"), [6]uint64{unix.AF_ALG}, eperm},
		{"a socket family with a high half", 0, amd64, number("socket"), [6]uint64{unix.AF_VSOCK | 1<<32}, eperm},
		{"a system call of the future", 0, amd64, 9999, [6]uint64{}, enosys},
		{"x32 read", 0, amd64, x32 | number("read"), [6]uint64{}, allow},
		{"x32 mount", 0, amd64, x32 | number("mount"), [6]uint64{}, eperm},
		{"i386 read", 0, x86, 3, [6]uint64{}, allow},
		{"i386 mount", 0, x86, 21, [6]uint64{}, eperm},
		{"another architecture", 0, uint32(arch.AARCH64.ID), 63, [6]uint64{}, eperm},
	}
	if uint32(arch.I386.ID) != x86 {
		t.Fatalf("i386 is %x", arch.I386.ID)
	}
	if arch, err := arch.GetInfo(""); err != nil || uint32(arch.ID) != amd64 {
		t.Skip("the table is for amd64")
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := newFilterVM(t, test.capabilities).run(t, test.arch, test.number, test.args); got != test.want {
				t.Errorf("got %x, want %x", got, test.want)
			}
		})
	}
}

// TestFilterIsTheProfile compares the filter with a plain reading of the profile, for every system call that there is
// and for arguments near those that matter.
func TestFilterIsTheProfile(t *testing.T) {
	host, err := arch.GetInfo("")
	if err != nil {
		t.Skip(err)
	}
	for _, names := range [][]string{{}, {"CAP_SYS_ADMIN"}, {"CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_BPF"}} {
		t.Run(fmt.Sprint(names), func(t *testing.T) {
			set, err := container.Capabilities(names...)
			if err != nil {
				t.Fatal(err)
			}
			vm := newFilterVM(t, set)
			profile, err := seccomp.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: names}}})
			if err != nil {
				t.Fatal(err)
			}
			interesting := []uint64{0, 1, 8, 0x20000, 0x20008, 0xffffffff, 1 << 32, 1<<64 - 1}
			for d := range uint64(50) {
				interesting = append(interesting, d)
			}
			for bit := range 33 {
				interesting = append(interesting, 1<<bit, 1<<bit|unix.CLONE_VM)
			}
			random := rand.New(rand.NewPCG(1, 2))
			for number, name := range host.SyscallNumbers {
				for _, a := range interesting {
					args := [6]uint64{a, random.Uint64(), random.Uint64()}
					want, got := judge(profile, name, args), vm.run(t, uint32(host.ID), uint32(number), args)
					if got != want {
						t.Fatalf("%s(%x): got %x, want %x", name, args, got, want)
					}
				}
			}
		})
	}
}

// judge reads the profile as libseccomp's manual does: a rule without conditions counts before those with them.
func judge(profile *specs.LinuxSeccomp, name string, args [6]uint64) uint32 {
	answer := func(action specs.LinuxSeccompAction, errno *uint) uint32 {
		if action == specs.ActAllow {
			return allow
		}
		return uint32(unix.SECCOMP_RET_ERRNO) | uint32(*errno)
	}
	for _, conditional := range []bool{false, true} {
		for _, call := range profile.Syscalls {
			for _, n := range call.Names {
				if n == name && (len(call.Args) > 0) == conditional && matches(call.Args, args) {
					return answer(call.Action, call.ErrnoRet)
				}
			}
		}
	}
	return answer(profile.DefaultAction, profile.DefaultErrnoRet)
}

func matches(conditions []specs.LinuxSeccompArg, args [6]uint64) bool {
	for _, c := range conditions {
		a := args[c.Index]
		ok := false
		switch c.Op {
		case specs.OpEqualTo:
			ok = a == c.Value
		case specs.OpLessThan:
			ok = a < c.Value
		case specs.OpMaskedEqual:
			ok = a&c.Value == c.ValueTwo
		}
		if !ok {
			return false
		}
	}
	return true
}

// TestFilterRefusesOtherArchitectures: an unknown calling convention must not get past the rules for the known ones.
func TestFilterRefusesOtherArchitectures(t *testing.T) {
	vm := newFilterVM(t, 0)
	known := map[uint32]bool{}
	for _, a := range []*arch.Info{arch.X86_64, arch.I386, arch.AARCH64, arch.ARM} {
		known[uint32(a.ID)] = true
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		a := random.Uint32()
		if got := vm.run(t, a, random.Uint32N(500), [6]uint64{}); !known[a] && got != eperm {
			t.Fatalf("architecture %x: %x", a, got)
		}
	}
}
