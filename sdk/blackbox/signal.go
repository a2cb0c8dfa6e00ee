package blackbox

import (
	"fmt"
	"slices"
)

// signals are Linux's on most architectures, by number; images for others are tested on machines that emulate these.
var signals = [...]string{
	1: "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV",
	"SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU",
	"SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
}

func signalNumber(name string) (int, error) {
	n := slices.Index(signals[:], name)
	if n <= 0 {
		return 0, fmt.Errorf("%q is no signal", name)
	}
	return n, nil
}

func signalName(n int) string {
	if n <= 0 || n >= len(signals) {
		return fmt.Sprintf("signal %d", n)
	}
	return signals[n]
}
