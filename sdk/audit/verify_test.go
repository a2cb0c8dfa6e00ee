package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
)

// written is a log of lines, each with its newline.
func written(t testing.TB, actors ...string) [][]byte {
	t.Helper()
	dir := t.TempDir()
	log := open(t, dir, audit.Options{})
	for _, actor := range actors {
		if _, err := log.Append(audit.Event{Actor: actor, Action: "build.request"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "audit-00000000000000000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(bytes.Lines(text))
}

func files(lines [][]byte) fstest.MapFS {
	return fstest.MapFS{"audit-00000000000000000001.jsonl": {Data: bytes.Join(lines, nil)}}
}

func last(t *testing.T, lines [][]byte) audit.Checkpoint {
	t.Helper()
	v, err := audit.Verify(files(lines), audit.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return v.Last
}

func TestVerifyNamesTheLine(t *testing.T) {
	lines := written(t, "a", "b", "c", "d", "e", "f")
	forged := written(t, "a", "b", "X", "d", "e", "f") // somebody wrote the chain anew from line 3 on
	kept := audit.VerifyOptions{Checkpoints: []audit.Checkpoint{last(t, lines[:2]), last(t, lines[:4]), last(t, lines)}}
	changed := bytes.Replace(lines[2], []byte(`"c"`), []byte(`"x"`), 1)
	const in = "audit-00000000000000000001.jsonl:"
	for name, test := range map[string]struct {
		lines [][]byte
		opts  audit.VerifyOptions
		want  []string
	}{
		"whole":                               {lines, kept, nil},
		"changed":                             {slices.Concat(lines[:2], [][]byte{changed}, lines[3:]), kept, []string{in + "3:1 AU1001"}},
		"changed, with a hash of its own":     {slices.Concat(lines[:2], forged[2:3], lines[3:]), kept, []string{in + "3:1 AU1001"}},
		"no JSON":                             {slices.Concat(lines[:2], [][]byte{[]byte("rm -rf\n")}, lines[3:]), kept, []string{in + "3:1 AU1001"}},
		"the first one changed":               {slices.Concat([][]byte{bytes.Replace(lines[0], []byte(`"a"`), []byte(`"x"`), 1)}, lines[1:]), kept, []string{in + "1:1 AU1001"}},
		"removed":                             {slices.Concat(lines[:2], lines[3:]), kept, []string{in + "3:1 AU1002"}},
		"two removed":                         {slices.Concat(lines[:1], lines[3:]), kept, []string{in + "2:1 AU1002"}},
		"the first one removed":               {lines[1:], kept, []string{in + "1:1 AU1002"}},
		"swapped":                             {slices.Concat(lines[:2], lines[3:4], lines[2:3], lines[4:]), kept, []string{in + "4:1 AU1003"}},
		"moved to the end":                    {slices.Concat(lines[:2], lines[3:], lines[2:3]), kept, []string{in + "6:1 AU1003"}},
		"twice":                               {slices.Concat(lines[:3], lines[2:]), kept, []string{in + "4:1 AU1003"}},
		"cut, and nobody knows better":        {lines[:4], audit.VerifyOptions{}, nil},
		"cut, and a checkpoint knows":         {lines[:4], kept, []string{in + "4:1 AU1004"}},
		"emptied":                             {nil, kept, []string{in + " AU1004"}},
		"written anew, nobody knows better":   {forged, audit.VerifyOptions{}, nil},
		"written anew, and a checkpoint does": {forged, kept, []string{in + "4:1 AU1004", in + "6:1 AU1004"}},
		"in the archive up to line 2":         {lines[2:], audit.VerifyOptions{After: last(t, lines[:2])}, nil},
		"another archive":                     {forged[3:], audit.VerifyOptions{After: last(t, lines[:3])}, []string{in + "1:1 AU1001"}},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := audit.Verify(files(test.lines), test.opts)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range v.Findings {
				place := f.Place.String()
				if f.Place.Start.Line == 0 {
					place += ":"
				}
				got = append(got, place+" "+f.Rule)
			}
			if diff := cmp.Diff(unique(test.want), unique(got)); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%v", diff, v.Findings)
			}
		})
	}
}

func unique(s []string) []string { return slices.Compact(slices.Clone(s)) }

func FuzzVerify(f *testing.F) {
	lines := written(f, "a", "b", "c")
	f.Add(bytes.Join(lines, nil))
	f.Add([]byte("{}\n\n\x00"))
	want := bytes.Join(lines, nil)
	f.Fuzz(func(t *testing.T, text []byte) {
		fsys := fstest.MapFS{"audit-00000000000000000001.jsonl": {Data: text}}
		v, err := audit.Verify(fsys, audit.VerifyOptions{Checkpoints: []audit.Checkpoint{last(t, lines)}})
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Findings) == 0 && !bytes.Equal(text, want) {
			t.Errorf("it passes as the log that the checkpoint knows:\n%s", text)
		}
		for _, err := range audit.Read(fsys, 0) { // no panic, and an end
			_ = err
		}
	})
}
