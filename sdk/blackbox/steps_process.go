package blackbox

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// processStep is a step about the processes of the instance; the main process is the first.
func processStep(group, expression, doc, example string, test func(all []sandbox.Process, a Args) error) Step {
	return instanceStep(group, expression, doc, example, func(ctx context.Context, i *instance, a Args) error {
		inspector, ok := i.Instance.(sandbox.Inspector)
		if !ok {
			return missing(i, "looking at processes")
		}
		all, err := inspector.Processes(ctx)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return &Mismatch{What: "the processes of the instance", Expected: "any", Found: "none: it has ended"}
		}
		return test(all, a)
	}).within()
}

// userSteps are about who the instance runs as and what it may do.
func userSteps() []Step {
	const group = "Users and privileges of the instance"
	return []Step{
		processStep(group, "the instance runs as a user other than root", "Passes when the main process is not run by the user 0.",
			"When an instance is started\nThen the instance runs as a user other than root",
			func(all []sandbox.Process, _ Args) error {
				return expect(all[0].UID != 0, "the user of the main process", "anyone but 0", "0")
			}),
		processStep(group, "the instance runs as the user {int}", "Compares the number of the main process's user.",
			"When an instance is started\nThen the instance runs as the user 65532",
			func(all []sandbox.Process, a Args) error {
				return equal("the user of the main process", strconv.Itoa(a.Int(0)), strconv.Itoa(all[0].UID))
			}),
		processStep(group, "the instance runs as the group {int}", "Compares the number of the main process's group.",
			"When an instance is started\nThen the instance runs as the group 65532",
			func(all []sandbox.Process, a Args) error {
				return equal("the group of the main process", strconv.Itoa(a.Int(0)), strconv.Itoa(all[0].GID))
			}),
		processStep(group, "no process of the instance runs as root", "Passes when no process is run by the user 0.",
			"When an instance is started\nThen no process of the instance runs as root",
			func(all []sandbox.Process, _ Args) error {
				return noProcess(all, "that runs as root", func(p sandbox.Process) bool { return p.UID == 0 })
			}),
		processStep(group, "no process of the instance has a capability", "Passes when no process has any Linux capability in effect.",
			"When an instance is started\nThen no process of the instance has a capability",
			func(all []sandbox.Process, _ Args) error {
				return noProcess(all, "with a capability", func(p sandbox.Process) bool { return p.Capabilities != 0 })
			}),
		processStep(group, "the main process has the capability {string}", "Passes when the main process has the Linux capability in effect.",
			"Given the user \"0\"\nAnd the capability \"NET_BIND_SERVICE\"\nWhen an instance is started\nThen the main process has the capability \"NET_BIND_SERVICE\"",
			func(all []sandbox.Process, a Args) error {
				bit, err := capabilityBit(a.String(0))
				if err != nil {
					return err
				}
				have := imagefs.CapabilityNames(all[0].Capabilities)
				return expect(all[0].Capabilities&(1<<bit) != 0, "the capabilities of the main process", a.String(0), list(have))
			}),
		processStep(group, "no process of the instance can gain privileges", "Passes when every process has \"no new privileges\" set: setuid programs give it nothing.",
			"When an instance is started\nThen no process of the instance can gain privileges",
			func(all []sandbox.Process, _ Args) error {
				return noProcess(all, "that can gain privileges", func(p sandbox.Process) bool { return !p.NoNewPrivs })
			}),
		processStep(group, "every process of the instance is under a system call filter", "Passes when every process has a seccomp filter.",
			"When an instance is started\nThen every process of the instance is under a system call filter",
			func(all []sandbox.Process, _ Args) error {
				return noProcess(all, "without a filter", func(p sandbox.Process) bool { return !p.Seccomp })
			}),
	}
}

func processSteps() []Step {
	const group = "Processes"
	return []Step{
		processStep(group, "the main process is {string}", "Passes when the arguments of the main process begin with these words.",
			"When an instance is started\nThen the main process is \"/app/service\"",
			func(all []sandbox.Process, a Args) error {
				want, err := words(a.String(0))
				if err != nil {
					return err
				}
				have := all[0].Args
				return expect(len(have) >= len(want) && slices.Equal(have[:len(want)], want), "the main process", a.String(0), strings.Join(have, " "))
			}),
		processStep(group, "a process {string} is running", "Passes when a process has that program name, without its folder.",
			"When an instance is started\nThen within 10 seconds a process \"service\" is running",
			func(all []sandbox.Process, a Args) error {
				return expect(len(withProgram(all, a.String(0))) > 0, "the processes of the instance", a.String(0), list(programs(all)))
			}),
		processStep(group, "no process {string} is running", "Passes when no process has that program name.",
			"When an instance is started\nThen no process \"sshd\" is running",
			func(all []sandbox.Process, a Args) error {
				found := withProgram(all, a.String(0))
				return expect(len(found) == 0, "the processes of the instance", "no "+a.String(0), fmt.Sprintf("%d", len(found)))
			}).alone(),
		processStep(group, "the process {string} runs as the user {int}", "Passes when all processes of that program name are run by the user of that number.",
			"When an instance is started\nThen the process \"service\" runs as the user 65532",
			func(all []sandbox.Process, a Args) error {
				found := withProgram(all, a.String(0))
				if len(found) == 0 {
					return &Mismatch{What: "the processes of the instance", Expected: a.String(0), Found: list(programs(all))}
				}
				for _, p := range found {
					if p.UID != a.Int(1) {
						return &Mismatch{What: "the user of " + a.String(0), Expected: strconv.Itoa(a.Int(1)), Found: strconv.Itoa(p.UID)}
					}
				}
				return nil
			}),
		processStep(group, "at most {int} processes are running", "Counts the processes of the instance.",
			"When an instance is started\nThen at most 10 processes are running",
			func(all []sandbox.Process, a Args) error {
				return expect(len(all) <= a.Int(0), "the processes of the instance", fmt.Sprintf("at most %d", a.Int(0)), fmt.Sprintf("%d: %s", len(all), list(programs(all))))
			}).alone(),
		processStep(group, "no process is a zombie", "Passes when every process that ended was waited for. A main process that does not leaves zombies until none can start.",
			"When an instance is started\nThen within 5 seconds no process is a zombie",
			func(all []sandbox.Process, _ Args) error {
				return noProcess(all, "that is a zombie", func(p sandbox.Process) bool { return p.State == "Z" })
			}).alone(),
	}
}

func noProcess(all []sandbox.Process, unwanted string, is func(sandbox.Process) bool) error {
	var found []string
	for _, p := range all {
		if is(p) {
			found = append(found, fmt.Sprintf("%d %s", p.PID, strings.Join(p.Args, " ")))
		}
	}
	return expect(len(found) == 0, "the processes of the instance", "none "+unwanted, list(found))
}

func programs(all []sandbox.Process) []string {
	var found []string
	for _, p := range all {
		if len(p.Args) > 0 {
			found = append(found, path.Base(p.Args[0]))
		}
	}
	return found
}

func withProgram(all []sandbox.Process, name string) []sandbox.Process {
	return slices.DeleteFunc(slices.Clone(all), func(p sandbox.Process) bool {
		return len(p.Args) == 0 || path.Base(p.Args[0]) != name
	})
}
