package container

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container/internal/stage"
)

// Visit is one more process for a container of another runtime on this machine.
type Visit struct {
	// PID is of the container's first process, ID what must be in the names of its control groups: a process number may mean
	// another process by now.
	PID int
	ID  string
	// Process is what it is to be. Rlimits that it does not name come from the first process.
	Process Process
	// Label and LabelFile are of the security module: "exec docker-default", "attr/apparmor/exec".
	Label, LabelFile string
	OOMScore         int
	// Program is executed in place of the image's Args[0]. It is copied to memory before. Nil for none.
	Program *os.File
}

// ErrOtherUsers says that a container has a user namespace of its own, which can't be entered by this program.
var ErrOtherUsers = errors.New("the container has a user namespace of its own")

// helperPath is this program as a file that no container can write to.
var helperPath = sync.OnceValues(func() (string, error) {
	path, keep, err := stage.VisitCommand()
	kept.Store("helper", keep)
	return path, err
})

var kept sync.Map // files that must stay open

// Run starts the process, no less confined than the container's own are, and waits for it. Its output goes to the
// writers. When ctx ends first, it is killed. Started says whether it ever ran.
func (j Visit) Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (exit int, started bool, err error) {
	files, groups, err := j.open()
	if err != nil {
		return 0, false, err
	}
	defer func() { stage.CloseAll(files) }()
	if j.Program != nil {
		copied, err := sealed(j.Program)
		if err != nil {
			return 0, false, err
		}
		files = append(files, copied)
	}
	path, err := helperPath()
	if err != nil {
		return 0, false, err
	}
	ours, theirs, err := stage.SocketPair()
	if err != nil {
		return 0, false, err
	}
	defer ours.Close()
	cmd := &exec.Cmd{
		Path: path, Args: []string{stage.VisitName}, Env: []string{}, Stdin: stdin, Stdout: stdout, Stderr: stderr,
		ExtraFiles: []*os.File{theirs}, WaitDelay: time.Second, // what the process left running keeps the pipes
	}
	if err := cmd.Start(); err != nil {
		return 0, false, errors.Join(err, theirs.Close())
	}
	_ = theirs.Close()
	ask := stage.Visit{Process: &j.Process, Groups: groups, Label: j.Label, LabelFile: j.LabelFile, OOMScore: j.OOMScore, Program: j.Program != nil}
	// It is the process that is killed, and the helper tells its end; one that hangs before there is a process is killed.
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(helperGrace, func() { _ = cmd.Process.Kill() }) })
	exit, started, err = talk(ctx, ours, ask, files)
	stop()
	if err != nil {
		_ = cmd.Process.Kill()
	}
	_ = cmd.Wait() // what it says is in the answer
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return exit, started, err
}

// helperGrace is how long the helper has to start a process that is not wanted any more.
const helperGrace = 5 * time.Second

// talk asks the helper, and waits for its answers.
func talk(ctx context.Context, c *stage.Conn, ask stage.Visit, files []*os.File) (exit int, started bool, err error) {
	if err := c.Send(ask, files...); err != nil {
		return 0, false, err
	}
	var first, last stage.VisitAnswer
	if _, err := c.Receive(&first); err != nil {
		return 0, false, fmt.Errorf("the helper: %w", err)
	}
	if first.Failure != nil {
		return 0, false, first.Failure
	}
	pidfd, err := unix.PidfdOpen(first.PID, 0) // it is the helper's child, which has not been waited for unless it has ended
	if err == nil {
		defer func() { _ = unix.Close(pidfd) }()
		defer context.AfterFunc(ctx, func() { _ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0) })()
	}
	if _, err := c.Receive(&last); err != nil {
		return 0, true, fmt.Errorf("the helper: %w", err)
	}
	if last.Failure != nil {
		return 0, true, last.Failure
	}
	return last.Exit, true, nil
}

// open opens the namespaces and finds the control groups and limits of the container's first process.
func (j *Visit) open() (files []*os.File, groups []string, err error) {
	proc := fmt.Sprintf("/proc/%d", j.PID)
	defer func() {
		if err != nil {
			stage.CloseAll(files)
			files = nil
		}
	}()
	own, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return nil, nil, err
	}
	theirs, err := os.Readlink(proc + "/ns/user")
	if err != nil {
		return nil, nil, err
	}
	if own != theirs {
		return nil, nil, ErrOtherUsers
	}
	for _, name := range stage.NamespaceNames() {
		f, err := os.Open(proc + "/ns/" + name)
		if err != nil {
			return files, nil, err
		}
		files = append(files, f)
	}
	theirLimits, err := rlimits(j.PID)
	if err != nil {
		return files, nil, err
	}
	for n, l := range theirLimits { // the process may have changed its own
		for _, own := range j.Process.Rlimits {
			if own.Resource == l.Resource {
				theirLimits[n] = own
			}
		}
	}
	j.Process.Rlimits = theirLimits
	text, err := os.ReadFile(proc + "/cgroup") // after all else: it says whose all that was
	if err != nil {
		return files, nil, err
	}
	groups, err = controlGroups(string(text), j.ID)
	return files, groups, err
}

