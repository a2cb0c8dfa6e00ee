package page

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"strings"
	"time"
)

//go:embed page.html.tmpl
var pageTemplate string

// HTML writes a view as a page that needs nothing else: no script, no font, no image, and nothing is loaded from anywhere.
func HTML(w io.Writer, v View) error {
	tmpl, err := template.New("page").Funcs(template.FuncMap{
		"join": func(list []string) string { return strings.Join(list, ", ") }, "kinds": join, "class": func(state string) string { return strings.ReplaceAll(state, " ", "-") },
	}).Parse(pageTemplate)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, map[string]any{"View": v, "At": v.At.Format(time.RFC3339)}); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}
