package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker/internal/probe"
)

// joiner lets commands into instances without the daemon, which needs several processes and many times as long for one.
type joiner struct {
	once sync.Once
	j    *container.Joiner
	err  error

	filters sync.Map // by capabilities; one takes some milliseconds
}

func (j *joiner) filter(capabilities uint64) ([]byte, error) {
	if filter, ok := j.filters.Load(capabilities); ok {
		return filter.([]byte), nil
	}
	filter, err := container.DefaultFilter(capabilities)
	if err == nil {
		j.filters.Store(capabilities, filter)
	}
	return filter, err
}

func (j *joiner) get() (*container.Joiner, error) {
	j.once.Do(func() { j.j, j.err = container.NewJoiner() })
	return j.j, j.err
}

func (j *joiner) close() error {
	j.once.Do(func() { j.err = errors.New("the runtime is closed") })
	if j.j == nil {
		return nil
	}
	return j.j.Close()
}

// guest is the helper of one life of an instance. It starts with the first command.
type guest struct {
	mu    sync.Mutex
	g     *container.Guest
	users int
	over  bool // no other one is started
}

// get returns the helper, which is released after use.
func (s *guest) get(join func() (*container.Guest, error)) (*container.Guest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, os.ErrProcessDone
	}
	if s.g == nil {
		var err error
		if s.g, err = join(); err != nil {
			return nil, err
		}
	}
	s.users++
	return s.g, nil
}

// release gives it back. One that did not do its work is ended.
func (s *guest) release(works bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; !works && s.users == 0 && s.g != nil {
		s.g.Close()
		s.g = nil
	}
}

// rest ends it unless a command runs, so that it does not count.
func (s *guest) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 && s.g != nil {
		s.g.Close()
		s.g = nil
	}
}

// end ends it for good.
func (s *guest) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.g != nil {
		s.g.Close()
	}
}

// execHere runs a command from this process. An error that wraps [errByDaemon] says that nothing was tried, because the
// command would not be confined just as the daemon would confine it.
func (i *Instance) execHere(ctx context.Context, cmd sandbox.Command) (sandbox.Output, error) {
	var none sandbox.Output
	// Of other OCI runtimes it is not known what else confines a process.
	if r := i.runtime; !r.sameMachine() || !probe.MayEnter() || r.podman || r.options.Runtime != "" || r.info.DefaultRuntime != "runc" {
		return none, errByDaemon
	}
	pid, err := i.pid(ctx)
	if err != nil {
		return none, err
	}
	member, err := probe.Open(pid, i.container.ID)
	if errors.Is(err, probe.ErrNotSeen) { // or it has ended, which the daemon says
		return none, errByDaemon
	}
	if err != nil {
		return none, err
	}
	defer member.Close()
	p, err := i.process(member.Dir(), cmd)
	if err != nil {
		return none, err
	}
	life := i.current()
	g, err := life.guest.get(func() (*container.Guest, error) { return i.join(member.Dir()) })
	switch {
	case errors.Is(err, container.ErrNotJoined):
		return none, fmt.Errorf("%w: %w", errByDaemon, err)
	case errors.Is(err, unix.ESRCH), errors.Is(err, os.ErrNotExist):
		return none, os.ErrProcessDone
	case err != nil:
		return none, err
	}
	out, err := i.runGuest(ctx, g, p, cmd.Stdin)
	life.guest.release(err == nil)
	return out, err
}

// join starts the helper in the instance.
func (i *Instance) join(member *os.File) (*container.Guest, error) {
	joiner, err := i.runtime.joiner.get()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", container.ErrNotJoined, err)
	}
	limits, err := limitsOf(member)
	if err != nil {
		return nil, err
	}
	return joiner.Join(member, limits)
}

// process says what the daemon would say of a command's process.
func (i *Instance) process(member *os.File, cmd sandbox.Command) (container.Process, error) {
	p := container.Process{Args: cmd.Args, Dir: first(cmd.Dir, i.config.WorkingDir)}
	who, err := container.ResolveUser(fmt.Sprintf("/proc/self/fd/%d/root", member.Fd()), first(cmd.User, i.config.User))
	if err != nil {
		return p, err
	}
	p.UID, p.GID, p.Groups = who.UID, who.GID, who.Groups
	if !slices.Contains(p.Groups, p.GID) { // as the daemon has it since CVE-2022-36109
		p.Groups = append([]int{p.GID}, p.Groups...)
	}
	defaults := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=" + i.config.Hostname}
	p.Env = container.WithHome(lastOfEach(slices.Concat(defaults, i.config.Env, cmd.Env)), who.Home)
	if p.Capabilities, err = container.Capabilities(i.spec.Capabilities...); err != nil {
		return p, err
	}
	p.Seccomp, err = i.runtime.joiner.filter(p.Capabilities)
	return p, err
}

