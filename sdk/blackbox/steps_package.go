package blackbox

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
)

func packageSteps() []Step {
	const group = "Packages"
	step := func(expression, doc, example string, test func(all []packages.Package, a Args) error) Step {
		return Step{
			Group: group, Kind: KindFile, Expression: expression, Doc: doc, Example: example,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				all, err := s.image.Packages(ctx)
				if err != nil {
					return err
				}
				return test(all, a)
			},
		}
	}
	noneOf := step("none of the packages is installed", "Passes when the image has none of the packages in the table.",
		"Then none of the packages is installed\n  | gcc  |\n  | curl |",
		func(all []packages.Package, a Args) error {
			unwanted, err := a.List()
			if err != nil {
				return err
			}
			var found []string
			for _, p := range all {
				if slices.Contains(unwanted, p.Name) {
					found = append(found, p.Name+" "+p.Version)
				}
			}
			return expect(len(found) == 0, "the packages of the image", "none of these", list(found))
		})
	noneOf.Takes = TakesTable
	return []Step{
		step("the package {string} is installed", "Passes when a package database of the image has the package: dpkg, apk, rpm, Python, npm or Ruby gems.",
			`Then the package "tzdata" is installed`,
			func(all []packages.Package, a Args) error {
				found := byName(all, a.String(0))
				return expect(len(found) > 0, "the packages of the image", a.String(0), notAmong(all))
			}),
		step("the package {string} is not installed", "Passes when no package database of the image has the package.",
			`Then the package "curl" is not installed`,
			func(all []packages.Package, a Args) error {
				found := byName(all, a.String(0))
				return expect(len(found) == 0, "the packages of the image", "no "+a.String(0), versions(found))
			}),
		noneOf,
		step("the package {string} is installed in the version {string}", "Compares the version of a package as its database writes it.",
			`Then the package "tzdata" is installed in the version "2025b-0+deb12u1"`,
			func(all []packages.Package, a Args) error {
				found := byName(all, a.String(0))
				ok := slices.ContainsFunc(found, func(p packages.Package) bool { return p.Version == a.String(1) })
				return expect(ok, "the version of "+a.String(0), a.String(1), versions(found))
			}),
		step("the package {string} is installed in the version {string} or newer", "Compares versions in the order that the package's kind has. If it is there several times, all must be new enough.",
			`Then the package "tzdata" is installed in the version "2024a-1" or newer`,
			func(all []packages.Package, a Args) error {
				found := byName(all, a.String(0))
				if len(found) == 0 {
					return &Mismatch{What: "the packages of the image", Expected: a.String(0), Found: notAmong(all)}
				}
				for _, p := range found {
					order, err := p.Compare(a.String(1))
					if err != nil {
						return err
					}
					if order < 0 {
						return &Mismatch{What: "the version of " + p.Name, Expected: a.String(1) + " or newer", Found: p.Version}
					}
				}
				return nil
			}),
		step("at most {int} packages are installed", "Counts the packages of all databases of the image.",
			"Then at most 100 packages are installed",
			func(all []packages.Package, a Args) error {
				return expect(len(all) <= a.Int(0), "the packages of the image", fmt.Sprintf("at most %d", a.Int(0)), fmt.Sprint(len(all)))
			}),
		step("no {word} package is installed", "Passes when the image has no package of the type: deb, apk, rpm, pypi, npm or gem.",
			"Then no npm package is installed",
			func(all []packages.Package, a Args) error {
				var found []string
				for _, p := range all {
					if p.Type == a.String(0) {
						found = append(found, p.Name)
					}
				}
				return expect(len(found) == 0, "the packages of the image", "none of type "+a.String(0), list(found))
			}),
		{
			Group: group, Kind: KindFile, Expression: "the Go program {string} is built with the module {string}",
			Doc:     "Passes when the program says that the Go module is part of it.",
			Example: `Then the Go program "/app/service" is built with the module "github.com/plimsoll-dev/plimsoll"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				all, err := s.goModules(ctx, a.String(0))
				if err != nil {
					return err
				}
				return expect(len(byName(all, a.String(1))) > 0, "the modules of "+a.String(0), a.String(1), notAmong(all))
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the Go program {string} is not built with the module {string}",
			Doc:     "Passes when the program says which Go modules are part of it, and this one is not.",
			Example: `Then the Go program "/app/service" is not built with the module "github.com/pkg/sftp"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				all, err := s.goModules(ctx, a.String(0))
				if err != nil {
					return err
				}
				found := byName(all, a.String(1))
				return expect(len(found) == 0, "the modules of "+a.String(0), "no "+a.String(1), versions(found))
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the Go program {string} is built with Go {string} or newer",
			Doc:     "Compares the version of Go that the program says it was built with.",
			Example: `Then the Go program "/app/service" is built with Go "1.20" or newer`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				all, err := s.goModules(ctx, a.String(0))
				if err != nil {
					return err
				}
				order, err := all[0].Compare(a.String(1))
				if err != nil {
					return err
				}
				return expect(order >= 0, "the version of Go in "+a.String(0), a.String(1)+" or newer", all[0].Version)
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the operating system of the image is {string}",
			Doc:     "Compares the ID of /etc/os-release: \"debian\", \"alpine\", \"wolfi\".",
			Example: `Then the operating system of the image is "debian"`,
			Func:    func(ctx context.Context, s *Scenario, a Args) error { return s.osRelease(ctx, "ID", a.String(0)) },
		},
		{
			Group: group, Kind: KindFile, Expression: "the version of the operating system is {string}",
			Doc:     "Compares the VERSION_ID of /etc/os-release.",
			Example: `Then the version of the operating system is "12"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				return s.osRelease(ctx, "VERSION_ID", a.String(0))
			},
		},
	}
}

func byName(all []packages.Package, name string) []packages.Package {
	return slices.DeleteFunc(slices.Clone(all), func(p packages.Package) bool { return p.Name != name })
}

func versions(found []packages.Package) string {
	var all []string
	for _, p := range found {
		all = append(all, p.Version)
	}
	if len(all) == 0 {
		return "not installed"
	}
	return list(all)
}

func notAmong(all []packages.Package) string {
	return fmt.Sprintf("not among the %d there", len(all))
}

// goModules returns what a Go program is built from, Go itself first.
func (s *Scenario) goModules(ctx context.Context, name string) ([]packages.Package, error) {
	if _, err := s.entry(ctx, name); err != nil {
		return nil, err
	}
	files, err := s.image.Files(ctx)
	if err != nil {
		return nil, err
	}
	return packages.Go(ctx, files, name)
}

// osRelease compares a field of os-release(5).
func (s *Scenario) osRelease(ctx context.Context, field, want string) error {
	files, err := s.image.Files(ctx)
	if err != nil {
		return err
	}
	const first, second = "/etc/os-release", "/usr/lib/os-release"
	data, err := files.ReadFile(ctx, first)
	if err != nil {
		if data, err = files.ReadFile(ctx, second); err != nil {
			return &Mismatch{What: first, Expected: "to exist", Found: "neither it nor " + second}
		}
	}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && name == field {
			return equal(field+" of os-release", want, strings.Trim(value, `"'`))
		}
	}
	return &Mismatch{What: field + " of os-release", Expected: quote(want), Found: "no such field"}
}
