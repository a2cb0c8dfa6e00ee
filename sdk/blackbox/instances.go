package blackbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// instance is a started instance of a scenario.
type instance struct {
	sandbox.Instance
	name    string
	image   *Image
	release func(context.Context) error
}

// defaultName is the name of an instance that the feature gives none.
const defaultName = "instance"

var errNoRuntime = errors.New("the suite has no Runtime to start instances with")

// Instance returns the instance of that name, or the one that steps mean by "the instance" when the name is empty.
func (s *Scenario) Instance(name string) (sandbox.Instance, error) {
	i, err := s.instance(name)
	if err != nil {
		return nil, err
	}
	return i.Instance, nil
}

func (s *Scenario) instance(name string) (*instance, error) {
	i := s.instances[name]
	switch {
	case i == nil && name == "" && s.current == nil:
		return nil, errors.New(`no instance was started: begin with the step "an instance is started"`)
	case i == nil && name == "":
		i = s.current
	case i == nil:
		return nil, fmt.Errorf("no instance %q was started: there is %s", name, list(slices.Sorted(maps.Keys(s.instances))))
	}
	if !slices.Contains(s.looked, i) {
		s.looked = append(s.looked, i)
	}
	return i, nil
}

// start starts an instance of what the steps before described.
func (s *Scenario) start(ctx context.Context, name, reference string, env []string) error {
	if s.instances[name] != nil {
		return fmt.Errorf("an instance %q was started already", name)
	}
	image, err := s.resolve(ctx, reference)
	if err != nil {
		return err
	}
	spec := s.takeSpec(image)
	spec.Name, spec.Network = name, s.network
	spec.Env = slices.Concat(spec.Env, env)
	i := &instance{name: name, image: image}
	if s.planned.alone {
		i.Instance, err = s.startAlone(ctx, spec)
		if err == nil {
			i.release = i.Close
		}
	} else {
		i.Instance, i.release, err = s.run.pool.acquire(ctx, keyOf(image, spec), spec)
	}
	if err != nil {
		return err
	}
	s.instances[name], s.current = i, i
	return nil
}

func (s *Scenario) startAlone(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	if s.run.suite.Runtime == nil {
		return nil, errNoRuntime
	}
	return s.run.suite.Runtime.Start(ctx, spec)
}

// takeSpec returns the description of the next instance, which is empty again after that.
func (s *Scenario) takeSpec(image *Image) sandbox.Spec {
	spec := s.spec
	s.spec = sandbox.Spec{Limits: s.run.options.Limits}
	spec.Image, spec.Platform = image.Image, image.Platform
	return spec
}

// keyOf is equal for instances that can't be told apart.
func keyOf(image *Image, spec sandbox.Spec) string {
	spec.Image = nil
	key, _ := json.Marshal(spec) // numbers, strings, bytes and a nil
	return image.Digest.String() + string(key)
}

// resolve returns the image of that reference for the platform under test; "" is the scenario's own.
func (s *Scenario) resolve(ctx context.Context, reference string) (*Image, error) {
	under := s.run.image
	switch {
	case reference == "":
		return s.image, nil
	case reference == under.Reference || reference == under.Digest.String():
		return under, nil
	case s.run.options.Images == nil:
		return nil, fmt.Errorf("image %q is not the image under test, which is %q, and the suite has no Images to find others", reference, under.Reference)
	}
	image, err := s.run.options.Images(ctx, reference, under.Platform)
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", reference, err)
	}
	found, err := newImage(reference, image, nil, s.run.options)
	if err != nil {
		return nil, err
	}
	if found.Platform != under.Platform {
		return nil, fmt.Errorf("image %q is for %s, but the image under test is for %s", reference, found.Platform, under.Platform)
	}
	return found, nil
}

// cleanUpTime is how long removing an instance may take, also after the run was cancelled.
const cleanUpTime = time.Minute

// release closes what the scenario started. What can't be removed fails it.
func (s *Scenario) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	for _, name := range slices.Sorted(maps.Keys(s.instances)) {
		if err := s.instances[name].release(ctx); err != nil {
			last := &s.planned.result.Steps[max(s.next-1, 0)]
			last.Error = strings.TrimSpace(fmt.Sprintf("%s\nremoving instance %q: %v", last.Error, name, err))
			last.Status, s.planned.result.Status = Failed, Failed
		}
	}
}

// logTail is how many bytes of a log a failing step shows.
const logTail = 4 << 10

// attachLogs adds the end of every instance's log to the step that failed.
func (s *Scenario) attachLogs(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, name := range slices.Sorted(maps.Keys(s.instances)) {
		logs, err := s.instances[name].Logs(ctx)
		if err != nil {
			s.Attach("log of "+name, "text/plain", []byte(err.Error()))
		}
		for _, stream := range []struct {
			name string
			data []byte
		}{{"stdout", logs.Stdout}, {"stderr", logs.Stderr}} {
			if len(stream.data) > 0 {
				s.Attach(stream.name+" of "+name, "text/plain", tail(stream.data))
			}
		}
	}
}

// tail returns the end of a log, from the beginning of a line.
func tail(data []byte) []byte {
	if len(data) <= logTail {
		return data
	}
	data = data[len(data)-logTail:]
	if _, after, ok := bytes.Cut(data, []byte("\n")); ok {
		data = after
	}
	return append([]byte("...\n"), data...)
}
