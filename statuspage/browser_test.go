package statuspage_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The page in a real browser: SECRETS_TEST_BROWSER names a Chromium. With
// SECRETS_TEST_SCREENSHOT a picture is written there.
func TestBrowser(t *testing.T) {
	program := os.Getenv("SECRETS_TEST_BROWSER")
	if program == "" {
		t.Skip("SECRETS_TEST_BROWSER is not set")
	}
	pages := make(map[string]*httptest.ResponseRecorder)
	synctest.Test(t, func(t *testing.T) {
		_, _, h := scene(t, 200)
		for _, target := range []string{"/", "/?q=checkout&state=&sort=", "/?q=checkout&state=&sort=ref", "/?q=nothing&state=&sort="} {
			pages[target] = ask(h, "GET", target)
		}
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := pages[r.URL.RequestURI()]
		if page == nil {
			http.NotFound(w, r)
			return
		}
		for name, values := range page.Header() {
			w.Header()[name] = values
		}
		_, _ = w.Write(page.Body.Bytes())
	}))
	defer srv.Close()
	b := startBrowser(t, program)

	var phone, desktop image.Image
	for _, screen := range []struct {
		width, height int
		mobile        bool
		scheme        string
		keep          *image.Image
	}{
		{320, 568, true, "light", nil},
		{390, 1130, true, "dark", &phone},
		{768, 1024, true, "light", nil},
		{840, 900, false, "light", nil},
		{1180, 1130, false, "light", &desktop},
		{1920, 1080, false, "dark", nil},
	} {
		name := fmt.Sprintf("%d wide, %s", screen.width, screen.scheme)
		b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": screen.mobile})
		b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": screen.scheme}}})
		for target := range pages {
			b.open(srv.URL + target)
			require.Equal(t, float64(screen.width), b.eval("innerWidth"), name)
			require.LessOrEqual(t, b.eval("document.documentElement.scrollWidth"), float64(screen.width), "%s %s: it overflows", name, target)
			require.Empty(t, b.eval(`[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && e.offsetWidth > 1 && !e.closest("thead")).map(e => e.outerHTML.slice(0, 100)).join("\n")`), name)
			require.Contains(t, b.eval("document.body.innerText"), "checkout on ip-10-0-3-17")
		}
		b.open(srv.URL + "/")
		require.Equal(t, 200.0, b.eval(`document.querySelectorAll("table > tbody").length`))
		dark := b.eval(`getComputedStyle(document.body).backgroundColor`) == "rgb(15, 20, 26)"
		require.Equal(t, screen.scheme == "dark", dark, "the page's style applies, "+name)
		require.Empty(t, b.eval(`[...document.querySelectorAll("input,select,button")].filter(e => e.getBoundingClientRect().height < 36).length || ""`), "what is touched is large enough")
		pic := b.screenshot()
		require.Greater(t, colors(pic), 20, "%s: it is blank", name)
		if screen.keep != nil {
			*screen.keep = pic
		}
	}

	// The form works without scripts.
	b.open(srv.URL + "/")
	b.navigates(`document.querySelector("input").value = "checkout"; document.querySelector("button").click()`)
	require.Equal(t, srv.URL+"/?q=checkout&state=&sort=", b.eval("location.href"))
	require.Equal(t, 7.0, b.eval(`document.querySelectorAll("table > tbody").length`))
	require.Equal(t, "checkout", b.eval(`document.querySelector("input").value`))

	require.Empty(t, b.complaints, "of the console")
	if path := os.Getenv("SECRETS_TEST_SCREENSHOT"); path != "" {
		var buf bytes.Buffer
		require.NoError(t, png.Encode(&buf, beside(desktop, phone)))
		require.NoError(t, os.WriteFile(path, buf.Bytes(), 0o644))
	}
}

func colors(m image.Image) int {
	seen := make(map[color.Color]bool)
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y += 3 {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x += 3 {
			seen[m.At(x, y)] = true
		}
	}
	return len(seen)
}

