package lineage

import "fmt"

// Grade says how good the evidence for an edge is. A higher grade is better evidence. The numbers are stored; new grades
// go between them.
type Grade uint8

// The grades, from none to best.
const (
	// GradeNone: nothing says so.
	GradeNone Grade = 0
	// GradeLayers: the image begins with the layers of the base, compared by diff ID. Sound for "has the files of", but bases
	// with equal layers and other configuration are one and the same to it.
	GradeLayers Grade = 10
	// GradeAnnotation: the manifest's annotations org.opencontainers.image.base.* say so. Whoever pushes can write them.
	GradeAnnotation Grade = 20
	// GradeUnsigned: provenance that nobody signed, as BuildKit attaches it. It lists by digest all that a build read, and
	// whoever pushes can write it.
	GradeUnsigned Grade = 25
	// GradeBuild: the record of a build of our own, written when it was published.
	GradeBuild Grade = 30
	// GradeSigned: provenance with a signature that was verified.
	GradeSigned Grade = 40
)

var gradeNames = map[Grade]string{
	GradeNone: "none", GradeLayers: "layer chain", GradeAnnotation: "base annotation", GradeUnsigned: "unsigned provenance",
	GradeBuild: "build record", GradeSigned: "signed provenance",
}

// Grades returns all grades but none, best first.
func Grades() []Grade {
	return []Grade{GradeSigned, GradeBuild, GradeUnsigned, GradeAnnotation, GradeLayers}
}

// String returns the name: "signed provenance", "build record", "unsigned provenance", "base annotation", "layer chain",
// "none".
func (g Grade) String() string {
	if name, ok := gradeNames[g]; ok {
		return name
	}
	return fmt.Sprintf("grade(%d)", uint8(g))
}

// MarshalText writes the name; a grade that has none is an error.
func (g Grade) MarshalText() ([]byte, error) {
	name, ok := gradeNames[g]
	if !ok {
		return nil, fmt.Errorf("%w: grade %d", ErrInvalid, uint8(g))
	}
	return []byte(name), nil
}

// UnmarshalText reads the names that String writes.
func (g *Grade) UnmarshalText(text []byte) error {
	for grade, name := range gradeNames {
		if name == string(text) {
			*g = grade
			return nil
		}
	}
	return fmt.Errorf("%w: %q is not a grade of evidence", ErrInvalid, text)
}
