package rebuild

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Image is one manifest of an image that is to be moved: facts, gathered before.
type Image struct {
	// Digest is the manifest's.
	Digest v1.Hash
	// Config is the configuration, Raw its text.
	Config *v1.ConfigFile
	Raw    []byte
	// Layers are the manifest's layers, lowest first.
	Layers []v1.Descriptor
	Evidence
}

// Evidence is what the lineage knows of an image and the base that it is to leave.
type Evidence struct {
	// Grade is the best evidence that the image stands on the old base.
	Grade lineage.Grade
	// RuntimeOnly says that all is known that the build read, and that nothing but the image itself stands on the old base:
	// no build stage, whose results were copied, did.
	RuntimeOnly bool
}

// ReadImage reads the facts of a manifest: manifest and configuration, no layer.
func ReadImage(img v1.Image, evidence Evidence) (*Image, error) {
	digest, err := img.Digest()
	if err != nil {
		return nil, err
	}
	manifest, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", digest, err)
	}
	parsed, raw, err := config(img)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", digest, err)
	}
	return &Image{Digest: digest, Config: parsed, Raw: raw, Layers: manifest.Layers, Evidence: evidence}, nil
}

// Needs returns the numbers, counted from 0, of the layers whose content a judgement of the image depends on: its own. It
// returns none where the answer is known without them.
func Needs(img *Image, change *Change, policy Policy) []int {
	j := &judge{img: img, change: change, policy: policy}
	if j.facts(); len(j.reasons) > 0 {
		return nil
	}
	var own []int
	for i := len(change.Old.Layers); i < len(img.Layers); i++ {
		own = append(own, i)
	}
	return own
}

// Judge says whether an image may be rebased. Touched has what each of the layers of [Needs] touches, in their order.
func Judge(img *Image, change *Change, touched []*Touched, policy Policy) Verdict {
	j := &judge{img: img, change: change, policy: policy}
	j.facts()
	for i, t := range touched {
		j.layer(len(change.Old.Layers)+i+1, t)
	}
	v := Verdict{
		Verb: DoRebase, Platform: platform(img.Config), Reasons: j.reasons,
		Layers: max(len(img.Layers)-len(change.Old.Layers), 0),
	}
	if len(v.Reasons) > 0 {
		v.Verb = DoRebuild
	}
	return v
}

type judge struct {
	img     *Image
	change  *Change
	policy  Policy
	reasons []Reason
}

func (j *judge) say(code Code, layer int, path, format string, args ...any) {
	j.reasons = append(j.reasons, Reason{Code: code, Layer: layer, Path: path, Text: fmt.Sprintf(format, args...)})
}

// facts judges what can be known without reading a layer.
func (j *judge) facts() {
	if j.policy.Pinned != "" {
		j.say(Pinned, 0, "", "its owner does not want it rebased: %s", j.policy.Pinned)
	}
	if want := j.policy.grade(); j.img.Grade < want {
		j.say(Unproven, 0, "", "the best evidence that it stands on %s is %s, %s is needed", j.change.Old.Digest, j.img.Grade, want)
	}
	if !j.img.RuntimeOnly {
		j.say(BuildStage, 0, "", "a build stage stands on the old base too, or it is not known: what was copied from there would stay old")
	}
	if j.change.moved != "" {
		j.say(Overlap, 0, "/"+j.change.moved, "leads to another directory in the new base, so that files would be copied elsewhere")
	}
	j.platforms()
	if j.chain() {
		j.history()
	}
	for _, l := range slices.Concat(j.img.Layers, j.change.New.Layers) {
		if len(l.URLs) > 0 || !l.MediaType.IsDistributable() {
			j.say(ForeignLayer, 0, "", "layer %s is not in the registry (%s)", l.Digest, l.MediaType)
		}
	}
	_, conflicts, err := mergeConfig(j.change.Old.Raw, j.img.Raw, j.change.New.Raw)
	if err != nil {
		j.say(Damaged, 0, "config", "%s", err)
	}
	j.reasons = append(j.reasons, conflicts...)
	if path := j.change.library(); path != "" && !j.policy.Compatible {
		j.say(ABI, 0, "/"+path, "the new base has another version of it, and the catalog does not call the move compatible")
	}
}

