// Package webhook is a Kubernetes admission webhook for pods: it judges every image of a pod (containers, init and
// ephemeral containers, image volumes), and on request writes the digest into it that was judged.
//
//	hook := webhook.New(gate, resolver, webhook.Options{})
//	server := &http.Server{Handler: hook, TLSConfig: &tls.Config{GetCertificate: certificate.Get}}
//	err := server.ListenAndServeTLS("", "")
//
// Two paths are served, and are meant to be registered both: /mutate, which pins tags to digests, and /validate, which
// decides. Validation comes last and denies what is still named by a tag, since a tag may mean something else to the node:
// what is judged is what starts. examples/kubernetes has the manifests, with failurePolicy Fail.
//
// Pods are judged, and not what makes them: a Deployment that was applied with a tag keeps it, so GitOps tools see no
// difference. Of an update only images that were not in the pod before are judged: a pod whose image is banned while it
// runs can still be labelled, finalised and deleted (what runs is the sweep's).
//
// The AdmissionReview (admission.k8s.io/v1) is spoken as JSON here, so nothing of Kubernetes is compiled.
package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
)

// Resolver says what a tag means now. [remote.Resolver] does. Its answers are for pinning; a digest is judged without it.
type Resolver interface {
	Resolve(ctx context.Context, ref, platform string) (image admission.Image, pinned string, err error)
}

// Options of a webhook. The zero value is the strict one.
type Options struct {
	// Tags lets pods in that name images by tag, if what the tag means now is not denied. The node may get another image,
	// so this is for clusters whose nodes have package nri.
	Tags bool
	// Exempt are namespaces whose pods are not judged. The webhook's own belongs to them, or it could not start again when
	// there is no bundle; also leave it out in the webhook's namespaceSelector, which works when the webhook does not.
	Exempt []string
	// Log receives denials. Nil discards.
	Log *slog.Logger
}

// Hook answers the API server. It is safe for concurrent use.
type Hook struct {
	gate     *admission.Gate
	resolver Resolver
	opts     Options
}

// New returns a webhook. Without a resolver (nil) tags can't be resolved, and are denied.
func New(gate *admission.Gate, resolver Resolver, opts Options) *Hook {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Hook{gate: gate, resolver: resolver, opts: opts}
}

// maxReview is above what the API server takes for an object (3 MiB in etcd, old and new one).
const maxReview = 16 << 20

// ServeHTTP answers /validate and /mutate with AdmissionReviews, and /healthz.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var decide func(context.Context, *Request) *Response
	switch r.URL.Path {
	case "/healthz":
		_, _ = io.WriteString(w, "ok\n")
		return
	case "/validate":
		decide = h.Validate
	case "/mutate":
		decide = h.Mutate
	default:
		http.NotFound(w, r)
		return
	}
	review, err := Decode(r.Body)
	if err != nil {
		h.opts.Log.Warn("a review can't be read", "error", err)
		http.Error(w, err.Error(), http.StatusBadRequest) // for the API server a failure, which failurePolicy Fail denies
		return
	}
	answer := Review{APIVersion: review.APIVersion, Kind: review.Kind, Response: decide(r.Context(), review.Request)}
	if s := answer.Response.Status; s != nil {
		q := review.Request
		h.opts.Log.Warn("denied", "namespace", q.Namespace, "name", q.Name, "operation", q.Operation, "user", q.UserInfo.Username, "reason", s.Message)
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		h.opts.Log.Warn("the API server did not take the answer", "error", err)
	}
}

// Decode reads a review.
func Decode(r io.Reader) (*Review, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxReview+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxReview {
		return nil, fmt.Errorf("a review of more than %d bytes", maxReview)
	}
	review := &Review{}
	if err := json.Unmarshal(body, review); err != nil {
		return nil, fmt.Errorf("not an AdmissionReview: %w", err)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" || review.Request == nil || review.Request.UID == "" {
		return nil, fmt.Errorf("not a request in an AdmissionReview of admission.k8s.io/v1, but a %.60q of %.60q", review.Kind, review.APIVersion)
	}
	return review, nil
}

// Validate decides about a request.
func (h *Hook) Validate(ctx context.Context, q *Request) *Response {
	uses, err := h.uses(q)
	if err != nil {
		return h.deny(q, []admission.Decision{h.gate.Refuse(ctx, q.Namespace+"/"+q.Name, admission.RuleRequest, "", err)})
	}
	answer := &Response{UID: q.UID, Allowed: true}
	var denied []admission.Decision
	seen := map[string]bool{}
	for _, u := range uses {
		if seen[u.ref] {
			continue
		}
		seen[u.ref] = true
		d := h.judge(ctx, u)
		switch {
		case d.Err() != nil:
			denied = append(denied, d)
		case d.Outcome == admission.Warned:
			answer.Warnings = append(answer.Warnings, clip(u.path+": "+d.String()))
		}
	}
	if len(denied) > 0 {
		return h.deny(q, denied)
	}
	return answer
}

