package main

import (
	"net/http"

	"github.com/coreos/go-systemd/v22/activation"
)

func main() {
	listeners, err := activation.Listeners()
	if err != nil || len(listeners) != 1 {
		panic("one socket must be passed")
	}
	http.Serve(listeners[0], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte("Hello World!\n"))
	}))
}
