package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// machine says what the results were measured on.
func machine() string {
	return fmt.Sprintf("%s, %d cores, %s/%s, %s, %s", cpu(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH,
		runtime.Version(), time.Now().UTC().Format(time.DateOnly))
}

// cpu returns the processor's model, as Linux tells it.
func cpu() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(info)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "unknown processor"
}
