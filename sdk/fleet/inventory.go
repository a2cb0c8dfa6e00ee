package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Inventory is what runs in many places. It is safe for concurrent use.
type Inventory struct {
	places []Place

	mu   sync.Mutex
	at   map[string]*state // by place
	subs map[*subscription]bool
}

type state struct {
	instances map[string]Instance // by id
	err       error               // why the place can't be asked, nil if it answered
	asked     bool
}

// Unreached is a place that could not be asked. What runs there is not known, or was when it last answered.
type Unreached struct {
	Place string `json:"place"`
	Error string `json:"error"`
}

// NewInventory makes an empty inventory; [Inventory.Refresh] or [Inventory.Follow] fills it. Places have different names.
func NewInventory(places ...Place) *Inventory {
	v := &Inventory{places: places, at: map[string]*state{}, subs: map[*subscription]bool{}}
	for _, p := range places {
		v.at[p.Name()] = &state{}
	}
	return v
}

// parallelPlaces is how many places are asked at a time.
const parallelPlaces = 64

// Refresh asks all places what runs. Places that do not answer within the time limit are in the error and in
// [Inventory.Unreached]; the rest holds all the same. Limit 0 is ten seconds.
func (v *Inventory) Refresh(ctx context.Context, limit time.Duration) error {
	limit = cmp.Or(limit, 10*time.Second)
	slots := make(chan struct{}, parallelPlaces)
	errs := make([]error, len(v.places))
	var wg sync.WaitGroup
	for n, p := range v.places {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			list, err := p.List(ctx)
			if err != nil {
				errs[n] = fmt.Errorf("%s: %w", p.Name(), err)
				v.lost(p.Name(), err)
				return
			}
			v.listed(p.Name(), list)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Follow keeps the inventory current by the places' events until the context ends; it asks again, ever less often, where
// a place is lost. Ready is called once, when each place has been asked.
func (v *Inventory) Follow(ctx context.Context, ready func()) {
	var asked, all sync.WaitGroup
	asked.Add(len(v.places))
	for _, p := range v.places {
		all.Go(func() {
			var first sync.Once
			defer first.Do(asked.Done)
			for wait := 100 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 30*time.Second) {
				err := p.Follow(ctx, func(list []Instance) {
					v.listed(p.Name(), list)
					first.Do(asked.Done)
					wait = 100 * time.Millisecond
				}, func(c Change) { v.changed(p.Name(), c) })
				if ctx.Err() != nil {
					return
				}
				v.lost(p.Name(), err)
				first.Do(asked.Done)
				select {
				case <-time.After(wait):
				case <-ctx.Done():
				}
			}
		})
	}
	asked.Wait()
	ready()
	all.Wait()
}

// Instances returns what runs, in the order of places and names.
func (v *Inventory) Instances() []Instance {
	v.mu.Lock()
	var all []Instance
	for _, s := range v.at {
		all = slices.AppendSeq(all, maps.Values(s.instances))
	}
	v.mu.Unlock()
	slices.SortFunc(all, byPlace)
	return all
}

func byPlace(a, b Instance) int {
	return cmp.Or(strings.Compare(a.Place, b.Place), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
}

// Unreached returns the places that do not answer, in order.
func (v *Inventory) Unreached() []Unreached {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []Unreached
	for name, s := range v.at {
		switch {
		case s.err != nil:
			all = append(all, Unreached{name, s.err.Error()})
		case !s.asked:
			all = append(all, Unreached{name, "it was not asked"})
		}
	}
	slices.SortFunc(all, func(a, b Unreached) int { return strings.Compare(a.Place, b.Place) })
	return all
}

// Place returns the place of a name, or nil.
func (v *Inventory) Place(name string) Place {
	for _, p := range v.places {
		if p.Name() == name {
			return p
		}
	}
	return nil
}

// listed takes a place's list. What is new in it is a change, and what is not in it any more.
func (v *Inventory) listed(place string, list []Instance) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.at[place]
	old := s.instances
	s.instances, s.err, s.asked = make(map[string]Instance, len(list)), nil, true
	for _, i := range list {
		s.instances[i.ID] = i
		if _, known := old[i.ID]; !known {
			v.tell(Change{Instance: i})
		}
		delete(old, i.ID)
	}
	for _, i := range old {
		v.tell(Change{Ended: true, Instance: i})
	}
}

func (v *Inventory) changed(place string, c Change) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.Ended {
		delete(v.at[place].instances, c.Instance.ID)
	} else {
		v.at[place].instances[c.Instance.ID] = c.Instance
	}
	v.tell(c)
}

func (v *Inventory) lost(place string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at[place].err, v.at[place].asked = err, true
}

// subscription is a queue of changes without end: a slow reader must not hold up a place's events.
type subscription struct {
	queue []Change
	more  chan struct{} // has room for one
}

// tell is called with the lock held.
func (v *Inventory) tell(c Change) {
	for s := range v.subs {
		s.queue = append(s.queue, c)
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
}

// Subscribe calls changed for each change from now on, one call at a time, until the context ends. It returns at once;
// started is what was known at that very moment.
func (v *Inventory) Subscribe(ctx context.Context, changed func(Change)) {
	s := &subscription{more: make(chan struct{}, 1)}
	v.mu.Lock()
	v.subs[s] = true
	v.mu.Unlock()
	go func() {
		defer func() {
			v.mu.Lock()
			delete(v.subs, s)
			v.mu.Unlock()
		}()
		for {
			select {
			case <-s.more:
			case <-ctx.Done():
				return
			}
			v.mu.Lock()
			queue := s.queue
			s.queue = nil
			v.mu.Unlock()
			for _, c := range queue {
				changed(c)
			}
		}
	}()
}
