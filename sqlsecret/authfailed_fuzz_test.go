package sqlsecret_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/sqlsecret"
)

// The codes decide, wherever in the tree they are, and no text does.
func FuzzAuthFailed(f *testing.F) {
	f.Add("28P01", 1045, "")
	f.Add("28000", 1017, "28P01")
	f.Add("57P03", 1044, "1045: access denied")
	f.Fuzz(func(t *testing.T, state string, number int, text string) {
		mysql, oracle := &MySQLError{Number: uint16(number), Message: text}, &OracleError{number}
		known := map[uint16]bool{1045: true, 1698: true, 1862: true, 3118: true, 3955: true, 4151: true}
		for err, refused := range map[error]bool{
			stateError(state):        state == "28P01" || state == "28000",
			mysql:                    known[uint16(number)],
			oracle:                   number == 1017 || number == 28000 || number == 28001,
			&MyError{Message: text}:  false,
			coded{number, number, 1}: false,
			errors.New(state):        false,
			errors.New("x: " + text): false,
		} {
			require.Equal(t, refused, sqlsecret.AuthFailed(err), "%T %v", err, err)
			require.Equal(t, refused, sqlsecret.AuthFailed(fmt.Errorf("%s: %w", text, errors.Join(errors.New(text), err))))
		}
	})
}
