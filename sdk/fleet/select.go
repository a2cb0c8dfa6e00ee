package fleet

import (
	"runtime"
	"sync"
)

// Selector says which instances are meant. It has gathered its facts before: it asks nobody, and is safe for concurrent
// use. It neither changes nor keeps the instance.
type Selector interface {
	Select(i *Instance) Verdict
}

// SelectorFunc is a function as a Selector.
type SelectorFunc func(*Instance) Verdict

// Select implements Selector.
func (f SelectorFunc) Select(i *Instance) Verdict { return f(i) }

// Verdict is a selector's answer.
type Verdict struct {
	Meant Meant `json:"meant"`
	// Why is the evidence, or what is not known.
	Why []string `json:"why,omitempty"`
}

// Meant says whether an instance is meant.
type Meant string

// The answers. Unknown is one of them: nothing runs in an instance that may not be meant, and nobody may think that it is
// safe.
const (
	No      Meant = "no"
	Yes     Meant = "yes"
	Unknown Meant = "unknown"
)

// Selected is an instance with the selector's answer.
type Selected struct {
	Instance Instance `json:"instance"`
	Verdict
}

// Select asks about many instances, on all processors, and returns those that are meant and those of which that is
// unknown, in their order.
func Select(instances []Instance, s Selector) (meant, unknown []Selected) {
	verdicts := make([]Verdict, len(instances))
	const chunk = 1000
	var wg sync.WaitGroup
	starts := make(chan int)
	for range min(runtime.GOMAXPROCS(0), len(instances)/chunk+1) {
		wg.Go(func() {
			for from := range starts {
				for n := from; n < min(from+chunk, len(instances)); n++ {
					verdicts[n] = s.Select(&instances[n])
				}
			}
		})
	}
	for from := 0; from < len(instances); from += chunk {
		starts <- from
	}
	close(starts)
	wg.Wait()
	counts := map[Meant]int{}
	for n := range verdicts {
		counts[verdicts[n].Meant]++
	}
	meant = make([]Selected, 0, counts[Yes])
	unknown = make([]Selected, 0, len(instances)-counts[Yes]-counts[No])
	for n, v := range verdicts {
		switch v.Meant {
		case Yes:
			meant = append(meant, Selected{instances[n], v})
		case No:
		default: // an answer that is none of the three is not known either
			unknown = append(unknown, Selected{instances[n], v})
		}
	}
	return meant, unknown
}
