package sqltarget

import (
	"errors"
	"strings"
)

// regrant returns a row of MySQL's or MariaDB's SHOW GRANTS for another account:
//
//	GRANT privileges ON object TO account [IDENTIFIED …] [REQUIRE …] [WITH …]
//	GRANT roles TO account [WITH ADMIN OPTION]
//	REVOKE privileges ON object FROM account
//	SET DEFAULT ROLE role FOR account
//
// Of what follows the account only the right to pass on is kept: passwords and
// limits are not granted, and what must be encrypted is copied otherwise.
func regrant(row, to string) (string, error) {
	words := tokens(row)
	preposition := ""
	switch {
	case len(words) == 0:
	case words[0].is("GRANT"):
		preposition = "TO"
	case words[0].is("REVOKE"):
		preposition = "FROM"
	case words[0].is("SET"):
		preposition = "FOR"
	}
	for i, w := range words {
		if preposition == "" || !w.is(preposition) {
			continue
		}
		statement := row[:w.end] + " " + to
		for j := i + 1; j+1 < len(words); j++ {
			if words[j+1].is("OPTION") && (words[j].is("GRANT") || words[j].is("ADMIN")) {
				statement += " WITH " + words[j].text + " OPTION"
			}
		}
		return statement, nil
	}
	return "", errors.New("the server shows a grant in a form that is not known: grant the rights to the clone by hand")
}

// token is a word, a quoted text or one other character.
type token struct {
	text string
	end  int // where it ends in the row
}

func (t token) is(word string) bool { return t.text == word }

func tokens(row string) (out []token) {
	for i := 0; i < len(row); {
		start := i
		switch b := row[i]; {
		case b == ' ':
			i++
			continue
		case b == '`' || b == '\'' || b == '"':
			for i++; i < len(row); i++ {
				if row[i] == b {
					if i+1 == len(row) || row[i+1] != b {
						break
					}
					i++ // doubled
				}
			}
			i = min(i+1, len(row))
		case isWord(b):
			for i < len(row) && isWord(row[i]) {
				i++
			}
		default:
			i++
		}
		out = append(out, token{row[start:i], i})
	}
	return out
}

func isWord(b byte) bool {
	return strings.IndexByte("_$", b) >= 0 || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
}