// controlGroups returns the files by which a thread joins the control groups that /proc/<pid>/cgroup lists. All of them
// must be the container's.
func controlGroups(text, id string) ([]string, error) {
	mounts, err := groupMounts()
	if err != nil {
		return nil, err
	}
	var files []string
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		controllers, path := parts[1], parts[2]
		mount, ok := mounts[controllers]
		if !ok {
			if controllers == "" && path == "/" {
				continue // version 2 beside version 1, and unused
			}
			return nil, fmt.Errorf("control group %s:%s is not mounted here", controllers, path)
		}
		if !strings.Contains(path, id) {
			if path == "/" && controllers == "" {
				continue
			}
			return nil, fmt.Errorf("process is in control group %s, which is not the container's", path)
		}
		file := "tasks"
		if controllers == "" {
			file = "cgroup.procs"
		}
		files = append(files, filepath.Join(mount, path, file))
	}
	if len(files) == 0 {
		return nil, errors.New("the container has no control group")
	}
	return files, nil
}

// groupMounts returns where the hierarchies are mounted, by their controllers as /proc/<pid>/cgroup writes them.
func groupMounts() (map[string]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	mounts := map[string]string{}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		before, after, ok := strings.Cut(s.Text(), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) < 3 || fields[3] != "/" {
			continue
		}
		switch kind[0] {
		case "cgroup2":
			mounts[""] = fields[4]
		case "cgroup":
			var controllers []string
			for o := range strings.SplitSeq(kind[2], ",") {
				if o != "rw" && o != "ro" && o != "xattr" && !strings.HasPrefix(o, "release_agent=") && o != "clone_children" && o != "none" && o != "noprefix" {
					controllers = append(controllers, o)
				}
			}
			mounts[strings.Join(controllers, ",")] = fields[4]
		}
	}
	return mounts, nil
}

// limitNames are the kernel's names in the order of its numbers (fs/proc/base.c).
var limitNames = []string{
	"Max cpu time", "Max file size", "Max data size", "Max stack size", "Max core file size", "Max resident set", "Max processes", "Max open files",
	"Max locked memory", "Max address space", "Max file locks", "Max pending signals", "Max msgqueue size", "Max nice priority", "Max realtime priority",
	"Max realtime timeout",
}

// rlimits are those of a process. They are read from /proc: prlimit(2) wants a right for other users' processes.
func rlimits(pid int) ([]Rlimit, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return nil, err
	}
	var all []Rlimit
	for line := range strings.Lines(string(text)) {
		for number, name := range limitNames {
			rest, ok := strings.CutPrefix(line, name+" ")
			fields := strings.Fields(rest)
			if !ok || len(fields) < 2 {
				continue
			}
			soft, err1 := limit(fields[0])
			hard, err2 := limit(fields[1])
			if err := errors.Join(err1, err2); err != nil {
				return nil, fmt.Errorf("%s of process %d: %w", name, pid, err)
			}
			all = append(all, Rlimit{Resource: number, Soft: soft, Hard: hard})
		}
	}
	if len(all) != len(limitNames) {
		return nil, fmt.Errorf("process %d has %d resource limits, %d are known", pid, len(all), len(limitNames))
	}
	return all, nil
}

// LimitNumber is the kernel's number of a resource limit as OCI configurations write it, "RLIMIT_NOFILE".
func LimitNumber(name string) (int, error) {
	n := slices.Index(ociLimits, name)
	if n < 0 {
		return 0, fmt.Errorf("resource limit %q is not known", name)
	}
	return n, nil
}

// ociLimits are in the order of the kernel's numbers.
var ociLimits = []string{
	"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK",
	"RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
}

func limit(text string) (uint64, error) {
	if text == "unlimited" {
		return unix.RLIM_INFINITY, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

// sealed copies a program to memory that nobody can change: the container may look at it.
func sealed(program *os.File) (*os.File, error) {
	fd, err := unix.MemfdCreate("program", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "program")
	info, err := program.Stat()
	if err == nil {
		_, err = io.Copy(f, io.NewSectionReader(program, 0, info.Size()))
	}
	if err == nil {
		err = f.Chmod(0o555)
	}
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copy of the program: %w", err), f.Close())
	}
	return f, nil
}
