package container

import (
	"encoding/binary"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// DefaultFilter assembles Docker's default seccomp profile for a process with these capabilities, in the form of
// [Process.Seccomp]: the profile, its conditions on arguments, capabilities and kernel version, and the list of
// architectures are Docker's; only the assembling to a BPF program, which is libseccomp's part elsewhere, is done here.
func DefaultFilter(capabilities uint64) ([]byte, error) {
	profile, err := seccomp.GetDefaultProfile(&specs.Spec{
		Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: CapabilityNames(capabilities)}},
	})
	if err != nil {
		return nil, fmt.Errorf("docker's default seccomp profile: %w", err)
	}
	filter, err := Filter(profile)
	if err != nil {
		return nil, fmt.Errorf("docker's default seccomp profile: %w", err)
	}
	return filter, nil
}

// Filter assembles a seccomp profile as it stands in a container's OCI configuration. What it has that is not known here
// is an error: half a filter is none.
func Filter(profile *specs.LinuxSeccomp) ([]byte, error) {
	program, err := assemble(profile)
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, err
	}
	var filter []byte
	for _, i := range raw {
		filter = binary.NativeEndian.AppendUint16(filter, i.Op)
		filter = append(filter, i.Jt, i.Jf)
		filter = binary.NativeEndian.AppendUint32(filter, i.K)
	}
	return filter, nil
}

// Offsets in struct seccomp_data (linux/seccomp.h).
const (
	numberOffset   = 0
	archOffset     = 4
	argumentOffset = 16
)

// assemble makes one block per architecture. What no block takes is refused: a system call of an architecture that the
// profile does not list must not get past the rules for the others.
func assemble(profile *specs.LinuxSeccomp) ([]bpf.Instruction, error) {
	refuse := action(profile.DefaultAction, profile.DefaultErrnoRet)
	program := []bpf.Instruction{bpf.LoadAbsolute{Off: archOffset, Size: 4}}
	groups := architectures(profile.Architectures)
	if len(groups) == 0 {
		return nil, fmt.Errorf("no table of the system calls of %s", runtime.GOARCH)
	}
	for _, group := range groups {
		block, err := assembleArchitecture(profile, group, refuse)
		if err != nil {
			return nil, err
		}
		program = append(program,
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(group[0].ID), SkipTrue: 1},
			bpf.Jump{Skip: uint32(len(block))})
		program = append(program, block...)
	}
	return append(program, bpf.RetConstant{Val: refuse}), nil
}

// architectures are the system call tables for the profile's architectures that are known here. Tables with the same
// audit number (x86-64 and x32) share a block.
func architectures(names []specs.Arch) [][]*arch.Info {
	tables := map[specs.Arch]*arch.Info{
		specs.ArchX86_64: arch.X86_64, specs.ArchX86: arch.I386, specs.ArchX32: arch.X32,
		specs.ArchAARCH64: arch.AARCH64, specs.ArchARM: arch.ARM,
	}
	var groups [][]*arch.Info
	for _, name := range names {
		table := tables[name]
		if table == nil {
			continue
		}
		i := slices.IndexFunc(groups, func(g []*arch.Info) bool { return g[0].ID == table.ID })
		if i < 0 {
			groups = append(groups, []*arch.Info{table})
		} else {
			groups[i] = append(groups[i], table)
		}
	}
	return groups
}

// rule is what happens to the system calls from first to last: a result, or alternatives with conditions on arguments.
type rule struct {
	first, last  uint32
	result       uint32
	alternatives []specs.LinuxSyscall
}

func assembleArchitecture(profile *specs.LinuxSeccomp, tables []*arch.Info, refuse uint32) ([]bpf.Instruction, error) {
	var rules []rule
	for i, table := range tables {
		end := uint64(1) << 32
		if i+1 < len(tables) {
			end = uint64(tables[i+1].SeccompMask)
		}
		rules = append(rules, tableRules(profile, table, uint32(end-1))...)
	}
	block := []bpf.Instruction{bpf.LoadAbsolute{Off: numberOffset, Size: 4}}
	for _, r := range rules {
		body := []bpf.Instruction{bpf.RetConstant{Val: r.result}}
		if r.alternatives != nil {
			var err error
			if body, err = conditional(r, refuse); err != nil {
				return nil, err
			}
		}
		block = append(block,
			bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: r.first, SkipFalse: 1},
			bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: r.last, SkipTrue: 1},
			bpf.Jump{Skip: uint32(len(body))})
		block = append(block, body...)
	}
	return append(block, bpf.RetConstant{Val: refuse}), nil
}

