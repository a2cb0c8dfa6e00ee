package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// GitHubToken gets a new token from GitHub Actions for each request
// (https://docs.github.com/actions/security-for-github-actions/security-hardening-your-deployments/about-security-hardening-with-openid-connect).
// The workflow needs the permission "id-token: write"; getenv is os.Getenv. The audience is the one in the service's
// configuration.
func GitHubToken(getenv func(string) string, audience string) TokenSource {
	return func(ctx context.Context) (string, error) {
		address, secret := getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
		if address == "" || secret == "" {
			return "", errors.New("GitHub Actions gives no token here: the workflow needs the permission \"id-token: write\"")
		}
		u, err := url.Parse(address)
		if err != nil {
			return "", err
		}
		query := u.Query()
		query.Set("audience", audience)
		u.RawQuery = query.Encode()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return "", err
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		answer, err := (&http.Client{}).Do(r)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		var token struct {
			Value string `json:"value"`
		}
		if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&token); err != nil || answer.StatusCode != http.StatusOK || token.Value == "" {
			return "", fmt.Errorf("GitHub Actions answers %s instead of a token", answer.Status)
		}
		return token.Value, nil
	}
}
