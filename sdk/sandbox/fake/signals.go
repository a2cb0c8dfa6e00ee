package fake

import (
	"sync"
	"syscall"
)

// signals is how a process takes signals. The zero value kills on any signal.
type signals struct {
	mu      sync.Mutex
	handled chan int
	killed  int    // the signal that ended the process, 0 if none
	kill    func() // ends the program
}

func (s *signals) handle() <-chan int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handled == nil {
		s.handled = make(chan int, 16)
	}
	return s.handled
}

func (s *signals) send(signal int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handled != nil && signal != int(syscall.SIGKILL) {
		select {
		case s.handled <- signal:
		default: // like a real process, it gets no second one of what is pending
		}
		return
	}
	if s.killed == 0 {
		s.killed = signal
	}
	s.kill()
}

func (s *signals) ended() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.killed
}
