package provider

import (
	"slices"
	"strings"
	"time"
)

// Version tells one version of a value from another. It is comparable, but
// what tells versions apart is their ID, since labels move; and a parameter that
// was deleted and made anew counts again from 1, so then their Created too.
type Version struct {
	// ID identifies the version among all versions of its value: the VersionId
	// of a secret, the decimal version number of a parameter.
	ID string
	// Created is when the version was written; zero where the store does not
	// tell.
	Created time.Time

	labels string // sorted, joined by labelSep: a string keeps Version comparable
}

const labelSep = "\x00"

// NewVersion returns a version that carries the given labels.
func NewVersion(id string, created time.Time, labels ...string) Version {
	if len(labels) > 1 {
		labels = slices.Sorted(slices.Values(labels))
	}
	return Version{ID: id, Created: created, labels: strings.Join(labels, labelSep)}
}

// Labels returns the names that point at the version, sorted: the staging
// labels of a secret (AWSCURRENT, AWSPREVIOUS, AWSPENDING or a user's own).
// For a parameter it is the one label by which the version was read, since
// Parameter Store's reads tell no others.
func (v Version) Labels() []string {
	if v.labels == "" {
		return nil
	}
	return strings.Split(v.labels, labelSep)
}

// HasLabel reports whether label is among [Version.Labels].
func (v Version) HasLabel(label string) bool { return slices.Contains(v.Labels(), label) }

// String returns the ID.
func (v Version) String() string { return v.ID }
