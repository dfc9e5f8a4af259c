// kstatus reads the states that the controller can publish (published-states) and says what the tools make of each: kstatus as cli-utils and
// Helm have it, kstatus as Flux has it, Flux with the expressions of our sample, and Argo CD's health check in the Lua that Argo CD embeds.
//
// What is expected stands in the table of deploy/gitops/README.md and nowhere else. The samples for Flux are decoded strictly into Flux's
// own types, so that a field with a typing mistake fails here and not in somebody's cluster.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	fluxstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/runtime/cel"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

type state struct {
	Sentence, Rule, Phase, Reason string
	Object                        json.RawMessage
}

// A row of the README's table.
type row struct{ ready, kstatus, argo string }

var failures int

func fail(format string, args ...any) {
	failures++
	fmt.Printf("not ok: "+format+"\n", args...)
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
		os.Exit(1)
	}
	return value
}

func readTable(path string) map[string]row {
	pattern := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([^|]+) \\| (\\w+) \\| (\\w+) \\|")
	rows := map[string]row{}
	for _, m := range pattern.FindAllStringSubmatch(string(must(os.ReadFile(path))), -1) {
		rows[m[1]] = row{m[2], m[3], m[4]}
	}
	return rows
}

// What kubectl wait --for=condition=Ready goes by: the condition's status, unless the condition is about an older generation.
func readyNow(u *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		condition := c.(map[string]any)
		if condition["type"] != "Ready" {
			continue
		}
		if observed, found := condition["observedGeneration"].(int64); !found || observed < u.GetGeneration() {
			return "outdated"
		}
		return condition["status"].(string)
	}
	return "absent"
}

// Every condition, not only Ready, must be about the generation that the status is about.
func checkGenerations(s state, u *unstructured.Unstructured) {
	observed, _, _ := unstructured.NestedInt64(u.Object, "status", "observedGeneration")
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		condition := c.(map[string]any)
		if condition["observedGeneration"] != observed {
			fail("%s: %v is about generation %v, the status about %d", s.Sentence, condition["type"], condition["observedGeneration"], observed)
		}
	}
}

func toLua(vm *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case map[string]any:
		table := vm.NewTable()
		for name, member := range v {
			table.RawSetString(name, toLua(vm, member))
		}
		return table
	case []any:
		table := vm.NewTable()
		for _, item := range v {
			table.Append(toLua(vm, item))
		}
		return table
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	}
	return lua.LNil
}

func argoHealth(script string, u *unstructured.Unstructured) (string, error) {
	vm := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer vm.Close()
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString, lua.OpenMath} {
		vm.Push(vm.NewFunction(open))
		vm.Call(0, 0)
	}
	vm.SetGlobal("obj", toLua(vm, u.Object))
	if err := vm.DoString(script); err != nil {
		return "", err
	}
	return vm.Get(-1).(*lua.LTable).RawGetString("status").String(), nil
}

type tools struct {
	table     map[string]row
	script    string
	evaluator *cel.StatusEvaluator
}

func (t *tools) check(s state) {
	var u unstructured.Unstructured
	if err := u.UnmarshalJSON(s.Object); err != nil {
		fail("%s: %v", s.Sentence, err)
		return
	}
	want, found := t.table[s.Reason]
	if s.Phase == "UNSEEN" {
		want, found = row{"absent, outdated", "InProgress", "Progressing"}, true
	}
	if !found {
		fail("%s: the reason %s is not in the table", s.Sentence, s.Reason)
		return
	}
	settled := want.kstatus
	if s.Reason == "Observing" || s.Reason == "Suspended" {
		settled = "Current"
	}
	expect := func(tool, got, wanted string, err error) {
		if err != nil {
			fail("%s: %s: %v", s.Sentence, tool, err)
		} else if got != wanted {
			fail("%s (%s): %s says %s instead of %s", s.Sentence, s.Reason, tool, got, wanted)
		}
	}
	k, err := status.Compute(&u)
	expect("kstatus", string(k.Status), want.kstatus, err)
	f, err := fluxstatus.Compute(&u)
	expect("Flux", string(f.Status), want.kstatus, err)
	c, err := t.evaluator.Evaluate(context.Background(), &u)
	expect("Flux with our expressions", string(c.Status), settled, err)
	health, err := argoHealth(t.script, &u)
	expect("Argo CD", health, want.argo, err)
	if ready := readyNow(&u); !strings.Contains(want.ready, ready) {
		fail("%s (%s): kubectl wait sees Ready %s instead of %s", s.Sentence, s.Reason, ready, want.ready)
	}
	if s.Phase != "UNSEEN" {
		checkGenerations(s, &u)
	}
}

func decode[T any](path string) T {
	var object T
	if err := yaml.UnmarshalStrict(must(os.ReadFile(path)), &object); err != nil {
		fail("%s: %v", path, err)
	}
	return object
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: published-states | kstatus DEPLOY_GITOPS")
		os.Exit(2)
	}
	dir := os.Args[1]
	decode[sourcev1.GitRepository](filepath.Join(dir, "flux/source.yaml"))
	plain := decode[kustomizev1.Kustomization](filepath.Join(dir, "flux/wait-until-encrypted.yaml"))
	lenient := decode[kustomizev1.Kustomization](filepath.Join(dir, "flux/wait-until-settled.yaml"))
	if !plain.Spec.Wait || len(plain.Spec.HealthCheckExprs) != 0 || !lenient.Spec.Wait || len(lenient.Spec.HealthCheckExprs) != 1 {
		fail("the samples for Flux are not those that this program knows")
		os.Exit(1)
	}
	t := tools{
		table:     readTable(filepath.Join(dir, "README.md")),
		script:    string(must(os.ReadFile(filepath.Join(dir, "argocd/resource_customizations/cosmoscmk.io/CosmosCMK/health.lua")))),
		evaluator: must(cel.NewStatusEvaluator(&lenient.Spec.HealthCheckExprs[0].HealthCheckExpressions)),
	}
	n := 0
	seen := map[string]bool{}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s state
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			must(0, err)
		}
		seen[s.Reason] = true
		t.check(s)
		n++
	}
	must(0, lines.Err())
	for reason := range t.table {
		if !seen[reason] {
			fail("the table has %s, which no state has", reason)
		}
	}
	fmt.Printf("%d states, %d failures\n", n, failures)
	if n == 0 || failures > 0 {
		os.Exit(1)
	}
}
