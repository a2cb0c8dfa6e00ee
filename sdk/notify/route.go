package notify

import (
	"net"
	"slices"
	"strings"
)

// Destination is a team to tell and the channel to do it in. Team is "" for the channels of Ops and of everything.
type Destination struct {
	Team, Channel string
}

// Route says who is told of an event: the teams that it names or whose projects it is about, and the channels that get
// everything. What concerns no team goes to Ops. The order is fixed, and no destination is there twice.
func (c *Config) Route(e Event) []Destination {
	var out []Destination
	add := func(team string, channels []string) {
		for _, channel := range channels {
			if d := (Destination{team, channel}); !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	concerned := false
	for _, name := range sortedKeys(c.Teams) {
		team := c.Teams[name]
		if !team.concerns(name, e) {
			continue
		}
		concerned = true
		if len(team.Kinds) == 0 || slices.Contains(team.Kinds, e.Kind) {
			add(name, team.Channels)
		}
	}
	if !concerned {
		add("", c.Ops)
	}
	add("", c.Everything)
	return out
}

func (t Team) concerns(name string, e Event) bool {
	if len(e.Teams) > 0 {
		return slices.Contains(e.Teams, name)
	}
	return slices.ContainsFunc(t.Projects, func(s Selector) bool { return s.matches(e.Project) })
}

func (s Selector) matches(p Project) bool {
	if p.Repository == "" && len(p.Labels) == 0 {
		return false
	}
	for name, value := range s.Labels {
		if p.Labels[name] != value {
			return false
		}
	}
	return glob(s.Repository, strings.TrimSuffix(p.Repository, ".git")) && glob(s.Directory, p.Directory)
}

// glob matches a pattern in which * is anything but a slash and ** anything. An empty pattern matches all.
func glob(pattern, text string) bool {
	return pattern == "" || match(strings.TrimSuffix(pattern, ".git"), text)
}

func match(pattern, text string) bool {
	literal, rest, star := strings.Cut(pattern, "*")
	if !strings.HasPrefix(text, literal) || !star {
		return text == literal
	}
	text = text[len(literal):]
	rest, all := strings.CutPrefix(rest, "*")
	for i := 0; ; i++ {
		if match(rest, text[i:]) {
			return true
		}
		if i == len(text) || text[i] == '/' && !all {
			return false
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
