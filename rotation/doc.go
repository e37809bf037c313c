// Package rotation rotates a value in Secrets Manager or in Parameter Store.
package rotation
