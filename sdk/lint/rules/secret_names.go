package rules

import "strings"

// secretWords are words in a variable's name that say it holds a secret; words are separated by _, - and changes of case.
var secretWords = map[string]bool{
	"apikey": true, "auth": true, "credential": true, "credentials": true, "key": true, "password": true, "passwd": true,
	"pword": true, "passphrase": true, "pwd": true, "secret": true, "secrets": true, "token": true, "pat": true,
}

// publicWords are words that say the opposite: the name of a file, a version, an address.
var publicWords = map[string]bool{
	"public": true, "pub": true, "file": true, "files": true, "path": true, "dir": true, "version": true, "url": true, "uri": true,
	"name": true, "id": true, "keyring": true, "keyserver": true, "keys": true, "gpg": true, "fingerprint": true, "sha256": true,
	"algorithm": true, "type": true, "length": true, "size": true, "ttl": true, "expiry": true, "checksum": true, "mode": true,
	"method": true, "enabled": true, "host": true, "port": true, "endpoint": true, "server": true, "sock": true, "old": true,
}

// isSecretName says whether a name such as DB_PASSWORD or apiKey is that of a secret.
func isSecretName(name string) bool {
	secret := false
	words := nameWords(name)
	for i, w := range words {
		switch {
		case publicWords[w]:
			return false
		case w == "pwd" && len(words) == 1: // the working directory
		case w == "key" && i == 0 && len(words) > 1: // KEY_...: what the key is for, not the key
		case secretWords[w], strings.HasSuffix(w, "password"), strings.HasSuffix(w, "passwd"):
			secret = true
		}
	}
	return secret
}

// nameWords splits DB_PASSWORD, db-password, db.password and dbPassword into lower-case words.
func nameWords(name string) []string {
	var words []string
	start := 0
	flush := func(end int) {
		if end > start {
			words = append(words, strings.ToLower(name[start:end]))
		}
		start = end
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_' || c == '-' || c == '.':
			flush(i)
			start = i + 1
		case isUpper(c) && i > 0 && !isUpper(name[i-1]):
			flush(i)
		}
	}
	flush(len(name))
	return words
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
