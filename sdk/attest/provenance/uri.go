package provenance

import (
	"net/url"
	"strings"
)

// GitURI is how SLSA names a repository at a revision: "git+https://host/path@refs/...". What is no URL is left alone.
func GitURI(repository, ref string) string {
	uri := repository
	if strings.Contains(repository, "://") && !strings.HasPrefix(repository, "git+") {
		uri = "git+" + repository
	}
	if ref != "" {
		uri += "@" + ref
	}
	return uri
}

// sourceOf undoes GitURI, and BuildKit's way to write the same with a fragment.
func sourceOf(uri string) string {
	uri = strings.TrimPrefix(uri, "git+")
	uri, _, _ = strings.Cut(uri, "#")
	if i := strings.LastIndex(uri, "@"); i > strings.LastIndex(uri, "/") || i > strings.Index(uri, "://")+2 && strings.Contains(uri[i:], "refs/") {
		uri = uri[:i]
	}
	return uri
}

// ImageURI is the package URL of an image, as BuildKit writes it
// (https://github.com/package-url/purl-spec/blob/main/types-doc/docker-definition.md): of "docker.io/library/debian:12" it
// is "pkg:docker/debian@12?platform=linux%2Famd64".
func ImageURI(ref, platform string) string {
	name, _, _ := strings.Cut(ref, "@")
	version := ""
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name, version = name[:i], name[i+1:]
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/")
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	uri := "pkg:docker/" + strings.Join(segments, "/")
	if version != "" {
		uri += "@" + version
	}
	if platform != "" {
		uri += "?platform=" + url.QueryEscape(platform)
	}
	return uri
}
