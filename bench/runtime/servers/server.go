// net/http through go-systemd. With MARKS it prints what each step cost, in milliseconds, and ends.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

func main() {
	work, _ := strconv.Atoi(os.Getenv("WORK"))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		compute(work)
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

// Kept, so that no compiler leaves the work away.
var result atomic.Int32

// The same steps as in answer.ts.
func compute(steps int) {
	x := result.Load() | 1
	for i := 0; i < steps; i++ {
		x ^= x << 13
		x ^= int32(uint32(x) >> 17)
		x ^= x << 5
	}
	result.Store(x)
}
