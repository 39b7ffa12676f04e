// net/http by the standard library alone, on the first socket of sd_listen_fds(3).
package main

import (
	"net"
	"net/http"
	"os"
	"strconv"
)

func main() {
	if pid := os.Getenv("LISTEN_PID"); pid != strconv.Itoa(os.Getpid()) {
		panic("LISTEN_PID=" + pid + ", but I am " + strconv.Itoa(os.Getpid()))
	}
	listener, err := net.FileListener(os.NewFile(3, os.Getenv("LISTEN_FDNAMES")))
	if err != nil {
		panic(err)
	}
	http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte("Hello World!\n"))
	}))
}