// tableRules are the profile's rules for the system calls of one table, whose numbers end at last. Neighbours with the
// same result are one rule.
func tableRules(profile *specs.LinuxSeccomp, table *arch.Info, last uint32) []rule {
	calls := map[uint32][]specs.LinuxSyscall{}
	for _, call := range profile.Syscalls {
		for _, name := range call.Names {
			if n, known := table.SyscallNames[name]; known { // others are of another architecture
				number := uint32(n | table.SeccompMask)
				calls[number] = append(calls[number], call)
			}
		}
	}
	var rules []rule
	for _, number := range slices.Sorted(maps.Keys(calls)) {
		result, simple := unconditional(calls[number])
		r := rule{first: number, last: number, result: result}
		if !simple {
			r.alternatives = calls[number]
		} else if n := len(rules) - 1; n >= 0 && rules[n].last+1 == number && rules[n].alternatives == nil && rules[n].result == result {
			rules[n].last = number
			continue
		}
		rules = append(rules, r)
	}
	// A system call newer than the table does not exist, as far as programs are concerned: they then try an older one,
	// which they do not after EPERM. runc does the same.
	newest := uint32(slices.Max(slices.Collect(maps.Keys(table.SyscallNumbers))) | table.SeccompMask)
	return append(rules, rule{first: newest + 1, last: last, result: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)})
}

// unconditional is the result for a system call whose arguments do not matter.
func unconditional(calls []specs.LinuxSyscall) (result uint32, ok bool) {
	for _, call := range calls {
		if len(call.Args) == 0 {
			return action(call.Action, call.ErrnoRet), true
		}
	}
	return 0, false
}

// conditional tries the alternatives one after the other.
func conditional(r rule, refuse uint32) ([]bpf.Instruction, error) {
	var block []bpf.Instruction
	for _, call := range r.alternatives {
		test, err := conditions(call.Args, action(call.Action, call.ErrnoRet))
		if err != nil {
			return nil, fmt.Errorf("%v: %w", call.Names, err)
		}
		block = append(block, test...)
	}
	return append(block, bpf.RetConstant{Val: refuse}), nil
}

// conditions returns result if all arguments match, and goes on after its end otherwise. Arguments are 64 bits wide and
// BPF compares 32 at a time.
func conditions(args []specs.LinuxSeccompArg, result uint32) ([]bpf.Instruction, error) {
	low, high := uint32(0), uint32(4)
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		low, high = high, low
	}
	const perHalf = 3
	rest := uint8(len(args)*2*perHalf + 1) // instructions up to the end, the return included
	var block []bpf.Instruction
	for _, a := range args {
		mask, value, compare := ^uint64(0), a.Value, bpf.JumpEqual
		switch {
		case a.Op == specs.OpEqualTo:
		case a.Op == specs.OpMaskedEqual:
			mask, value = a.Value, a.ValueTwo
		case a.Op == specs.OpLessThan && value>>32 == 0: // then the high half is 0 and the low half is less
			compare = bpf.JumpLessThan
		default:
			return nil, fmt.Errorf("comparison %s with %d is not known; add it to the assembler", a.Op, a.Value)
		}
		base := uint32(argumentOffset + 8*a.Index)
		for _, half := range []struct {
			offset, mask, value uint32
			compare             bpf.JumpTest
		}{
			{base + low, uint32(mask), uint32(value), compare},
			{base + high, uint32(mask >> 32), uint32(value >> 32), bpf.JumpEqual},
		} {
			rest -= perHalf
			block = append(block,
				bpf.LoadAbsolute{Off: half.offset, Size: 4},
				bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: half.mask},
				bpf.JumpIf{Cond: half.compare, Val: half.value, SkipFalse: rest})
		}
	}
	return append(block, bpf.RetConstant{Val: result}), nil
}

func action(a specs.LinuxSeccompAction, errno *uint) uint32 {
	switch a {
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW
	case specs.ActErrno:
		n := uint32(unix.EPERM)
		if errno != nil {
			n = uint32(*errno)
		}
		return unix.SECCOMP_RET_ERRNO | n
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG
	default: // kill, trap and whatever may come
		return unix.SECCOMP_RET_KILL_PROCESS
	}
}