// limitsOf reads a process's resource limits from its directory in /proc, where they are in the order of their numbers
// (proc_pid_limits(5)). What this process may not raise for itself stays lower.
func limitsOf(member *os.File) ([]container.Rlimit, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d/limits", member.Fd()))
	if err != nil {
		return nil, err
	}
	var limits []container.Rlimit
	const nameWidth, heading = 25, "Limit"
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, heading) || len(line) < nameWidth {
			continue
		}
		l := container.Rlimit{Resource: len(limits)}
		var mine unix.Rlimit
		if err := unix.Getrlimit(l.Resource, &mine); err != nil {
			return nil, err
		}
		fields := strings.Fields(line[nameWidth:])
		if len(fields) < 2 {
			return nil, fmt.Errorf("the resource limit %q", line)
		}
		for n, to := range []*uint64{&l.Soft, &l.Hard} {
			*to = unix.RLIM_INFINITY
			if fields[n] != "unlimited" {
				if *to, err = strconv.ParseUint(fields[n], 10, 64); err != nil {
					return nil, fmt.Errorf("the resource limit %q: %w", line, err)
				}
			}
		}
		l.Hard = min(l.Hard, mine.Max)
		l.Soft = min(l.Soft, l.Hard)
		limits = append(limits, l)
	}
	return limits, nil
}

// lastOfEach keeps of several values for a name the last one.
func lastOfEach(all []string) []string {
	var env []string
	place := map[string]int{}
	for _, v := range all {
		name, _, _ := strings.Cut(v, "=")
		if n, ok := place[name]; ok {
			env[n] = v
			continue
		}
		place[name] = len(env)
		env = append(env, v)
	}
	return env
}

// runGuest starts a command and waits for its end.
func (i *Instance) runGuest(ctx context.Context, g *container.Guest, p container.Process, stdin io.Reader) (sandbox.Output, error) {
	output := newOutput(i.spec.Limits.Output)
	pipes, err := newPipes(stdin, output)
	if err != nil {
		return sandbox.Output{}, err
	}
	began := time.Now() //nolint:forbidigo // a duration is measured, nothing is decided by it
	joined, err := g.Start(p, pipes.stdio)
	pipes.begin(stdin)
	if err != nil {
		pipes.stop()
		switch {
		case errors.Is(err, unix.ESRCH), !container.IsExec(err) && i.ended():
			err = os.ErrProcessDone
		case container.IsExec(err):
			code := 126
			if errors.Is(err, os.ErrNotExist) {
				code = 127
			}
			return sandbox.Output{Exit: sandbox.Exit{Code: code}, Logs: sandbox.Logs{Stderr: []byte(err.Error() + "\n")}}, nil
		}
		return sandbox.Output{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = joined.Kill() })
	exit, err := joined.Wait()
	stop()
	took := time.Since(began)
	pipes.finish()
	result := sandbox.Output{Exit: sandbox.Exit{Code: exit.Code, Signal: int(exit.Signal)}, Logs: output.logs(), Duration: took}
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	return result, err
}

// pipes are what a command's standard files are connected with.
type pipes struct {
	stdio  container.Stdio
	in     *os.File
	out    [2]*os.File
	output *output
	copies sync.WaitGroup
}

func newPipes(stdin io.Reader, o *output) (*pipes, error) {
	p := &pipes{output: o}
	var all []*os.File
	for _, end := range []struct {
		needed      bool
		read, write **os.File
	}{{stdin != nil, &p.stdio.In, &p.in}, {true, &p.out[0], &p.stdio.Out}, {true, &p.out[1], &p.stdio.Err}} {
		if !end.needed {
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			for _, f := range all {
				_ = f.Close()
			}
			return nil, err
		}
		*end.read, *end.write, all = r, w, append(all, r, w)
	}
	return p, nil
}

// begin closes the command's ends here and starts to copy.
func (p *pipes) begin(stdin io.Reader) {
	_ = p.stdio.Out.Close()
	_ = p.stdio.Err.Close()
	if stdin != nil {
		_ = p.stdio.In.Close()
		go func() { // not waited for: a reader may block for good
			_, _ = io.Copy(p.in, stdin)
			_ = p.in.Close()
		}()
	}
	for n, f := range p.out {
		to := stream{p.output, &p.output.stdout}
		if n == 1 {
			to.b = &p.output.stderr
		}
		p.copies.Go(func() {
			defer f.Close()
			_, _ = io.Copy(to, f)
		})
	}
}

// finish waits for the rest of the output of a command that has ended. Children that it has left may hold it open for good,
// so what comes late is not waited for.
func (p *pipes) finish() {
	late := time.AfterFunc(time.Second, p.close)
	p.copies.Wait()
	late.Stop()
}

// stop ends reading.
func (p *pipes) stop() {
	p.close()
	p.copies.Wait()
}

func (p *pipes) close() {
	for _, f := range p.out {
		_ = f.Close()
	}
}
