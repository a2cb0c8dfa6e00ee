// Probe is the only file of the image that sandboxes are tested with. What it does is its first argument.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: probe COMMAND [ARGUMENT...]")
	}
	args := os.Args[2:]
	commands := map[string]func([]string){
		"serve": serve, "sleep": sleep, "stubborn": stubborn, "polite": polite, "exit": exit, "print": printBoth,
		"flood": flood, "eat": eat, "bomb": bomb, "cat": cat, "write": write, "env": environment, "id": id, "echo": echo,
		"attack": attack, "dial": dial, "list": list, "background": background, "hostname": hostname, "listen-udp": listenUDP,
		"cwd": cwd, "stat": stat, "tty": tty, "zombie": zombie, "core-limit": coreLimit, "pid": pid, "getenv": getenv,
		"print-many": printMany, "contains": contains, "fill": fill, "run": run,
		"read-only": readOnly, "effective-id": effectiveID, "tty-size": ttySize, "files": files,
	}
	command, ok := commands[os.Args[1]]
	if !ok {
		fail("no such command: " + os.Args[1])
	}
	command(args)
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

// serve answers HTTP on a port: / greets, /env?NAME tells a variable, /write?PATH writes a file,
// /read?PATH reads it.
func serve(args []string) {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello from the probe") })
	http.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv(r.URL.RawQuery)) })
	http.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		if err := os.WriteFile(r.URL.RawQuery, []byte("written\n"), 0o644); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	http.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		data, err := os.ReadFile(r.URL.RawQuery)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(data)
	})
	l, err := net.Listen("tcp", ":"+args[0])
	check(err)
	fmt.Println("listening on", args[0])
	check(http.Serve(l, nil))
}

func listenUDP(args []string) {
	c, err := net.ListenPacket("udp", ":"+args[0])
	check(err)
	fmt.Println("listening on", args[0])
	b := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(b)
		check(err)
		_, _ = c.WriteTo(append([]byte("echo "), b[:n]...), from)
	}
}

