package blackbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// shells are the names of command interpreters.
var shells = []string{"sh", "ash", "bash", "csh", "dash", "fish", "ksh", "mksh", "rbash", "tcsh", "zsh", "busybox", "toybox", "pwsh"}

// none is a step that passes when no entry of the image is what unwanted says. With a table below it, the paths in
// the table are excepted.
func none(expression, doc, example, expected string, takes Argument, unwanted func(files *imagefs.FS, e imagefs.Entry, a Args) bool) Step {
	return Step{
		Group: "Search", Kind: KindFile, Expression: expression, Doc: doc, Example: example, Takes: takes,
		Func: func(ctx context.Context, s *Scenario, a Args) error {
			files, err := s.image.Files(ctx)
			if err != nil {
				return err
			}
			excepted, err := a.List()
			if err != nil {
				return err
			}
			var found []string
			for e := range files.All() {
				if unwanted(files, e, a) && !slices.Contains(excepted, e.Path) {
					found = append(found, e.Path)
				}
			}
			return expect(len(found) == 0, "the files of the image", expected, list(found))
		},
	}
}

func fileSearchSteps() []Step {
	const group = "Search"
	setuid := func(_ *imagefs.FS, e imagefs.Entry, _ Args) bool {
		return e.Mode.IsRegular() && e.Mode&(fs.ModeSetuid|fs.ModeSetgid) != 0
	}
	return []Step{
		globStep("a file matching {string} exists", "Passes when a path of the image matches the pattern. \"*\" stands for a part of a name, \"**\" for any number of folders.",
			`Then a file matching "/app/**/*.json" exists`,
			func(found []string, a Args) error {
				return expect(len(found) > 0, "paths that match "+a.String(0), "at least one", "none")
			}),
		globStep("no file matching {string} exists", "Passes when no path of the image matches the pattern.",
			`Then no file matching "/home/*/.ssh/**" exists`,
			func(found []string, a Args) error {
				return expect(len(found) == 0, "paths that match "+a.String(0), "none", list(found))
			}),
		{
			Group: group, Kind: KindFile, Takes: TakesTable, Expression: "no file matching any of these exists",
			Doc:     "Passes when no path of the image matches any of the patterns.",
			Example: "Then no file matching any of these exists\n  | **/.git       |\n  | **/id_rsa     |\n  | **/.npmrc     |",
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				patterns, err := a.List()
				if err != nil {
					return err
				}
				for _, p := range patterns {
					found, err := s.glob(ctx, p)
					if err != nil {
						return err
					}
					if err := expect(len(found) == 0, "paths that match "+p, "none", list(found)); err != nil {
						return err
					}
				}
				return nil
			},
		},
		globStep("{int} files match {string}", "Counts the paths of the image that match the pattern.",
			`Then 1 files match "/app/*.json"`,
			func(found []string, a Args) error {
				return expect(len(found) == a.Int(0), "paths that match "+a.String(1), fmt.Sprint(a.Int(0)), fmt.Sprintf("%d: %s", len(found), list(found)))
			}),
		none("no file has the setuid or setgid bit", "Passes when no program of the image runs as its owner or group.",
			"Given the image \"${empty}\"\nThen no file has the setuid or setgid bit", "none with the setuid or setgid bit", TakesNothing, setuid),
		none("no file has the setuid or setgid bit except", "Passes when only programs in the table run as their owner or group.",
			"Then no file has the setuid or setgid bit except\n  | /bin/su |", "no other with the setuid or setgid bit", TakesTable, setuid),
		none("no file is writable for everybody", "Passes when no file, and no directory without the sticky bit, may be written to by everybody. Links count for nothing.",
			"Then no file is writable for everybody", "none that everybody may write to", TakesNothing,
			func(_ *imagefs.FS, e imagefs.Entry, _ Args) bool {
				sticky := e.Mode.IsDir() && e.Mode&fs.ModeSticky != 0
				return (e.Mode.IsRegular() || e.Mode.IsDir()) && e.Mode.Perm()&0o002 != 0 && !sticky
			}),
		{
			Group: group, Kind: KindFile, Takes: TakesTable, Expression: "no file matching any of these is writable",
			Doc:     "Passes when the user of the image may write to none of the files and directories that match a pattern, by owner and mode. What does not exist is not writable: say so of its directory, too.",
			Example: "Then no file matching any of these is writable\n  | /             |\n  | /etc          |\n  | /etc/*.conf   |",
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				patterns, err := a.List()
				if err != nil {
					return err
				}
				for _, p := range patterns {
					found, err := s.glob(ctx, p)
					if err != nil {
						return err
					}
					for _, name := range found {
						if err := s.writable(ctx, name, s.image.Config.Config.User, false); err != nil {
							return err
						}
					}
				}
				return nil
			},
		},
		none("no file has capabilities", "Passes when no file gives who executes it a Linux capability.",
			"Given the image \"${empty}\"\nThen no file has capabilities", "none with capabilities", TakesNothing,
			func(_ *imagefs.FS, e imagefs.Entry, _ Args) bool { return e.Capability != 0 }),
		none("no link is broken", "Passes when every symbolic link leads to something in the image. Links into /proc, /dev, /sys and /run are left out.",
			"Then no link is broken", "none that leads nowhere", TakesNothing,
			func(files *imagefs.FS, e imagefs.Entry, _ Args) bool {
				if e.Mode&fs.ModeSymlink == 0 || atRuntime(e.Link) {
					return false
				}
				_, err := files.Lookup(e.Path)
				return err != nil
			}),
		none("the image has no shell", "Passes when no program of the image has the name of a shell.",
			"Then the image has no shell", "no shell", TakesNothing,
			func(_ *imagefs.FS, e imagefs.Entry, _ Args) bool {
				return e.Mode.IsRegular() && e.Mode.Perm()&0o111 != 0 && slices.Contains(shells, path.Base(e.Path))
			}),
		{
			Group: group, Kind: KindFile, Takes: TakesTable, Expression: "the image has none of the programs",
			Doc:     "Passes when the image has no executable file, and no link to one, of these names, wherever it is.",
			Example: "Then the image has none of the programs\n  | curl |\n  | wget |\n  | nc   |",
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				files, err := s.image.Files(ctx)
				if err != nil {
					return err
				}
				unwanted, err := a.List()
				if err != nil {
					return err
				}
				var found []string
				for e := range files.All() {
					if e.Mode.IsDir() || !slices.Contains(unwanted, path.Base(e.Path)) {
						continue
					}
					if target, err := files.Lookup(e.Path); err == nil && target.Mode.IsRegular() && target.Mode.Perm()&0o111 != 0 {
						found = append(found, e.Path)
					}
				}
				return expect(len(found) == 0, "the programs of the image", "none of these", list(found))
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "no file has a secret",
			Doc:     "Passes when no file of at most 1 MiB has a private key or a token of a known form in it. The path is reported, never the secret.",
			Example: "Then no file has a secret",
			Func: func(ctx context.Context, s *Scenario, _ Args) error {
				return s.noContent(ctx, "", func(data []byte) string {
					for _, secret := range secrets {
						if secret.pattern.Match(data) {
							return secret.name
						}
					}
					return ""
				})
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "no file under {string} matches {string}",
			Doc:     "Passes when the regular expression (RE2) matches in no file of at most 1 MiB in the directory and below.",
			Example: `Then no file under "/app" matches 'TODO|FIXME'`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				re, err := compilePattern(a.String(1))
				if err != nil {
					return err
				}
				return s.noContent(ctx, a.String(0), func(data []byte) string {
					if re.Match(data) {
						return "a match of /" + a.String(1) + "/"
					}
					return ""
				})
			},
		},
	}
}

