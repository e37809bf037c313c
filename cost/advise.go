package cost

import (
	"fmt"
	"strings"

	"github.com/c0629bfc/secrets/provider"
)

// Advice says where values belong.
type Advice struct {
	// Store is the cheapest of those that can hold the values, read through
	// this cache as it is by default, and of several that cost the same the first in [Stores]; empty
	// if none can hold them.
	Store Store
	Type  provider.Type // to store them as
	// Reasons speak for the store and against the others, the weightiest first.
	Reasons []string
	// Options are all stores, with what rules them out and the price of a month.
	Options []Option
}

// Option is one store of an [Advice].
type Option struct {
	Store  Store
	Unfit  []string // why it cannot hold the values; empty if it can
	Cached Line     // read through this cache
	Each   Line     // read on each use
}

// Advise says where the values of a workload belong, and why.
func Advise(p Prices, w Workload) (Advice, error) {
	w, err := w.complete()
	if err != nil {
		return Advice{}, err
	}
	var a Advice
	var best *Option
	for _, s := range Stores {
		o := Option{Store: s, Unfit: w.unfit(s)}
		o.Cached, _ = p.line(w, s, Cached)
		o.Each, _ = p.line(w, s, EachUse)
		a.Options = append(a.Options, o)
		if len(o.Cached.Why) == 0 && (best == nil || o.Cached.Total() < best.Cached.Total()) {
			best = &o
		}
	}
	if best != nil {
		a.Store, a.Type = best.Store, w.typeIn(best.Store)
	}
	for _, o := range a.Options {
		for _, why := range o.Cached.Why {
			a.Reasons = append(a.Reasons, fmt.Sprintf("not %s: %s", o.Store.as(), why))
		}
	}
	if best == nil {
		a.Reasons = append([]string{"no store has all that is asked for"}, a.Reasons...)
		return a, nil
	}
	for _, o := range a.Options {
		if o.Store != best.Store && len(o.Cached.Why) == 0 {
			a.Reasons = append(a.Reasons, fmt.Sprintf("%s a month; %s %s", best.Cached.Total(), o.Store.as(), o.Cached.Total()))
		}
	}
	a.Reasons = append(a.Reasons, w.remarks(best)...)
	return a, nil
}

func (s Store) as() string {
	if s == AdvancedParameter {
		return "as an " + string(s)
	}
	return "as a " + string(s)
}

// unfit says why a store cannot hold the values.
func (w Workload) unfit(s Store) (why []string) {
	no := func(is bool, format string, args ...any) {
		if is {
			why = append(why, fmt.Sprintf(format, args...))
		}
	}
	if s == SecretsManager {
		no(w.Expiry, "it has no expiry policies")
		no(w.Size > maxSecret, "%d bytes are more than the %d of a secret", w.Size, maxSecret)
		no(w.Values > manySecrets, "%d are more than the %d secrets of an account and Region", w.Values, manySecrets)
		return why
	}
	most, many := maxAdvanced, manyAdvanced
	if s == StandardParameter {
		most, many = maxStandard, manyStandard
	}
	no(w.Rotations > 0, "AWS rotates secrets only (package rotation does it for parameters, in a process of your own)")
	no(w.Replicas > 0, "only secrets are replicated to other Regions")
	no(w.Binary, "a parameter is text")
	no(s == StandardParameter && w.CrossAccount, "only advanced parameters are shared with other accounts")
	no(s == StandardParameter && w.Expiry, "only advanced parameters have policies")
	no(w.Size > most, "%d bytes are more than its %d", w.Size, most)
	no(w.Values > many, "%d are more than the %d of an account and Region", w.Values, many)
	return why
}

func (w Workload) typeIn(s Store) provider.Type {
	switch {
	case s == SecretsManager && w.Binary:
		return provider.SecretBinary
	case s == SecretsManager:
		return provider.SecretString
	case w.Plain:
		return provider.String
	}
	return provider.SecureString
}

// remarks say what to know of the store that is advised.
func (w Workload) remarks(o *Option) (r []string) {
	add := func(is bool, format string, args ...any) {
		if is {
			r = append(r, fmt.Sprintf(format, args...))
		}
	}
	each := strings.Join(o.Each.Why, "; ")
	add(each != "", "read through a cache: on each use, %s", each)
	add(each == "" && o.Each.Total() > o.Cached.Total().plus(Cent), "read through a cache: on each use it would be %s a month", o.Each.Total())
	add(w.CrossAccount && o.Store == SecretsManager, "other accounts need a resource policy on the secret and a customer managed key")
	add(w.CrossAccount && o.Store == AdvancedParameter && !w.Plain, "other accounts need a share of AWS RAM and a customer managed key, and only read it by its ARN")
	add(w.CrossAccount && o.Store == AdvancedParameter && w.Plain, "other accounts need a share of AWS RAM, and only read it by its ARN")
	add(o.Store == StandardParameter && w.Values > manyStandard/2, "an account and Region have %d standard parameters in all", manyStandard)
	add(o.Store == AdvancedParameter && w.Values > 1 && !w.Expiry && !w.CrossAccount,
		"this is the price of %d advanced ones: with the tier Intelligent-Tiering only those become advanced that are larger than %d bytes or above the first %d", w.Values, maxStandard, manyStandard)
	add(o.Store == AdvancedParameter, "there is no way back from the advanced tier but to delete the parameter")
	add(o.Store != SecretsManager && !w.Plain && w.Rotations == 0, "if AWS is to rotate it one day, that takes Secrets Manager")
	return r
}

// String returns the store and the reasons, a line each.
func (a Advice) String() string {
	name := string(a.Store)
	if a.Store == "" {
		name = "none"
	} else if a.Type != "" {
		name += ", " + string(a.Type)
	}
	return name + "\n  " + strings.Join(a.Reasons, "\n  ") + "\n"
}
