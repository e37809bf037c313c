package secretstest

import (
	"regexp"
	"strings"
)

// A place is what separates stores: nothing is shared between regions, nor
// between accounts.
type place struct{ account, region string }

// A store holds the secrets and parameters of one account in one region.
type store struct {
	secrets    map[string]*secret // by name
	parameters map[string]*parameter
	deleting   map[string]*secret    // secrets with a deletion date
	expiring   map[string]*parameter // parameters with an Expiration policy
	settings   map[string]*setting   // service settings that were changed
}

// at returns the store of a place. s.mu is held.
func (s *Server) at(p place) *store {
	st := s.stores[p]
	if st == nil {
		st = &store{
			secrets:    make(map[string]*secret),
			parameters: make(map[string]*parameter),
			deleting:   make(map[string]*secret),
			expiring:   make(map[string]*parameter),
			settings:   make(map[string]*setting),
		}
		s.stores[p] = st
	}
	s.expire(st)
	return st
}

// expire removes what the clock has passed.
func (s *Server) expire(st *store) {
	now := s.now()
	for name, sec := range st.deleting {
		if !now.Before(sec.deleted) {
			delete(st.secrets, name)
			delete(st.deleting, name)
		}
	}
	for name, p := range st.expiring {
		if !now.Before(p.expires) {
			delete(st.parameters, name)
			delete(st.expiring, name)
		}
	}
}

// home is the place of Config and of the seeding functions.
func (s *Server) home() place { return place{s.account, s.region} }

var credentialPattern = regexp.MustCompile(`Credential=([^/,\s]+)/[^/,\s]*/([^/,\s]+)/`)

// caller reads account and region from a SigV4 Authorization header.
func (s *Server) caller(authorization string) place {
	at := s.home()
	m := credentialPattern.FindStringSubmatch(authorization)
	if m == nil {
		return at
	}
	if accountPattern.MatchString(m[1]) {
		at.account = m[1]
	}
	if regionPattern.MatchString(m[2]) {
		at.region = m[2]
	}
	return at
}

// user is the ARN of the caller.
func (c *call) user() string {
	return "arn:" + partition(c.place.region) + ":iam::" + c.place.account + ":user/secretstest"
}

// An arn is an Amazon Resource Name in its parts.
type arn struct {
	service  string
	place    place
	resource string // after the fifth colon
}

func parseARN(s string) (arn, bool) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return arn{}, false
	}
	return arn{service: parts[2], place: place{account: parts[4], region: parts[3]}, resource: parts[5]}, true
}

// partition returns the ARN partition of a region.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// aliases returns the names by which a Fault may mean the given identifier:
// as it was written, and the plain name of the secret or parameter.
func (s *Server) aliases(at place, id string) []string {
	names := []string{id}
	if a, ok := parseARN(id); ok && a.service == "secretsmanager" {
		if sec := s.lookSecret(at, id); sec != nil {
			return append(names, sec.name)
		}
		resource := strings.TrimPrefix(a.resource, "secret:")
		names = append(names, resource)
		if name, ok := cutSuffix(resource); ok {
			names = append(names, name)
		}
		return names
	}
	if ref, err := parseParameterID(id); err == nil {
		names = append(names, ref.name)
		if ref.isARN {
			names = append(names, strings.TrimPrefix(ref.name, "/"))
		}
	}
	return names
}
