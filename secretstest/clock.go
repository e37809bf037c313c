package secretstest

import (
	"strconv"
	"time"
)

// Now returns the server's time: [time.Now] plus what [Server.Advance] added.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Advance moves the server's clock by d, for all regions and accounts. Deletions
// scheduled in the skipped time take place, parameters expire, rotations that
// became due begin, and messages of queues become visible. Injected delays under
// way are not shortened, for they are measured by real time (or a synctest
// bubble's). A negative d moves the clock back; what has happened stays.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
	s.arm()
	for _, q := range s.queues {
		q.arrived() // for those who wait
	}
}

// now is Now for callers that hold s.mu.
func (s *Server) now() time.Time { return time.Now().Add(s.offset) }

// An epoch is a time on the wire: seconds since 1970 with milliseconds as the
// fraction, the timestamp format of awsJson1.1.
type epoch struct{ time.Time }

func (e epoch) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(e.UnixMilli())/1000, 'f', -1, 64), nil
}

// day is the precision of LastAccessedDate (the API's SecretListEntry: "the
// date that the secret was last accessed", midnight UTC).
func day(t time.Time) epoch { return epoch{t.UTC().Truncate(24 * time.Hour)} }