func globStep(expression, doc, example string, test func(found []string, a Args) error) Step {
	return Step{
		Group: "Search", Kind: KindFile, Expression: expression, Doc: doc, Example: example,
		Func: func(ctx context.Context, s *Scenario, a Args) error {
			found, err := s.glob(ctx, a.last())
			if err != nil {
				return err
			}
			return test(found, a)
		},
	}
}

func (s *Scenario) glob(ctx context.Context, pattern string) ([]string, error) {
	files, err := s.image.Files(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := files.Glob(pattern)
	return paths(entries), err
}

func atRuntime(target string) bool {
	return slices.ContainsFunc([]string{"/proc", "/dev", "/sys", "/run", "/var/run"}, func(dir string) bool {
		return target == dir || strings.HasPrefix(target, dir+"/")
	})
}

// searchLimit is the size up to which files are searched for text.
const searchLimit = 1 << 20

// noContent expects that found is "" for the content of every file under a directory.
func (s *Scenario) noContent(ctx context.Context, dir string, find func([]byte) string) error {
	files, err := s.image.Files(ctx)
	if err != nil {
		return err
	}
	under := strings.TrimSuffix(dir, "/") + "/"
	small := func(e imagefs.Entry) bool {
		return e.Size > 0 && e.Size <= searchLimit && strings.HasPrefix(e.Path, under)
	}
	var found []string
	for item, r := range files.Contents(ctx, small) {
		if item.Err != nil {
			return item.Err
		}
		data, err := io.ReadAll(io.LimitReader(r, searchLimit))
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if what := find(data); what != "" {
			found = append(found, item.Path+": "+what)
		}
	}
	return expect(len(found) == 0, "the files under "+under, "none", list(found))
}
