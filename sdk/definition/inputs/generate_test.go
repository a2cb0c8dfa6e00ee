//go:build linux

package inputs_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// generate makes a definition that reads images in every way there is: a few stages of any kind, arguments, triggers,
// names that mean several things. The same seed gives the same.
func generate(seed uint64, registry, web string) *generated {
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, 1)), registry: registry, web: fmt.Sprintf("%s/d%d", web, seed), dir: fmt.Sprintf("d%d", seed),
		escape: `\`, out: &generated{dir: fmt.Sprintf("d%d", seed), args: map[string]string{}, images: map[string]v1.ImageIndex{}},
	}
	g.pushed()
	if g.some(4) {
		g.escape = "`"
		g.b.WriteString("# escape=`\n")
	}
	if g.some(4) {
		g.b.WriteString("# check=skip=all\n")
	}
	g.globals()
	for i := range 1 + g.IntN(5) {
		g.stage(i)
	}
	if g.some(3) && len(g.names) > 0 {
		g.out.target = g.pick(g.names...)
	}
	g.out.platforms = []string{"linux/amd64"}
	if g.some(4) {
		g.out.platforms = []string{"linux/arm64", "linux/amd64"}
	}
	g.out.dockerfile = g.b.String()
	if g.some(6) {
		g.out.dockerfile = strings.ReplaceAll(g.out.dockerfile, "\n", "\r\n")
	}
	return g.out
}

type generator struct {
	*rand.Rand
	registry, web, dir string
	escape             string
	out                *generated
	b                  strings.Builder
	names              []string // of stages so far
}

const letters = "abcdefgh"

// nothing is a program for Linux on amd64 that ends at once, so that a RUN costs little and succeeds.
const nothing = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00" + // 64 bit, little endian
	"\x02\x00\x3e\x00\x01\x00\x00\x00\x78\x00\x40\x00\x00\x00\x00\x00" + // executable, amd64, starts at 0x400078
	"\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + // one program header, at 0x40
	"\x00\x00\x00\x00\x40\x00\x38\x00\x01\x00\x00\x00\x00\x00\x00\x00" +
	"\x01\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + // load, read and execute
	"\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00" +
	"\x81\x00\x00\x00\x00\x00\x00\x00\x81\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x10\x00\x00\x00\x00\x00\x00" +
	"\xb8\x3c\x00\x00\x00\x31\xff\x0f\x05" // exit(0)

func (g *generator) some(of int) bool { return g.IntN(of) == 0 }

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// pushed makes the images: for both platforms, some with triggers, some without layers.
func (g *generator) pushed() {
	for i, letter := range letters {
		for _, suffix := range []string{"", "-amd64", "-arm64"} {
			var triggers []string
			files := map[string]string{"file": g.dir + string(letter) + suffix, "bin/sh": nothing}
			if g.some(6) && i+1 < len(letters) {
				triggers = append(triggers, g.trigger(letters[i+1:]))
			}
			if g.some(8) {
				files = nil
			}
			var images []v1.Image
			for _, platform := range []string{"linux/amd64", "linux/arm64"} {
				img, err := registrytest.Image(files, registrytest.ImageOptions{
					Platform: platform, Config: v1.Config{OnBuild: triggers, Env: []string{"HOST=" + g.web}},
				})
				if err != nil {
					panic(err)
				}
				images = append(images, img)
			}
			idx, err := registrytest.Index(images...)
			if err != nil {
				panic(err)
			}
			g.out.images[fmt.Sprintf("%s/%c%s:1", g.dir, letter, suffix)] = idx
		}
	}
}

// trigger names images behind the one that has it, so that none comes back to itself.
func (g *generator) trigger(behind string) string {
	name := fmt.Sprintf("%s/%s/%c:1", g.registry, g.dir, behind[g.IntN(len(behind))])
	return g.pick(
		"COPY --from="+name+" / /x/",
		"RUN --mount=from="+name+",target=/m true",
		"ADD http://"+g.web+"/trigger /x",
		"ADD http://$HOST/trigger-host /x",
		"COPY --from=first / /x/",
	)
}

