package blackbox

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// accountStep is a step about the users and groups of the image.
func accountStep(expression, doc, example string, test func(known accounts, a Args) error) Step {
	return Step{
		Group: "Users and groups", Kind: KindFile, Expression: expression, Doc: doc, Example: example,
		Func: func(ctx context.Context, s *Scenario, a Args) error {
			known, err := s.accounts(ctx)
			if err != nil {
				return err
			}
			return test(known, a)
		},
	}
}

func accountNames(all []account, want func(account) bool) []string {
	var found []string
	for _, a := range all {
		if want(a) {
			found = append(found, a.name)
		}
	}
	return found
}

func accountSteps() []Step {
	any := func(account) bool { return true }
	return []Step{
		accountStep("the user {string} exists", "Passes when /etc/passwd of the image has the user.",
			`Then the user "nobody" exists`,
			func(known accounts, a Args) error {
				all := accountNames(known.passwd, any)
				return expect(slices.Contains(all, a.String(0)), "the users of the image", a.String(0), list(all))
			}),
		accountStep("the user {string} does not exist", "Passes when /etc/passwd of the image does not have the user.",
			`Then the user "vagrant" does not exist`,
			func(known accounts, a Args) error {
				all := accountNames(known.passwd, any)
				return expect(!slices.Contains(all, a.String(0)), "the users of the image", "no "+a.String(0), list(all))
			}),
		accountStep("the user {string} has the number {int}", "Compares the number of a user in /etc/passwd of the image.",
			`Then the user "nobody" has the number 65534`,
			func(known accounts, a Args) error {
				uid, err := known.uid(a.String(0))
				if err != nil {
					return err
				}
				return equal("the number of the user "+a.String(0), strconv.Itoa(a.Int(1)), strconv.Itoa(uid))
			}),
		accountStep("the user {string} can't log in", "Passes when the shell of the user is nologin or false, or the image does not have it.",
			`Then the user "nobody" can't log in`,
			func(known accounts, a Args) error {
				for _, u := range known.passwd {
					if u.name == a.String(0) {
						ok := strings.HasSuffix(u.shell, "/nologin") || strings.HasSuffix(u.shell, "/false")
						return expect(ok, "the shell of the user "+u.name, "nologin or false", quote(u.shell))
					}
				}
				return &Mismatch{What: "the users of the image", Expected: a.String(0), Found: list(accountNames(known.passwd, any))}
			}),
		accountStep("the group {string} exists", "Passes when /etc/group of the image has the group.",
			`Then the group "shadow" exists`,
			func(known accounts, a Args) error {
				all := accountNames(known.groups, any)
				return expect(slices.Contains(all, a.String(0)), "the groups of the image", a.String(0), list(all))
			}),
		accountStep("only root has the number 0", "Passes when no other user of /etc/passwd is root in all but the name.",
			"Then only root has the number 0",
			func(known accounts, _ Args) error {
				others := accountNames(known.passwd, func(u account) bool { return u.id == 0 && u.name != "root" })
				return expect(len(others) == 0, "the users with the number 0", "only root", list(others))
			}),
		accountStep("every user and group has a number of its own", "Passes when no two users of /etc/passwd and no two groups of /etc/group have the same number.",
			"Then every user and group has a number of its own",
			func(known accounts, _ Args) error {
				if err := distinct("the users of the image", known.passwd); err != nil {
					return err
				}
				return distinct("the groups of the image", known.groups)
			}),
		accountStep("no user has a password", "Passes when every user is locked in /etc/passwd and /etc/shadow: no password, also no empty one, lets anybody in.",
			"Then no user has a password",
			func(known accounts, _ Args) error {
				open := accountNames(known.passwd, func(u account) bool {
					if u.password != "x" {
						return !locked(u.password)
					}
					hash, shadowed := known.shadow[u.name]
					return shadowed && !locked(hash)
				})
				return expect(len(open) == 0, "the users with a password", "none", list(open))
			}),
	}
}

func distinct(what string, all []account) error {
	seen := map[int]string{}
	for _, a := range all {
		if other, taken := seen[a.id]; taken {
			return &Mismatch{What: what, Expected: "different numbers", Found: fmt.Sprintf("%s and %s have %d", other, a.name, a.id)}
		}
		seen[a.id] = a.name
	}
	return nil
}

// locked says whether a password field of passwd(5) or shadow(5) lets nobody in.
func locked(field string) bool {
	return strings.HasPrefix(field, "!") || strings.HasPrefix(field, "*")
}

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
				if _, err := s.entry(ctx, a.String(0)); err != nil {
					return err
				}
				files, err := s.image.Files(ctx)
				if err != nil {
					return err
				}
				data, err := files.ReadFile(ctx, a.String(0))
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