// judge decides about one image of a pod.
func (h *Hook) judge(ctx context.Context, u use) admission.Decision {
	if digest, ok := u.digest(); ok {
		return h.gate.Decide(ctx, admission.Image{Ref: u.ref, Digests: []string{digest}})
	}
	if !h.opts.Tags || h.resolver == nil {
		return h.gate.Refuse(ctx, u.ref, admission.RuleTag, "name it by digest, or register the webhook's /mutate",
			errors.New("it is named by a tag, and what the node makes of that can't be told"))
	}
	image, _, err := h.resolver.Resolve(ctx, u.ref, "")
	if err != nil {
		return h.gate.Refuse(ctx, u.ref, admission.RuleUnidentified, "", err)
	}
	image.Ref = u.ref
	return h.gate.Decide(ctx, image)
}

func (h *Hook) deny(q *Request, denied []admission.Decision) *Response {
	var reasons []string
	for _, d := range denied {
		reasons = append(reasons, clip(d.Err().Error()))
	}
	return &Response{UID: q.UID, Status: &Status{Code: http.StatusForbidden, Reason: "Forbidden", Message: strings.Join(reasons, "\n")}}
}

// clip keeps warnings below the length at which the API server cuts all of them off.
func clip(s string) string {
	const most = 1000
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// Mutate pins the tags of a pod to what they mean now. It denies nothing: a tag that can't be resolved stays, and
// /validate says what comes of it.
func (h *Hook) Mutate(ctx context.Context, q *Request) *Response {
	answer := &Response{UID: q.UID, Allowed: true}
	uses, err := h.uses(q)
	if err != nil || h.resolver == nil {
		return answer
	}
	type patch struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	var patches []patch
	pins := map[string]string{}
	for _, u := range uses {
		if _, ok := u.digest(); ok {
			continue
		}
		pinned, ok := pins[u.ref]
		if !ok {
			if pinned, err = h.pin(ctx, u.ref); err != nil {
				answer.Warnings = append(answer.Warnings, clip(fmt.Sprintf("%s: %s could not be pinned: %v", u.path, u.ref, err)))
			}
			pins[u.ref] = pinned
		}
		if pinned != "" {
			patches = append(patches, patch{"replace", u.path, pinned})
		}
	}
	if len(patches) == 0 {
		return answer
	}
	answer.Patch, err = json.Marshal(patches)
	if err != nil {
		return answer
	}
	answer.PatchType = "JSONPatch"
	return answer
}

// pin returns the reference with its tag kept for people and its digest for machines.
func (h *Hook) pin(ctx context.Context, ref string) (string, error) {
	_, pinned, err := h.resolver.Resolve(ctx, ref, "")
	if err != nil {
		return "", err
	}
	_, digest, _ := strings.Cut(pinned, "@")
	return ref + "@" + digest, nil
}

// uses lists the images that a request brings, those aside that an updated pod had before.
func (h *Hook) uses(q *Request) ([]use, error) {
	switch q.Operation {
	case "CREATE", "UPDATE":
	case "DELETE", "CONNECT":
		return nil, nil
	default:
		return nil, fmt.Errorf("operation %.40q is not known", q.Operation)
	}
	if q.Resource.Group != "" || q.Resource.Resource != "pods" {
		return nil, fmt.Errorf("it is about %.100s, and this webhook judges pods", q.Resource)
	}
	if slices.Contains(h.opts.Exempt, q.Namespace) && q.Namespace != "" {
		return nil, nil
	}
	if !slices.Contains([]string{"", "ephemeralcontainers", "resize", "status"}, q.SubResource) {
		return nil, fmt.Errorf("subresource %.40q is not known", q.SubResource)
	}
	now, err := images(q.Object)
	if err != nil {
		return nil, err
	}
	if q.Operation == "CREATE" {
		return now, nil
	}
	before, err := images(q.OldObject)
	if err != nil {
		return nil, fmt.Errorf("the old object: %w", err)
	}
	return slices.DeleteFunc(now, func(u use) bool {
		return slices.ContainsFunc(before, func(b use) bool { return b.name == u.name && b.ref == u.ref })
	}), nil
}
