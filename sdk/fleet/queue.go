package fleet

import "sync"

// queue hands out instances so that no host and no service has more of them at work than it may.
type queue struct {
	perHost, perService int

	mu       sync.Mutex
	changed  *sync.Cond
	hosts    map[string]*line
	order    []*line // hosts in turn
	at       int
	services map[string]int // at work
	waiting  int
	working  int
	closed   bool
}

// line is what waits for a host.
type line struct {
	items   []job
	working int
}

// job is an instance to work on.
type job struct {
	Selected

	wave int
}

func newQueue(perHost, perService int) *queue {
	q := &queue{perHost: perHost, perService: perService, hosts: map[string]*line{}, services: map[string]int{}}
	q.changed = sync.NewCond(&q.mu)
	return q
}

func hostOf(i Instance) string {
	if i.Host != "" {
		return i.Host
	}
	return i.Place
}

func serviceOf(i Instance) string {
	if i.Service == "" {
		return ""
	}
	return i.Namespace + "/" + i.Service
}

func (q *queue) push(j job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	host := hostOf(j.Instance)
	l := q.hosts[host]
	if l == nil {
		l = &line{}
		q.hosts[host] = l
		q.order = append(q.order, l)
	}
	l.items = append(l.items, j)
	q.waiting++
	q.changed.Broadcast()
}

// pop waits for an instance that may be worked on, and returns false when the queue is closed.
func (q *queue) pop() (job, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		if j, ok := q.take(); ok {
			return j, true
		}
		q.changed.Wait()
	}
	return job{}, false
}

func (q *queue) take() (job, bool) {
	for n := range q.order {
		l := q.order[(q.at+n)%len(q.order)]
		if l.working >= q.perHost {
			continue
		}
		for k, j := range l.items {
			service := serviceOf(j.Instance)
			if service != "" && q.services[service] >= q.perService {
				continue
			}
			l.items = append(l.items[:k], l.items[k+1:]...)
			l.working++
			if service != "" {
				q.services[service]++
			}
			q.waiting--
			q.working++
			q.at = (q.at + n + 1) % len(q.order)
			return j, true
		}
	}
	return job{}, false
}

// done gives back what pop returned.
func (q *queue) done(j job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hosts[hostOf(j.Instance)].working--
	if service := serviceOf(j.Instance); service != "" {
		if q.services[service]--; q.services[service] == 0 {
			delete(q.services, service)
		}
	}
	q.working--
	q.changed.Broadcast()
}

// drain waits until nothing waits and nothing is at work.
func (q *queue) drain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.waiting+q.working > 0 {
		q.changed.Wait()
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
