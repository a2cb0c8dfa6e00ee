package blackbox

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// programSteps are about executable files.
func programSteps() []Step {
	const group = "Programs"
	return []Step{
		{
			Group: group, Kind: KindFile, Expression: "the program {string} is in the search path",
			Doc:     "Passes when a directory of the image's PATH has an executable file of that name.",
			Example: `Then the program "service" is in the search path`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				found, dirs, err := s.inPath(ctx, a.String(0))
				if err != nil {
					return err
				}
				return expect(found, "the program "+a.String(0), "in "+dirs, "in none of them")
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the program {string} is not in the search path",
			Doc:     "Passes when no directory of the image's PATH has an executable file of that name.",
			Example: `Then the program "curl" is not in the search path`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				found, dirs, err := s.inPath(ctx, a.String(0))
				if err != nil {
					return err
				}
				return expect(!found, "the program "+a.String(0), "not in "+dirs, "there")
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the program {string} is linked statically",
			Doc:     "Passes when the file is an ELF program that asks for no dynamic linker, so that it needs nothing else in the image.",
			Example: `Then the program "/app/service" is linked statically`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				data, err := s.content(ctx, a.String(0))
				if err != nil {
					return err
				}
				program, err := elf.NewFile(bytes.NewReader(data))
				if err != nil {
					return fmt.Errorf("%s is no ELF program: %w", a.String(0), err)
				}
				dynamic := slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
				return expect(!dynamic, a.String(0), "no dynamic linker", "one")
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "all programs are for the platform of the image",
			Doc:     "Passes when every executable ELF file is for the architecture of the image. A wrong one ends with \"exec format error\".",
			Example: "Then all programs are for the platform of the image",
			Func:    allForPlatform,
		},
	}
}

// inPath says whether a program is in a directory of the image's PATH, which it also returns.
func (s *Scenario) inPath(ctx context.Context, name string) (bool, string, error) {
	dirs, set := variable(s.image.Config.Config.Env, "PATH")
	if !set {
		dirs = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" // what engines set
	}
	files, err := s.image.Files(ctx)
	if err != nil {
		return false, "", err
	}
	for dir := range strings.SplitSeq(dirs, ":") {
		e, err := files.Lookup(dir + "/" + name)
		if err == nil && e.Mode.IsRegular() && e.Mode.Perm()&0o111 != 0 {
			return true, dirs, nil
		}
	}
	return false, dirs, nil
}

// machines are the ELF machines of architectures as images name them.
var machines = map[string][]elf.Machine{
	"amd64": {elf.EM_X86_64, elf.EM_386}, "386": {elf.EM_386}, "arm64": {elf.EM_AARCH64, elf.EM_ARM}, "arm": {elf.EM_ARM},
	"ppc64le": {elf.EM_PPC64}, "s390x": {elf.EM_S390}, "riscv64": {elf.EM_RISCV}, "loong64": {elf.EM_LOONGARCH},
	"mips64le": {elf.EM_MIPS}, "mipsle": {elf.EM_MIPS},
}

func allForPlatform(ctx context.Context, s *Scenario, _ Args) error {
	want, known := machines[s.image.Config.Architecture]
	if !known {
		return fmt.Errorf("which programs run on %q is not known", s.image.Config.Architecture)
	}
	files, err := s.image.Files(ctx)
	if err != nil {
		return err
	}
	var wrong []string
	executable := func(e imagefs.Entry) bool { return e.Mode.Perm()&0o111 != 0 && e.Size >= 64 }
	for item, r := range files.Contents(ctx, executable) {
		if item.Err != nil {
			return item.Err
		}
		head := make([]byte, 20)
		if _, err := io.ReadFull(r, head); err != nil {
			return fmt.Errorf("%s: %w", item.Path, err)
		}
		if string(head[:4]) != elf.ELFMAG {
			continue
		}
		machine := elf.Machine(uint16(head[18]) | uint16(head[19])<<8)
		if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
			machine = elf.Machine(uint16(head[19]) | uint16(head[18])<<8)
		}
		if !slices.Contains(want, machine) {
			wrong = append(wrong, fmt.Sprintf("%s is for %s", item.Path, machine))
		}
	}
	return expect(len(wrong) == 0, "the programs of the image", "all for "+s.image.Config.Architecture, list(wrong))
}
