package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	idmap "github.com/moby/sys/user"
	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container/internal/stage"
)

// StartInUserNamespace starts cmd, which must come from reexec.Command, as root of a new user namespace with mounts of
// its own, so that a user without rights on the host can run containers there. Other namespaces that cmd asks for belong
// to it as well.
//
// The namespace has the ids that /etc/subuid and /etc/subgid give this user, if newuidmap and newgidmap are installed;
// otherwise it has root alone, who stands for this user, and single is true. The caller waits for cmd as after
// exec.Cmd.Start. An error that wraps [ErrUnavailable] says what to do.
func StartInUserNamespace(ctx context.Context, cmd *exec.Cmd) (single bool, err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER | unix.CLONE_NEWNS
	if ids := subordinate(); ids != nil {
		return false, startMapped(ctx, cmd, ids)
	}
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	return true, explainUserNamespace(cmd.Start())
}

// subordinateIDs are the arguments of newuidmap and newgidmap after the pid.
type subordinateIDs struct {
	newuidmap, newgidmap string
	uids, gids           []string
}

// subordinate returns nil if this user has no subordinate ids or cannot use them.
func subordinate() *subordinateIDs {
	var ids subordinateIDs
	var err1, err2 error
	ids.newuidmap, err1 = exec.LookPath("newuidmap")
	ids.newgidmap, err2 = exec.LookPath("newgidmap")
	if err1 != nil || err2 != nil {
		return nil
	}
	ids.uids = mappings("/etc/subuid", os.Geteuid())
	ids.gids = mappings("/etc/subgid", os.Getegid())
	if ids.uids == nil || ids.gids == nil {
		return nil
	}
	return &ids
}

// mappings maps 0 to own, and the ids from 1 on to the ranges that file gives this user, by name or number.
func mappings(file string, own int) []string {
	uid := strconv.Itoa(os.Geteuid())
	name := uid
	if u, err := user.LookupId(uid); err == nil {
		name = u.Username
	}
	ranges, err := idmap.ParseSubIDFileFilter(file, func(r idmap.SubID) bool { return r.Name == name || r.Name == uid })
	if err != nil || len(ranges) == 0 {
		return nil
	}
	args := []string{"0", strconv.Itoa(own), "1"}
	next := int64(1)
	for _, r := range ranges {
		args = append(args, strconv.FormatInt(next, 10), strconv.FormatInt(r.SubID, 10), strconv.FormatInt(r.Count, 10))
		next += r.Count
	}
	return args
}

// startMapped starts cmd by way of a helper that waits for its ids. A process that is executed before it has them is
// nobody and loses its capabilities, so the helper executes cmd when it has become root.
func startMapped(ctx context.Context, cmd *exec.Cmd, ids *subordinateIDs) error {
	wait, release, err := os.Pipe()
	if err != nil {
		return err
	}
	defer release.Close()
	number := strconv.Itoa(3 + len(cmd.ExtraFiles))
	cmd.ExtraFiles = append(cmd.ExtraFiles, wait)
	cmd.Args = append([]string{stage.MappedName, number}, cmd.Args...)
	err = cmd.Start()
	_ = wait.Close()
	if err != nil {
		return explainUserNamespace(err)
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	for _, c := range []*exec.Cmd{
		exec.CommandContext(ctx, ids.newuidmap, append([]string{pid}, ids.uids...)...),
		exec.CommandContext(ctx, ids.newgidmap, append([]string{pid}, ids.gids...)...),
	} {
		if out, err := c.CombinedOutput(); err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return fmt.Errorf("%s: %w: %s", c.Path, err, strings.TrimSpace(string(out)))
		}
	}
	_, err = release.Write([]byte{1})
	return err
}

// NeedsUserNamespace says whether this process lacks root's rights over mounts and namespaces, and so must run containers
// in a user namespace.
func NeedsUserNamespace() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return os.Geteuid() != 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return err != nil || set&(1<<unix.CAP_SYS_ADMIN) == 0
		}
	}
	return true
}

// SingleID says whether the user namespace that this process is in has one id only, so that nothing in it can belong to
// anybody but root.
func SingleID() bool {
	data, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(data))
	return len(fields) == 3 && fields[2] == "1"
}

// explainStart says why a supervisor that was started is of no use.
func explainStart(err error, userNamespace bool) error {
	var f *Failure
	if errors.As(err, &f) && f.Op == stage.ProcOp && errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: %w, because something hides parts of it, as the container does that this process may be in; "+
			"Docker shows all of it with --security-opt systempaths=unconfined", ErrUnavailable, err)
	}
	if userNamespace {
		return explainUserNamespace(err)
	}
	return err
}

// explainUserNamespace says what keeps this user from making a user namespace, and what to do about it.
func explainUserNamespace(err error) error {
	if err == nil || !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	reason := "the kernel or a sandbox around this process forbids it; run as root, or use Docker"
	if os.Geteuid() == 0 {
		reason = "this is root without CAP_SYS_ADMIN, as in a container; give it CAP_SYS_ADMIN and CAP_NET_ADMIN, or use Docker"
	}
	for _, s := range []struct{ file, bad, name string }{
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"},
		{"/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces=15000"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"},
	} {
		if data, readErr := os.ReadFile(s.file); readErr == nil && strings.TrimSpace(string(data)) == s.bad {
			reason = fmt.Sprintf("the administrator can allow it with: sysctl -w %s; or run as root, or use Docker", s.name)
			break
		}
	}
	return fmt.Errorf("%w: user %d may not make user namespaces (%w): %s",
		ErrUnavailable, os.Geteuid(), err, reason)
}