func (g *generator) globals() {
	for _, name := range []string{"REG", "DIR", "NAME", "V"} {
		value := map[string]string{"REG": g.registry, "DIR": g.dir, "NAME": string(letters[g.IntN(len(letters))]), "V": "1"}[name]
		switch g.IntN(4) {
		case 0:
			fmt.Fprintf(&g.b, "ARG %s=wrong\n", name)
			g.out.args[name] = value
		case 1:
			fmt.Fprintf(&g.b, "ARG %s\n", name)
			g.out.args[name] = value
		case 2:
			fmt.Fprintf(&g.b, "ARG X%s=%s\nARG %s=\"${X%s}\"\n", name, value, name, name)
		default:
			fmt.Fprintf(&g.b, "ARG %s=%s\n", name, value)
		}
	}
}

// image writes the name of an image; in a FROM it may have variables.
func (g *generator) image(from bool) string {
	letter := string(letters[g.IntN(len(letters))])
	plain := fmt.Sprintf("%s/%s/%s:1", g.registry, g.dir, letter)
	if !from {
		return plain
	}
	return g.pick(
		plain,
		"${REG}/$DIR/"+letter+":$V",
		"$REG/${DIR}/${NAME}:${V}",
		"$REG/$DIR/"+letter+"-$TARGETARCH:1",
		"$REG/$DIR/"+letter+"-${BUILDARCH}:1",
		"$REG/$DIR/${TARGETSTAGE/*/"+letter+"}:1",
		"${REG}/${DIR:-no}/${UNSET:-"+letter+"}:${V:+1}",
		"$REG/$DIR/${NAME/"+letter+"/a}:1",
		"\"$REG\"/$DIR/'"+letter+"':1",
	)
}

func (g *generator) stage(i int) {
	keyword := g.pick("FROM", "from", "From", "FR"+g.escape+"\nOM")
	flag := g.pick("", "", "", "--platform=$BUILDPLATFORM ", "--platform=${TARGETPLATFORM} ", "--platform=linux/arm64 ")
	base := g.image(true)
	if len(g.names) > 0 && g.some(3) {
		base = g.pick(g.names...)
	}
	if g.some(8) {
		base = "scratch"
	}
	as := ""
	if i == 0 || !g.some(3) {
		name := g.pick("first", "build", "alpine", "debian", "tools", "scratch", fmt.Sprintf("s%d", i))
		if i == 0 {
			name = "first"
		}
		as = g.pick(" AS ", " as ", " "+g.escape+"\n  # comment\n  AS ") + g.pick(name, strings.ToUpper(name))
		defer func() { g.names = append(g.names, name) }()
	}
	fmt.Fprintf(&g.b, "%s %s%s%s\n", keyword, flag, base, as)
	for range g.IntN(5) {
		g.instruction(i)
	}
}

func (g *generator) instruction(stage int) {
	from := g.image(false)
	if len(g.names) > 0 && g.some(2) {
		from = g.pick(g.names...)
	}
	number := from
	if stage > 0 {
		number = fmt.Sprint(g.IntN(stage))
	}
	upper := from
	if len(g.names) > 0 {
		upper = strings.ToUpper(g.pick(g.names...))
	}
	line := g.pick(
		"COPY --from="+from+" / /x/",
		"copy --chown=0:0 --from=\""+from+"\" "+g.escape+"\n / /x/",
		"COPY --from="+number+" / /y/",
		"COPY --link --from="+upper+" / /z/",
		"RUN --mount=from="+from+",target=/m true",
		"RUN --mount=type=cache,target=/m,from="+from+" --network=none true",
		"RUN --mount=type=cache,target=/m true",
		"RUN --mount=type=bind,\"from="+from+"\",target=/m true",
		"RUN --mount=type=tmpfs,from="+from+",target=/m true",
		"RUN <<EOF\nFROM "+g.registry+"/no/no:1\nEOF",
		"# FROM "+g.registry+"/no/comment:1",
		"ONBUILD COPY --from="+g.image(false)+" / /o/",
		"ONBUILD ADD http://"+g.web+"/onbuild /o",
		"ADD http://"+g.web+"/plain /a",
		"ADD [\"http://"+g.web+"/json\", \"/a\"]",
		"ENV U=http://"+g.web+"\nADD ${U}/var local /a/",
		"ADD http://${HOST}/host /a",
		"COPY local /l",
		"ADD local /l",
		"ENV K=v",
		"WORKDIR /w",
	)
	g.b.WriteString(line + "\n")
}