// beside puts two pictures on one.
func beside(a, b image.Image) image.Image {
	const gap = 24
	w, h := a.Bounds().Dx()+b.Bounds().Dx()+3*gap, max(a.Bounds().Dy(), b.Bounds().Dy())+2*gap
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(m, m.Bounds(), image.NewUniform(color.RGBA{0xc9, 0xd1, 0xdb, 0xff}), image.Point{}, draw.Src)
	draw.Draw(m, a.Bounds().Add(image.Pt(gap, gap)), a, a.Bounds().Min, draw.Src)
	draw.Draw(m, b.Bounds().Add(image.Pt(a.Bounds().Dx()+2*gap, gap)), b, b.Bounds().Min, draw.Src)
	return m
}

// browser is a Chromium that is spoken to by the DevTools protocol over its
// pipe: file descriptors 3 and 4, a zero byte after each message.
type browser struct {
	t          *testing.T
	in         io.Writer
	messages   chan message
	id         int
	session    string
	events     map[string]int
	complaints []string
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func startBrowser(t *testing.T, program string) *browser {
	t.Helper()
	hears, in, err := os.Pipe()
	require.NoError(t, err)
	out, says, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{hears, says}
	require.NoError(t, cmd.Start())
	require.NoError(t, hears.Close())
	require.NoError(t, says.Close())
	b := &browser{t: t, in: in, messages: make(chan message, 10_000), events: make(map[string]int)}
	go func() {
		defer close(b.messages)
		for r := bufio.NewReaderSize(out, 1<<20); ; {
			line, err := r.ReadBytes(0)
			var m message
			if err != nil || json.Unmarshal(line[:len(line)-1], &m) != nil {
				return
			}
			b.messages <- m
		}
	}()
	t.Cleanup(func() {
		b.session = ""
		b.call("Browser.close", nil)
		for range b.messages {
		}
		_ = cmd.Wait()
		_, _ = in.Close(), out.Close()
	})
	var target struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil)
	}
	return b
}

// call makes a call and waits for its answer.
func (b *browser) call(method string, params any, result ...any) {
	b.t.Helper()
	b.id++
	request := map[string]any{"id": b.id, "method": method}
	if params != nil {
		request["params"] = params
	}
	if b.session != "" {
		request["sessionId"] = b.session
	}
	line, err := json.Marshal(request)
	require.NoError(b.t, err)
	_, err = b.in.Write(append(line, 0))
	require.NoError(b.t, err)
	for {
		if m := b.next(); m.ID == b.id {
			require.Empty(b.t, string(m.Error), method)
			for _, r := range result {
				require.NoError(b.t, json.Unmarshal(m.Result, r))
			}
			return
		}
	}
}

// next takes a message, and notes what it says of the page.
func (b *browser) next() message {
	b.t.Helper()
	select {
	case m, ok := <-b.messages:
		require.True(b.t, ok, "the browser went away")
		b.events[m.Method]++
		switch m.Method {
		case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Network.loadingFailed":
			b.complaints = append(b.complaints, m.Method+" "+string(m.Params))
		case "Network.requestWillBeSent":
			if url := string(m.Params); !strings.Contains(url, `"url":"http://127.0.0.1:`) && !strings.Contains(url, `"url":"data:,`) {
				b.complaints = append(b.complaints, "a request elsewhere: "+url)
			}
		}
		return m
	case <-time.After(time.Minute):
		require.Fail(b.t, "the browser does not answer")
		return message{}
	}
}

func (b *browser) open(url string) {
	b.t.Helper()
	loads := b.events["Page.loadEventFired"]
	b.call("Page.navigate", map[string]any{"url": url})
	for b.events["Page.loadEventFired"] == loads {
		b.next()
	}
}

// navigates does what leads to another page.
func (b *browser) navigates(script string) {
	b.t.Helper()
	loads := b.events["Page.loadEventFired"]
	b.eval(script)
	for b.events["Page.loadEventFired"] == loads {
		b.next()
	}
}

func (b *browser) eval(expression string) any {
	b.t.Helper()
	var r struct {
		Result struct {
			Value   any
			Subtype string
		}
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &r)
	require.NotEqual(b.t, "error", r.Result.Subtype, expression)
	return r.Result.Value
}

func (b *browser) screenshot() image.Image {
	b.t.Helper()
	var r struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &r)
	data, err := base64.StdEncoding.DecodeString(r.Data)
	require.NoError(b.t, err)
	m, err := png.Decode(bytes.NewReader(data))
	require.NoError(b.t, err)
	return m
}
