package sqlsecret

import (
	"reflect"
	"slices"
)

// AuthFailed reports whether a database refused a login for its credentials. It
// goes by error codes, not by texts, and finds them anywhere in the tree that
// err wraps:
//
//   - PostgreSQL, Redshift and their like: SQLSTATE 28P01 (invalid_password) and
//     28000 (invalid_authorization_specification: no such role, or it may not
//     log in), of errors with a method SQLState() string, as pgx and lib/pq have
//     (PostgreSQL manual, appendix A).
//   - MySQL and MariaDB: 1045 (ER_ACCESS_DENIED_ERROR), 1698
//     (ER_ACCESS_DENIED_NO_PASSWORD_ERROR), 1862 (ER_MUST_CHANGE_PASSWORD_LOGIN),
//     3118 and MariaDB's 4151 (ER_ACCOUNT_HAS_BEEN_LOCKED), 3955
//     (ER_USER_ACCESS_DENIED_FOR_USER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK), of
//     go-sql-driver's MySQLError and go-mysql-org's MyError (MySQL error message
//     reference; MariaDB error codes). 1044 (ER_DBACCESS_DENIED_ERROR) is not
//     among them: the password was right, and the user lacks a grant.
//   - SQL Server: 18456 (login failed), 18470 (account disabled), 18486 (locked
//     out), 18487 (password expired), 18488 (password must be changed), of errors
//     with a method SQLErrorNumber() int32, as go-mssqldb has (SQL Server
//     documentation, "Database engine events and errors").
//   - Oracle: ORA-01017 (invalid credential), ORA-28000 (account locked),
//     ORA-28001 (password expired), of go-ora's OracleError and godror's OraErr.
func AuthFailed(err error) bool {
	if err == nil {
		return false
	}
	if refuses(err) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return AuthFailed(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), AuthFailed)
	}
	return false
}

var (
	mysqlCodes  = []int64{1045, 1698, 1862, 3118, 3955, 4151}
	mssqlCodes  = []int64{18456, 18470, 18486, 18487, 18488}
	oracleCodes = []int64{1017, 28000, 28001}
)

func refuses(err error) bool {
	switch e := err.(type) {
	case interface{ SQLState() string }:
		state := e.SQLState()
		return state == "28P01" || state == "28000"
	case interface{ SQLErrorNumber() int32 }:
		return slices.Contains(mssqlCodes, int64(e.SQLErrorNumber()))
	}
	// The other drivers' errors show the number in a field or by a method whose
	// name is too common to go by alone.
	v := reflect.ValueOf(err)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return false
	}
	switch v.Type().Name() {
	case "MySQLError":
		return slices.Contains(mysqlCodes, number(v.FieldByName("Number")))
	case "MyError":
		return slices.Contains(mysqlCodes, number(v.FieldByName("Code")))
	case "OracleError":
		return slices.Contains(oracleCodes, number(v.FieldByName("ErrCode")))
	case "OraErr":
		e, ok := err.(interface{ Code() int })
		return ok && slices.Contains(oracleCodes, int64(e.Code()))
	}
	return false
}

// number returns an integer of any kind; 0, which no database uses, of anything
// else.
func number(v reflect.Value) int64 {
	switch {
	case !v.IsValid():
		return 0
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return int64(v.Uint())
	}
	return 0
}
