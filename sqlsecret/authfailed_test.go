package sqlsecret_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/sqlsecret"
)

// These look as the drivers' own errors do; those of pgx and go-sql-driver/mysql
// are tested against the databases, in their modules.

type MySQLError struct {
	Number   uint16
	SQLState [5]byte
	Message  string
}

func (e *MySQLError) Error() string { return e.Message }

type MyError struct {
	Code    uint16
	Message string
}

func (e *MyError) Error() string { return e.Message }

type OracleError struct{ ErrCode int }

func (e *OracleError) Error() string { return "ORA" }

type OraErr struct{ code int }

func (e *OraErr) Error() string { return "ORA" }
func (e *OraErr) Code() int     { return e.code }

type mssqlError struct{ number int32 }

func (e mssqlError) Error() string         { return "mssql" }
func (e mssqlError) SQLErrorNumber() int32 { return e.number }

type stateError string

func (e stateError) Error() string    { return "pg" }
func (e stateError) SQLState() string { return string(e) }

// coded has a number of its own, which is no database's.
type coded struct{ Number, Code, ErrCode int }

func (coded) Error() string { return "coded" }

func TestAuthFailed(t *testing.T) {
	for _, err := range []error{
		stateError("28P01"), stateError("28000"),
		&MySQLError{Number: 1045}, &MySQLError{Number: 1698}, &MySQLError{Number: 1862}, &MySQLError{Number: 3118}, &MySQLError{Number: 3955}, &MySQLError{Number: 4151},
		&MyError{Code: 1045},
		mssqlError{18456}, mssqlError{18470}, mssqlError{18486}, mssqlError{18487}, mssqlError{18488},
		&OracleError{1017}, &OracleError{28000}, &OracleError{28001}, &OraErr{1017},
	} {
		require.True(t, sqlsecret.AuthFailed(err), "%T %v", err, err)
		require.True(t, sqlsecret.AuthFailed(fmt.Errorf("connect: %w", errors.Join(errors.New("first host"), fmt.Errorf("second: %w", err)))))
	}
	for _, err := range []error{
		nil, errors.New("password authentication failed, 28P01, 1045"),
		stateError(""), stateError("28"), stateError("3D000"), stateError("53300"), stateError("57P03"), stateError("42501"),
		&MySQLError{Number: 1040}, &MySQLError{Number: 1044}, &MySQLError{Number: 1049}, &MySQLError{Number: 1129}, (*MySQLError)(nil),
		mssqlError{4060}, mssqlError{0}, &OracleError{12514}, &OraErr{12514},
		coded{1045, 1045, 1017}, &coded{1045, 1045, 1017},
	} {
		require.False(t, sqlsecret.AuthFailed(err), "%T", err)
		require.False(t, sqlsecret.AuthFailed(errors.Join(errors.New("x"), err)), "%T", err)
	}
}
