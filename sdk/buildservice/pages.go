package buildservice

import (
	"net/http"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
)

func (s *Service) pages(*http.ServeMux) {}

func (s *Service) session(*http.Request) *callers.Caller { return nil }
