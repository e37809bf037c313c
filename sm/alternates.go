package sm

import "github.com/c0629bfc/secrets/provider"

var _ provider.Alternates = (*Store)(nil)

// Alternates implements [provider.Alternates]. Between the steps setSecret and
// finishSecret of a rotation the database has the password of AWSPENDING while
// AWSCURRENT is still the old one; after a rotation that was undone, or on a
// replica that lags, it may have that of AWSPREVIOUS (guide: How rotation works).
func (s *Store) Alternates(ref provider.Ref) []provider.Ref {
	ref = ref.Base()
	if ref.Stage != "" || ref.Version != "" {
		return nil
	}
	pending, previous := ref, ref
	pending.Stage, previous.Stage = "AWSPENDING", "AWSPREVIOUS"
	return []provider.Ref{pending, previous}
}
