package dockerauthz

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
)

// action is what a call can do.
type action int

const (
	actUnknown action = iota
	actNone           // starts nothing
	actCreate
	actStart
	actService
	actPlugin
	actBuild
)

// routes are the calls that change something, as api/server/router of moby has them. Calls that are not here, and are no
// GET, HEAD, DELETE or OPTIONS, are denied: a later daemon may have new ways to start something.
var routes = []struct {
	action action
	path   *regexp.Regexp
}{
	{actCreate, regexp.MustCompile(`^/containers/create$`)},
	{actStart, regexp.MustCompile(`^/containers/([^/]+)/(?:start|restart|unpause)$`)},
	{actNone, regexp.MustCompile(`^/containers/(?:prune|[^/]+/(?:kill|stop|pause|resize|attach|wait|rename|update|copy|archive|exec|checkpoints))$`)},
	{actNone, regexp.MustCompile(`^/exec/[^/]+/(?:start|resize)$`)}, // in what runs already
	{actNone, regexp.MustCompile(`^/commit$`)},                      // what comes of it is judged when it starts
	{actNone, regexp.MustCompile(`^/images/(?:create|load|prune|.+/(?:push|tag))$`)},
	{actBuild, regexp.MustCompile(`^/(?:build|session|grpc)$`)},
	{actNone, regexp.MustCompile(`^/build/(?:prune|cancel)$`)},
	{actService, regexp.MustCompile(`^/services/(?:create|[^/]+/update)$`)},
	{actPlugin, regexp.MustCompile(`^/plugins/(?:pull|create|.+/(?:enable|upgrade))$`)},
	{actNone, regexp.MustCompile(`^/plugins/.+/(?:disable|push|set)$`)},
	{actNone, regexp.MustCompile(`^/auth$`)},
	{actNone, regexp.MustCompile(`^/(?:networks|volumes)/(?:create|prune|[^/]+/(?:connect|disconnect))$`)},
	{actNone, regexp.MustCompile(`^/volumes/[^/]+$`)}, // PUT, of a cluster's
	{actNone, regexp.MustCompile(`^/(?:secrets|configs)/(?:create|[^/]+/update)$`)},
	{actNone, regexp.MustCompile(`^/swarm/(?:init|join|leave|update|unlock)$`)},
	{actNone, regexp.MustCompile(`^/nodes/[^/]+/update$`)},
}

var version = regexp.MustCompile(`^/v[0-9.]+(/|$)`)

// route says what a call does, and to which container. The path is taken as the daemon's router takes it: decoded, and
// cleaned, which the router does by sending the caller there.
func route(method, uri string) (action, string, error) {
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return actUnknown, "", errors.New("its URI can't be read")
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions:
		return actNone, "", nil
	}
	p := path.Clean("/" + u.Path)
	if m := version.FindString(p); m != "" {
		p = "/" + strings.TrimPrefix(p, m)
	}
	for _, r := range routes {
		if m := r.path.FindStringSubmatch(p); m != nil {
			arg := ""
			if len(m) > 1 {
				arg = m[1]
			}
			return r.action, arg, nil
		}
	}
	return actUnknown, "", nil
}

// byDigest is all that is known of an image that is not here.
func byDigest(ref string) (admission.Image, error) {
	_, digest, ok := strings.Cut(ref, "@")
	if !ok {
		return admission.Image{}, fmt.Errorf("%.200q is not here, so its tag says nothing: name it by digest", ref)
	}
	return admission.Image{Ref: ref, Digests: []string{digest}}, nil
}
