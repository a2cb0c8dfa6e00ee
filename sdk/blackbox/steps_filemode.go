package blackbox

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

func fileModeSteps() []Step {
	const group = "File permissions"
	return []Step{
		fileStep(group, "the mode of the file {string} is {string}", "Compares the permissions in octal digits, with setuid, setgid and sticky bit: \"0644\", \"4755\". Directories have modes, too.",
			`Then the mode of the file "/etc/shadow" is "0640"`,
			func(e imagefs.Entry, a Args) error {
				want, err := strconv.ParseUint(a.String(1), 8, 16)
				if err != nil {
					return fmt.Errorf("mode %q is no octal number", a.String(1))
				}
				return equal("the mode of "+a.String(0), fmt.Sprintf("%04o", want), octal(e.Mode))
			}),
		{
			Group: group, Kind: KindFile, Expression: "the file {string} belongs to the user {string}",
			Doc:     "Compares the owner of a file or directory by number, or by a name that the image's /etc/passwd has.",
			Example: `Then the file "/etc/shadow" belongs to the user "root"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				return s.owner(ctx, a, "user", func(e imagefs.Entry) int { return e.UID }, accounts.uid)
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the file {string} belongs to the group {string}",
			Doc:     "Compares the group of a file or directory by number, or by a name that the image's /etc/group has.",
			Example: `Then the file "/etc/shadow" belongs to the group "shadow"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				return s.owner(ctx, a, "group", func(e imagefs.Entry) int { return e.GID }, accounts.gid)
			},
		},
		fileStep(group, "the file {string} is executable", "Passes when everybody may execute the file.",
			`Then the file "/app/service" is executable`,
			func(e imagefs.Entry, a Args) error {
				return expect(e.Mode.Perm()&0o111 == 0o111, "the mode of "+a.String(0), "executable by everybody", octal(e.Mode))
			}),
		fileStep(group, "the file {string} is executable for {word}", "Passes when the file may be executed by its owner, its group, others, or anybody, as the word says.",
			`Then the file "/app/service" is executable for others`,
			func(e imagefs.Entry, a Args) error {
				bits, known := map[string]fs.FileMode{"owner": 0o100, "group": 0o010, "others": 0o001, "anybody": 0o111}[a.String(1)]
				if !known {
					return fmt.Errorf("%q is not one of owner, group, others, anybody", a.String(1))
				}
				return expect(e.Mode.Perm()&bits != 0, "the mode of "+a.String(0), "executable for "+a.String(1), octal(e.Mode))
			}),
		fileStep(group, "the file {string} is not executable", "Passes when nobody may execute the file.",
			`Then the file "/etc/motd" is not executable`,
			func(e imagefs.Entry, a Args) error {
				return expect(e.Mode.Perm()&0o111 == 0, "the mode of "+a.String(0), "executable by nobody", octal(e.Mode))
			}),
		{
			Group: group, Kind: KindFile, Expression: "the file {string} is not writable",
			Doc:     "Passes when the user of the image may not write to the file or directory, by owner and mode. For root everything is writable.",
			Example: `Then the file "/etc/passwd" is not writable`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				return s.writable(ctx, a.String(0), s.image.Config.Config.User, false)
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the file {string} is writable",
			Doc:     "Passes when the user of the image may write to the file or directory, by owner and mode.",
			Example: `Then the file "/data" is writable`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				return s.writable(ctx, a.String(0), s.image.Config.Config.User, true)
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the file {string} is not writable for the user {string}",
			Doc:     "Passes when that user, by name or number, may not write to the file or directory.",
			Example: `Then the file "/app/service" is not writable for the user "nobody"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				return s.writable(ctx, a.String(0), a.String(1), false)
			},
		},
		fileStep(group, "the file {string} has the setuid bit", "Passes when the program runs as its owner, whoever starts it.",
			`Then the file "/bin/su" has the setuid bit`,
			func(e imagefs.Entry, a Args) error {
				return expect(e.Mode&fs.ModeSetuid != 0, "the mode of "+a.String(0), "the setuid bit", octal(e.Mode))
			}),
		fileStep(group, "the file {string} does not have the setuid bit", "Passes when the program does not run as its owner.",
			`Then the file "/app/service" does not have the setuid bit`,
			func(e imagefs.Entry, a Args) error {
				return expect(e.Mode&fs.ModeSetuid == 0, "the mode of "+a.String(0), "no setuid bit", octal(e.Mode))
			}),
		fileStep(group, "the file {string} has the capability {string}", "Passes when the file gives who executes it that Linux capability.",
			`Then the file "/app/ping" has the capability "NET_RAW"`,
			func(e imagefs.Entry, a Args) error {
				bit, err := capabilityBit(a.String(1))
				if err != nil {
					return err
				}
				return expect(e.Capability&(1<<bit) != 0, "the capabilities of "+a.String(0), a.String(1), list(imagefs.CapabilityNames(e.Capability)))
			}),
		fileStep(group, "the file {string} has no capabilities", "Passes when the file gives who executes it no Linux capability.",
			`Then the file "/app/service" has no capabilities`,
			func(e imagefs.Entry, a Args) error {
				return expect(e.Capability == 0, "the capabilities of "+a.String(0), "none", list(imagefs.CapabilityNames(e.Capability)))
			}),
	}
}

// octal prints a mode as chmod takes it.
func octal(mode fs.FileMode) string {
	n := uint32(mode.Perm())
	for bit, value := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&bit != 0 {
			n |= value
		}
	}
	return fmt.Sprintf("%04o", n)
}

func capabilityBit(name string) (int, error) {
	bit, ok := imagefs.CapabilityBit(name)
	if !ok {
		return 0, fmt.Errorf("%q is no Linux capability: write it like \"NET_BIND_SERVICE\"", name)
	}
	return bit, nil
}

// owner compares an id of an entry with a number or a name.
func (s *Scenario) owner(ctx context.Context, a Args, kind string, id func(imagefs.Entry) int, look func(accounts, string) (int, error)) error {
	e, err := s.entry(ctx, a.String(0))
	if err != nil {
		return err
	}
	known, err := s.accounts(ctx)
	if err != nil {
		return err
	}
	want, err := look(known, a.String(1))
	if err != nil {
		return err
	}
	return expect(id(e) == want, "the "+kind+" of "+a.String(0), fmt.Sprintf("%s (%d)", a.String(1), want), fmt.Sprint(id(e)))
}

// writable expects that a user may write to a path, or may not.
func (s *Scenario) writable(ctx context.Context, name, user string, want bool) error {
	e, err := s.entry(ctx, name)
	if err != nil {
		return err
	}
	known, err := s.accounts(ctx)
	if err != nil {
		return err
	}
	u, err := known.user(user)
	if err != nil {
		return err
	}
	expected := map[bool]string{true: "writable", false: "not writable"}
	found := fmt.Sprintf("mode %s, owner %d:%d", octal(e.Mode), e.UID, e.GID)
	return expect(u.mayWrite(e) == want, fmt.Sprintf("%s for the user %d:%d", name, u.uid, u.gids[0]), expected[want], found)
}

// mayWrite decides as the kernel does: the first class that fits counts alone.
func (u user) mayWrite(e imagefs.Entry) bool {
	switch perm := e.Mode.Perm(); {
	case u.uid == 0:
		return true
	case u.uid == e.UID:
		return perm&0o200 != 0
	case slices.Contains(u.gids, e.GID):
		return perm&0o020 != 0
	default:
		return perm&0o002 != 0
	}
}
