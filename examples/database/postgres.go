package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgres is a server of one's own, on loopback and in a temporary directory.
type postgres struct {
	dir    string
	port   int
	server *exec.Cmd
	ended  chan error
	admin  *pgx.Conn
}

var errNotInstalled = errors.New("PostgreSQL is not installed: apt-get install postgresql (or brew install postgresql), and run this again")

// program finds one of PostgreSQL's: Debian keeps them off the PATH.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return "", errNotInstalled
	}
	return slices.Max(found), nil
}

func startPostgres(ctx context.Context) (p *postgres, err error) {
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	server, err := program("postgres")
	if err != nil {
		return nil, err
	}
	p = &postgres{ended: make(chan error, 1)}
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	if p.dir, err = os.MkdirTemp("", "database"); err != nil {
		return p, err
	}
	become, err := unprivileged(p.dir)
	if err != nil {
		return p, err
	}
	if p.port, err = freePort(); err != nil {
		return p, err
	}
	data := filepath.Join(p.dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(name, args...)
		c.Dir, c.SysProcAttr = p.dir, become
		return c
	}
	init := command(initdb, "-D", data, "-U", "admin", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--locale=C", "-E", "UTF8")
	if out, err := init.CombinedOutput(); err != nil {
		return p, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	p.server = command(server, "-D", data, "-k", p.dir, "-h", "127.0.0.1", "-p", strconv.Itoa(p.port),
		"-c", "fsync=off", "-c", "max_connections=300") // a server that is busy ends connections later than they are closed
	var log bytes.Buffer
	p.server.Stderr = &log
	if err = p.server.Start(); err != nil {
		p.server = nil
		return p, err
	}
	go func() { p.ended <- p.server.Wait() }()
	for range 1200 {
		if p.admin, err = pgx.Connect(ctx, fmt.Sprintf("host=%s port=%d user=admin dbname=postgres", p.dir, p.port)); err == nil {
			return p, nil
		}
		select {
		case ended := <-p.ended:
			p.server = nil
			return p, fmt.Errorf("postgres did not start: %w\n%s", ended, log.String())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return p, err
}

// unprivileged returns whom to start the server as, which refuses to run as
// root, and gives them the directory.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.Atoi(who.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(who.Gid)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// stop ends the server and removes what it left.
func (p *postgres) stop() {
	if p.admin != nil {
		_ = p.admin.Close(context.Background())
	}
	if p.server != nil {
		_ = p.server.Process.Signal(os.Interrupt) // a fast shutdown
		<-p.ended
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}
