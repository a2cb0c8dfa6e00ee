package blackbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	everyone := func(account) bool { return true }
	return []Step{
		accountStep("the user {string} exists", "Passes when /etc/passwd of the image has the user.",
			`Then the user "nobody" exists`,
			func(known accounts, a Args) error {
				all := accountNames(known.passwd, everyone)
				return expect(slices.Contains(all, a.String(0)), "the users of the image", a.String(0), list(all))
			}),
		accountStep("the user {string} does not exist", "Passes when /etc/passwd of the image does not have the user.",
			`Then the user "vagrant" does not exist`,
			func(known accounts, a Args) error {
				all := accountNames(known.passwd, everyone)
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
		accountStep("the user {string} has the main group {int}", "Compares the number of a user's own group in /etc/passwd of the image.",
			`Then the user "nobody" has the main group 65534`,
			func(known accounts, a Args) error {
				return known.field(a.String(0), "main group", strconv.Itoa(a.Int(1)), func(u account) string { return strconv.Itoa(u.gid) })
			}),
		accountStep("the user {string} has the home {string}", "Compares the home directory of a user in /etc/passwd of the image.",
			`Then the user "nobody" has the home "/"`,
			func(known accounts, a Args) error {
				return known.field(a.String(0), "home", a.String(1), func(u account) string { return u.home })
			}),
		accountStep("the user {string} has the shell {string}", "Compares the shell of a user in /etc/passwd of the image.",
			`Then the user "nobody" has the shell "/usr/sbin/nologin"`,
			func(known accounts, a Args) error {
				return known.field(a.String(0), "shell", a.String(1), func(u account) string { return u.shell })
			}),
		accountStep("the user {string} is in the group {string}", "Passes when the group is the user's own, or lists the user in /etc/group.",
			`Then the user "nobody" is in the group "nogroup"`,
			func(known accounts, a Args) error {
				u, err := known.user(a.String(0))
				if err != nil {
					return err
				}
				gid, err := known.gid(a.String(1))
				if err != nil {
					return err
				}
				return expect(slices.Contains(u.gids, gid), "the groups of "+a.String(0), strconv.Itoa(gid), fmt.Sprint(u.gids))
			}),
		accountStep("the user {string} can't log in", "Passes when the shell of the user is nologin or false, or the image does not have it.",
			`Then the user "nobody" can't log in`,
			func(known accounts, a Args) error {
				shell := ""
				err := known.field(a.String(0), "shell", "", func(u account) string { shell = u.shell; return "" })
				if err != nil {
					return err
				}
				ok := strings.HasSuffix(shell, "/nologin") || strings.HasSuffix(shell, "/false")
				return expect(ok, "the shell of the user "+a.String(0), "nologin or false", quote(shell))
			}),
		accountStep("the group {string} exists", "Passes when /etc/group of the image has the group.",
			`Then the group "shadow" exists`,
			func(known accounts, a Args) error {
				all := accountNames(known.groups, everyone)
				return expect(slices.Contains(all, a.String(0)), "the groups of the image", a.String(0), list(all))
			}),
		accountStep("the group {string} does not exist", "Passes when /etc/group of the image does not have the group.",
			`Then the group "docker" does not exist`,
			func(known accounts, a Args) error {
				all := accountNames(known.groups, everyone)
				return expect(!slices.Contains(all, a.String(0)), "the groups of the image", "no "+a.String(0), list(all))
			}),
		accountStep("the group {string} has the number {int}", "Compares the number of a group in /etc/group of the image.",
			`Then the group "shadow" has the number 42`,
			func(known accounts, a Args) error {
				gid, err := known.gid(a.String(0))
				if err != nil {
					return err
				}
				return equal("the number of the group "+a.String(0), strconv.Itoa(a.Int(1)), strconv.Itoa(gid))
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