func (j *judge) platforms() {
	img, from, to := platform(j.img.Config), platform(j.change.Old.Config), platform(j.change.New.Config)
	if img != from || img != to {
		j.say(OtherPlatform, 0, "", "the image is for %s, the old base for %s, the new one for %s", img, from, to)
	}
}

// chain says whether the image's layers begin with the old base's, by content, and its configuration lists its layers.
func (j *judge) chain() bool {
	own, base := j.img.Config.RootFS.DiffIDs, j.change.Old.Config.RootFS.DiffIDs
	for _, side := range []struct {
		what            string
		layers, diffIDs int
	}{
		{"the image", len(j.img.Layers), len(own)},
		{"the old base", len(j.change.Old.Layers), len(base)},
		{"the new base", len(j.change.New.Layers), len(j.change.New.Config.RootFS.DiffIDs)},
	} {
		if side.layers != side.diffIDs {
			j.say(Damaged, 0, "", "%s has %d layers and its configuration lists %d", side.what, side.layers, side.diffIDs)
			return false
		}
	}
	if len(base) == 0 {
		j.say(NotOnBase, 0, "", "the old base has no layers, so that nothing shows that the image stands on it")
		return false
	}
	if len(own) < len(base) {
		j.say(NotOnBase, 0, "", "it has %d layers, the old base has %d", len(own), len(base))
		return false
	}
	for i := range base {
		if own[i] != base[i] {
			j.say(NotOnBase, i+1, "", "is %s, the old base has %s", own[i], base[i])
			return false
		}
	}
	return true
}

// history finds the steps that made the image's own layers.
func (j *judge) history() {
	steps, err := ownSteps(j.img.Config, j.change.Old.Config)
	if err != nil {
		j.say(NoHistory, 0, "", "%s", err)
		return
	}
	layer := len(j.change.Old.Layers)
	for _, step := range steps {
		if step.EmptyLayer {
			continue
		}
		layer++
		if made := strings.TrimSpace(step.CreatedBy); !j.policy.Runs && !copies(made) {
			j.say(FromRun, layer, "", "was made by %q, whose result may depend on the base", shorten(made, 120))
		}
	}
}

// copies says whether a step only adds files to an image: BuildKit and Docker write the instruction as it is
// ("COPY /app /app # buildkit") or as a comment of a shell that did not run ("/bin/sh -c #(nop) COPY file:...").
func copies(createdBy string) bool {
	if _, step, found := strings.Cut(createdBy, "#(nop)"); found {
		createdBy = strings.TrimSpace(step)
	}
	word, _, _ := strings.Cut(createdBy, " ")
	switch word {
	case "COPY", "ADD", "WORKDIR":
		return true
	}
	return false
}

// ownSteps returns the history of an image that is not its base's. An image or base without history has none.
func ownSteps(img, base *v1.ConfigFile) ([]v1.History, error) {
	own := len(img.RootFS.DiffIDs) - len(base.RootFS.DiffIDs)
	if own == 0 && len(img.History) == 0 {
		return nil, nil
	}
	if len(img.History) == 0 {
		return nil, fmt.Errorf("the image has no history, so what made its layers is not known")
	}
	if len(img.History) < len(base.History) || !reflect.DeepEqual(img.History[:len(base.History)], base.History) {
		return nil, fmt.Errorf("the image's history does not begin with the old base's")
	}
	steps, layers := img.History[len(base.History):], 0
	for _, step := range steps {
		if !step.EmptyLayer {
			layers++
		}
	}
	if layers != own {
		return nil, fmt.Errorf("the image has %d layers of its own, and its history %d", own, layers)
	}
	return steps, nil
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}
