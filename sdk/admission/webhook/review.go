package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Review is an AdmissionReview; see
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/.
type Review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *Request  `json:"request,omitempty"`
	Response   *Response `json:"response,omitempty"`
}

// Request is what the API server asks, as far as it matters here.
type Request struct {
	UID         string          `json:"uid"`
	Resource    Resource        `json:"resource"`
	SubResource string          `json:"subResource,omitempty"`
	Name        string          `json:"name,omitempty"`
	Namespace   string          `json:"namespace,omitempty"`
	Operation   string          `json:"operation"`
	UserInfo    UserInfo        `json:"userInfo,omitzero"`
	Object      json.RawMessage `json:"object,omitempty"`
	OldObject   json.RawMessage `json:"oldObject,omitempty"`
}

// Resource says what a request is about.
type Resource struct {
	Group    string `json:"group"`
	Version  string `json:"version"`
	Resource string `json:"resource"`
}

// String is "deployments.apps".
func (r Resource) String() string {
	if r.Group == "" {
		return r.Resource
	}
	return r.Resource + "." + r.Group
}

// UserInfo says who asks.
type UserInfo struct {
	Username string `json:"username,omitempty"`
}

// Response is the answer.
type Response struct {
	UID       string   `json:"uid"`
	Allowed   bool     `json:"allowed"`
	Status    *Status  `json:"status,omitempty"`
	Patch     []byte   `json:"patch,omitempty"` // a JSON patch, in base64
	PatchType string   `json:"patchType,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
}

// Status says why something is denied.
type Status struct {
	Code    int    `json:"code,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// use is an image that a pod names.
type use struct {
	name string // what uses it, the same in an update: "containers/app"
	path string // where it is written, a JSON pointer
	ref  string
}

// digest returns the digest that the reference has.
func (u use) digest() (string, bool) {
	_, digest, ok := strings.Cut(u.ref, "@")
	return digest, ok
}

// images lists all images of a pod.
func images(object json.RawMessage) ([]use, error) {
	type container struct {
		Name  string `json:"name"`
		Image string `json:"image"`
	}
	var pod struct {
		Kind string `json:"kind"`
		Spec *struct {
			InitContainers      []container `json:"initContainers"`
			Containers          []container `json:"containers"`
			EphemeralContainers []container `json:"ephemeralContainers"`
			Volumes             []struct {
				Name  string `json:"name"`
				Image *struct {
					Reference string `json:"reference"`
				} `json:"image"`
			} `json:"volumes"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(object, &pod); err != nil {
		return nil, fmt.Errorf("the pod can't be read: %w", err)
	}
	if pod.Kind != "Pod" || pod.Spec == nil {
		return nil, fmt.Errorf("it is a %.60q and not a pod with a spec", pod.Kind)
	}
	var uses []use
	var err error
	add := func(list, field, name, ref string, i int) {
		if ref == "" {
			err = errors.Join(err, fmt.Errorf("%s/%s names no image", list, name))
		}
		uses = append(uses, use{name: list + "/" + name, path: fmt.Sprintf("/spec/%s/%d/%s", list, i, field), ref: ref})
	}
	for _, l := range []struct {
		name string
		list []container
	}{{"initContainers", pod.Spec.InitContainers}, {"containers", pod.Spec.Containers}, {"ephemeralContainers", pod.Spec.EphemeralContainers}} {
		for i, c := range l.list {
			add(l.name, "image", c.Name, c.Image, i)
		}
	}
	for i, v := range pod.Spec.Volumes {
		if v.Image != nil {
			add("volumes", "image/reference", v.Name, v.Image.Reference, i)
		}
	}
	return uses, err
}
