package blackbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// fileStep is a step about the entry at a path, which is its first parameter. Symbolic links are followed.
func fileStep(group, expression, doc, example string, test func(e imagefs.Entry, a Args) error) Step {
	return Step{
		Group: group, Kind: KindFile, Expression: expression, Doc: doc, Example: example,
		Func: func(ctx context.Context, s *Scenario, a Args) error {
			e, err := s.entry(ctx, a.String(0))
			if err != nil {
				return err
			}
			return test(e, a)
		},
	}
}

// entry returns what a path of the image leads to. That nothing is there is a [Mismatch].
func (s *Scenario) entry(ctx context.Context, name string) (imagefs.Entry, error) {
	if err := absolute(name); err != nil {
		return imagefs.Entry{}, err
	}
	files, err := s.image.Files(ctx)
	if err != nil {
		return imagefs.Entry{}, err
	}
	e, err := files.Lookup(name)
	if errors.Is(err, fs.ErrNotExist) {
		return e, &Mismatch{What: name, Expected: "to exist", Found: "nothing there"}
	}
	return e, err
}

// isKind expects an entry to be of a kind; is says whether it is.
func isKind(name string, e imagefs.Entry, is bool, kind string) error {
	return expect(is, name, kind, imagefs.Kind(e.Mode))
}

// absent passes when nothing of the kind is at a path.
func absent(kind string, is func(fs.FileMode) bool) func(context.Context, *Scenario, Args) error {
	return func(ctx context.Context, s *Scenario, a Args) error {
		e, err := s.entry(ctx, a.String(0))
		var nothing *Mismatch
		if errors.As(err, &nothing) {
			return nil
		}
		if err != nil {
			return err
		}
		return expect(!is(e.Mode), a.String(0), "no "+kind, imagefs.Kind(e.Mode))
	}
}

func fileSteps() []Step {
	const group = "Files"
	content := text{
		group: group, subject: "the file {string}", what: "the content of the file", kind: KindFile,
		example: `the file "/etc/motd"`, whole: "Welcome aboard.\nMind the gap.", part: "Welcome", pattern: "^Mind .* gap", absent: "debug",
		read: func(ctx context.Context, s *Scenario, a Args) (string, error) {
			if _, err := s.entry(ctx, a.String(0)); err != nil {
				return "", err
			}
			files, err := s.image.Files(ctx)
			if err != nil {
				return "", err
			}
			data, err := files.ReadFile(ctx, a.String(0))
			return string(data), err
		},
	}
	steps := []Step{
		fileStep(group, "the file {string} exists", "Passes when there is a regular file at the path; links are followed.",
			`Then the file "/app/service" exists`,
			func(e imagefs.Entry, a Args) error {
				return isKind(a.String(0), e, e.Mode.IsRegular(), "a regular file")
			}),
		{
			Group: group, Kind: KindFile, Expression: "the file {string} does not exist",
			Doc:     "Passes when there is no regular file at the path.",
			Example: `Then the file "/root/.ssh/id_rsa" does not exist`,
			Func:    absent("regular file", fs.FileMode.IsRegular),
		},
		fileStep(group, "the directory {string} exists", "Passes when there is a directory at the path; links are followed.",
			`Then the directory "/app" exists`,
			func(e imagefs.Entry, a Args) error { return isKind(a.String(0), e, e.Mode.IsDir(), "a directory") }),
		{
			Group: group, Kind: KindFile, Expression: "the directory {string} does not exist",
			Doc:     "Passes when there is no directory at the path.",
			Example: `Then the directory "/var/cache/apt" does not exist`,
			Func:    absent("directory", fs.FileMode.IsDir),
		},
		{
			Group: group, Kind: KindFile, Expression: "the directory {string} is empty",
			Doc:     "Passes when the directory has nothing in it, or does not exist.",
			Example: `Then the directory "/var/log" is empty`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				files, err := s.image.Files(ctx)
				if err != nil {
					return err
				}
				entries, err := files.ReadDir(a.String(0))
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				if err != nil {
					return err
				}
				return expect(len(entries) == 0, a.String(0), "an empty directory", list(paths(entries)))
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the link {string} leads to {string}",
			Doc:     "Compares the target of a symbolic link as it is written.",
			Example: `Then the link "/usr/bin/service" leads to "/app/service"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				files, err := s.image.Files(ctx)
				if err != nil {
					return err
				}
				e, err := files.Lstat(a.String(0))
				if err != nil {
					return err
				}
				if err := isKind(a.String(0), e, e.Mode&fs.ModeSymlink != 0, "a symbolic link"); err != nil {
					return err
				}
				return equal("the target of "+a.String(0), a.String(1), e.Link)
			},
		},
		fileStep(group, "the file {string} is smaller than {size}", "Compares the size of a file.",
			`Then the file "/app/service" is smaller than 50 MB`,
			func(e imagefs.Entry, a Args) error { return smaller("the size of "+a.String(0), a.Size(1), e.Size) }),
		{
			Group: group, Kind: KindFile, Expression: "the SHA-256 checksum of the file {string} is {string}",
			Doc:     "Compares the checksum of a file's content in hexadecimal digits.",
			Example: `Then the SHA-256 checksum of the file "/etc/empty" is "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				data, err := content.read(ctx, s, a)
				if err != nil {
					return err
				}
				sum := sha256.Sum256([]byte(data))
				return equal("the checksum of "+a.String(0), a.String(1), hex.EncodeToString(sum[:]))
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the JSON file {string} has {string} at {string}",
			Doc:     "Compares a value of a JSON file at a JSONPath (RFC 9535). Numbers and booleans are compared as they are written.",
			Example: `Then the JSON file "/app/config.json" has "info" at "$.log.level"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				data, err := content.read(ctx, s, a)
				if err != nil {
					return err
				}
				return jsonEqual(fmt.Sprintf("%s in %s", a.String(2), a.String(0)), []byte(data), a.String(2), a.String(1))
			},
		},
	}
	return append(steps, content.steps()...)
}

func paths(entries []imagefs.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Path)
	}
	return all
}
