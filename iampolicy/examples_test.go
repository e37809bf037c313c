package iampolicy_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/iampolicy"
	"github.com/c0629bfc/secrets/secretstest"
)

// uses is what each of the examples does, as its author would write it down.
// What needs a database is not run here.
var uses = map[string]func(*testing.T) iampolicy.Use{
	"config": func(t *testing.T) iampolicy.Use {
		refs, err := iampolicy.Refs(tagsOf(t, "../examples/config/main.go", "Config", "Database"), map[string]string{"env": "prod"})
		require.NoError(t, err)
		return iampolicy.Use{Read: refs}
	},
	"quickstart": func(*testing.T) iampolicy.Use {
		return iampolicy.Use{Read: []string{"sm://prod/db#username", "sm://prod/db#password"}, List: []string{"ssm:///prod/app/"}}
	},
	"tls": func(*testing.T) iampolicy.Use {
		return iampolicy.Use{Read: []string{"sm://prod/tls", "ssm:///prod/roots"}}
	},
	"lambda": func(*testing.T) iampolicy.Use {
		return iampolicy.Use{Read: []string{"sm://demo/db", "ssm:///demo/greeting"}}
	},
	"cost": func(*testing.T) iampolicy.Use {
		var u iampolicy.Use
		for i := range 40 {
			u.Read = append(u.Read, fmt.Sprintf("sm://app/%02d", i))
		}
		return u
	},
	"copy": func(*testing.T) iampolicy.Use {
		// Of forty secrets one is there and is overwritten on condition of its
		// version, and one is as it should be.
		var created []string
		for i := range 40 {
			if i != 3 && i != 4 {
				created = append(created, fmt.Sprintf("sm://prod/app/key-%02d", i))
			}
		}
		there := []string{"sm://prod/app/key-03"}
		return iampolicy.Use{List: []string{"ssm:///dev/app/", "sm://prod/app/"}, Call: []iampolicy.Call{
			{Operation: "CreateSecret", Refs: created},
			{Operation: "DescribeSecret", Refs: there}, {Operation: "PutSecretValue", Refs: there}, {Operation: "UpdateSecretVersionStage", Refs: there},
		}}
	},
	"database": nil,
	"rotation": nil,
}

// fallbacks are actions that a policy has for when another one fails: for one
// value of a batch, say. A run in which nothing fails does not use them, and uses
// the other one on the same resources.
var fallbacks = map[string]string{
	"ssm:GetParameter":  "ssm:GetParameters",
	"ssm:GetParameters": "ssm:GetParametersByPath",
}

// Each example is built with a recorder in the place of server.Close, and run.
func TestThePolicyOfEachExampleCoversExactlyWhatItUses(t *testing.T) {
	dirs, err := filepath.Glob("../examples/*")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	for _, dir := range dirs {
		name := filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			use, known := uses[name]
			require.True(t, known, "say in uses what this example does")
			if use == nil {
				return
			}
			p := policies(t, use(t)).All()
			used := needs(record(t, dir))
			requireCovered(t, p, used)
			for _, s := range p.Statement {
				for _, r := range s.Resource {
					on := slices.DeleteFunc(slices.Clone(used), func(n need) bool {
						return !iampolicy.Policy{Statement: []iampolicy.Statement{{Action: iampolicy.Strings{n.action}, Resource: iampolicy.Strings{r}}}}.Allows(n.action, n.resource, nil)
					})
					for _, a := range s.Action {
						for a != "" && !slices.ContainsFunc(on, func(n need) bool { return n.action == a }) {
							require.Contains(t, fallbacks, a, "on %s it is allowed and was not used", r)
							if a = fallbacks[a]; a == "ssm:GetParametersByPath" {
								require.True(t, slices.ContainsFunc(used, func(n need) bool {
									return n.action == a && strings.HasPrefix(r, n.resource+"/")
								}), "%s is not below what was listed", r)
								a = ""
							}
						}
					}
				}
			}
		})
	}
}

var closing = regexp.MustCompile(`(?m)^\tdefer server\.Close\(\)$`)

// record runs the program in dir and returns what it asked its server for.
func record(t *testing.T, dir string) []secretstest.Request {
	t.Helper()
	dir, err := filepath.Abs(dir)
	require.NoError(t, err)
	recorder, err := filepath.Abs("testdata/record.go")
	require.NoError(t, err)
	tmp := t.TempDir()
	replace := map[string]string{filepath.Join(dir, "record.go"): recorder}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		if n := len(closing.FindAll(source, -1)); n > 0 {
			found += n
			replace[file] = filepath.Join(tmp, filepath.Base(file))
			require.NoError(t, os.WriteFile(replace[file], closing.ReplaceAll(source, []byte("\tdefer closeRecorded(server)")), 0o600))
		}
	}
	require.Equal(t, 1, found, "want one server that is closed by a deferred call in a line of its own")
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(tmp, "overlay.json"), overlay, 0o600))

	program := filepath.Join(tmp, "program")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(tmp, "overlay.json"), "-o", program, ".")
	build.Dir = dir
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") { // the example's own server is asked
			env = append(env, v)
		}
	}
	// What an example shows takes its time, which a busy machine may not have.
	for attempt := 1; ; attempt++ {
		run := exec.CommandContext(t.Context(), program)
		run.Dir, run.Env = tmp, append(env, "IAMPOLICY_RECORD="+filepath.Join(tmp, "requests.json"))
		if out, err = run.CombinedOutput(); err == nil {
			break
		}
		require.Less(t, attempt, 3, "%v: %s", err, out)
	}
	recorded, err := os.ReadFile(filepath.Join(tmp, "requests.json"))
	require.NoError(t, err)
	var requests []secretstest.Request
	require.NoError(t, json.Unmarshal(recorded, &requests))
	return requests
}

// tagsOf makes a struct with the tags of structs in a program, which cannot be
// imported.
func tagsOf(t *testing.T, file string, structs ...string) any {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	var fields []reflect.StructField
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || !slices.Contains(structs, spec.Name.Name) {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			if f.Tag != nil {
				tag, err := strconv.Unquote(f.Tag.Value)
				require.NoError(t, err)
				fields = append(fields, reflect.StructField{Name: fmt.Sprint("F", len(fields)), Type: reflect.TypeFor[string](), Tag: reflect.StructTag(tag)})
			}
		}
		return true
	})
	require.NotEmpty(t, fields)
	return reflect.New(reflect.StructOf(fields)).Interface()
}