func sleep([]string) {
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

// stubborn does not end on SIGTERM.
func stubborn([]string) {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	sleep(nil)
}

// polite ends on SIGTERM with code 7.
func polite([]string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("ready")
	fmt.Println("got", <-c)
	os.Exit(7)
}

func exit(args []string) {
	code, err := strconv.Atoi(args[0])
	check(err)
	os.Exit(code)
}

func printBoth(args []string) {
	fmt.Fprintln(os.Stdout, args[0])
	fmt.Fprintln(os.Stderr, args[1])
}

// flood writes without end.
func flood([]string) {
	line := strings.Repeat("flood ", 1000) + "\n"
	for {
		if _, err := os.Stdout.WriteString(line); err != nil {
			os.Exit(1)
		}
	}
}

// eat takes so many bytes of memory and stays.
func eat(args []string) {
	n, err := strconv.Atoi(args[0])
	check(err)
	var kept [][]byte
	for taken := 0; taken < n; taken += 1 << 20 {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		kept = append(kept, b)
	}
	fmt.Println("ate", len(kept), "MiB")
	time.Sleep(time.Hour)
}

// bomb forks until it cannot, and says how far it came. Its children do nothing and take next to no memory.
func bomb([]string) {
	for n := 0; n < 10_000; n++ {
		pid, _, e := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		if pid == 0 && e == 0 {
			for {
				syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
			}
		}
		if e != 0 {
			fmt.Println("started", n, "processes, then:", e)
			time.Sleep(time.Hour)
		}
	}
	fmt.Println("was not stopped")
	time.Sleep(time.Hour)
}

func cat(args []string) {
	for _, name := range args {
		b, err := os.ReadFile(name)
		check(err)
		_, _ = os.Stdout.Write(b)
	}
}

func write(args []string) { check(os.WriteFile(args[0], []byte(args[1]), 0o644)) }

func list(args []string) {
	entries, err := os.ReadDir(args[0])
	check(err)
	for _, e := range entries {
		fmt.Println(e.Name())
	}
}

func environment([]string) { fmt.Println(strings.Join(os.Environ(), "\n")) }

// id prints the user, the group and the other groups.
func id([]string) {
	groups, err := os.Getgroups()
	check(err)
	groups = slices.DeleteFunc(groups, func(g int) bool { return g == os.Getgid() }) // some engines list it among them
	fmt.Println(os.Getuid(), os.Getgid(), groups)
}

func effectiveID([]string) { fmt.Println(os.Geteuid(), os.Getegid()) }

func echo([]string) { _, _ = io.Copy(os.Stdout, os.Stdin) }

func hostname([]string) {
	name, err := os.Hostname()
	check(err)
	fmt.Println(name)
}

func cwd([]string) {
	dir, err := os.Getwd()
	check(err)
	fmt.Println(dir)
}

// stat prints mode, owner and size of files.
func stat(args []string) {
	for _, name := range args {
		info, err := os.Lstat(name)
		check(err)
		owner := info.Sys().(*syscall.Stat_t)
		fmt.Println(name, info.Mode(), owner.Uid, owner.Gid, info.Size())
	}
}

// tty says whether stdin is a terminal, and of what size.
func tty([]string) {
	size := terminalSize()
	fmt.Println("terminal of", size[0], "rows and", size[1], "columns")
}

// ttySize waits until the terminal has so many rows.
func ttySize(args []string) {
	for fmt.Sprint(terminalSize()[0]) != args[0] {
		time.Sleep(time.Millisecond)
	}
	tty(nil)
}

func terminalSize() (size [4]uint16) {
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, 0, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if e != 0 {
		fail(e.Error())
	}
	return size
}

func pid([]string) { fmt.Println(os.Getpid()) }

func getenv(args []string) {
	for _, name := range args {
		fmt.Println(os.Getenv(name))
	}
}

// printMany writes so many bytes.
func printMany(args []string) {
	n, err := strconv.Atoi(args[0])
	check(err)
	fmt.Print(strings.Repeat("x", n))
}

// contains says whether a file contains a text.
func contains(args []string) {
	b, err := os.ReadFile(args[0])
	check(err)
	if !strings.Contains(string(b), args[1]) {
		fail(string(b))
	}
	fmt.Println("yes")
}

// run runs a program.
func run(args []string) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	check(cmd.Run())
}

// readOnly says whether a file lies on a read-only mount.
func readOnly(args []string) {
	var st syscall.Statfs_t
	check(syscall.Statfs(args[0], &st))
	fmt.Println(st.Flags&syscall.MS_RDONLY != 0)
}

// fill writes a file of so many bytes.
func fill(args []string) {
	n, err := strconv.Atoi(args[1])
	check(err)
	f, err := os.Create(args[0])
	check(err)
	for b := make([]byte, 1<<20); n > 0; n -= len(b) {
		_, err := f.Write(b)
		check(err)
	}
}

// files prints where the process's file descriptors lead, but for those that Go opens itself.
func files([]string) {
	for fd := range 1000 {
		target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if err == nil && !strings.HasPrefix(target, "anon_inode:") && !strings.HasPrefix(target, "/sys/fs/cgroup/") {
			fmt.Println(fd, target[:strings.IndexByte(target+":", ':')])
		}
	}
}

func coreLimit([]string) {
	var l syscall.Rlimit
	check(syscall.Getrlimit(syscall.RLIMIT_CORE, &l))
	fmt.Println(l.Cur, l.Max)
}

// zombie leaves a child unreaped.
func zombie([]string) {
	_, err := syscall.ForkExec("/proc/self/exe", []string{"probe", "exit", "0"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
	check(err)
	sleep(nil)
}

// dial says what an HTTP server at an address answers.
func dial(args []string) {
	client := http.Client{Timeout: 3 * time.Second}
	answer, err := client.Get("http://" + args[0] + "/")
	check(err)
	_, _ = io.Copy(os.Stdout, answer.Body)
}

// background starts itself once more and ends when that has ended, or leaves a zombie if told to.
func background(args []string) {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	check(cmd.Start())
	time.Sleep(time.Hour)
}
