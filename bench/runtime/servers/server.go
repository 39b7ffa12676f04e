// net/http through go-systemd. With MARKS it prints what each step cost, in milliseconds, and ends.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

func main() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte("Hello World!\n"))
	})

	start := time.Now()
	named, err := activation.ListenersWithNames()
	activated := time.Now()
	if err != nil || len(named) == 0 {
		panic("no socket was passed")
	}
	for _, listeners := range named {
		for _, listener := range listeners {
			go http.Serve(listener, handler)
		}
	}
	daemon.SdNotify(false, daemon.SdNotifyReady)
	ready := time.Now()
	if os.Getenv("MARKS") == "" {
		select {}
	}
	milliseconds := func(d time.Duration) float64 { return d.Seconds() * 1000 }
	fmt.Printf("{\"activate\":%g,\"serve\":%g}\n", milliseconds(activated.Sub(start)), milliseconds(ready.Sub(activated)))
}
