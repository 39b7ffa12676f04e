// An HTTP/1.1 load client that costs little: see client.ts, which takes and gives the same.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"time"
)

type order struct {
	Port, Connections, Milliseconds int
	KeepAlive                       bool
}

type tally struct {
	latencies []time.Duration
	err       error
}

func main() {
	var o order
	if err := json.Unmarshal([]byte(os.Args[1]), &o); err != nil {
		panic(err)
	}
	// One core at most, and no idle threads that spin while the server has the other.
	runtime.GOMAXPROCS(1)
	tallies := make([]tally, o.Connections)
	start := time.Now()
	deadline := start.Add(time.Duration(o.Milliseconds) * time.Millisecond)
	var group sync.WaitGroup
	for i := range tallies {
		group.Add(1)
		go func(t *tally) {
			defer group.Done()
			t.err = t.ask(o, deadline)
		}(&tallies[i])
	}
	group.Wait()
	seconds := time.Since(start).Seconds()

	all := []time.Duration{}
	for _, t := range tallies {
		if t.err != nil {
			os.Stderr.WriteString(t.err.Error() + "\n")
			os.Exit(1)
		}
		all = append(all, t.latencies...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	cpu := float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e6
	json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"requests": float64(len(all)),
		"seconds":  seconds,
		"cpu":      cpu,
		"p50":      all[len(all)/2].Seconds() * 1000,
		"p99":      all[len(all)*99/100].Seconds() * 1000,
	})
}

func (t *tally) ask(o order, deadline time.Time) error {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port))
	header := "GET / HTTP/1.1\r\nHost: localhost\r\n"
	if !o.KeepAlive {
		header += "Connection: close\r\n"
	}
	request := []byte(header + "\r\n")
	reader := bufio.NewReader(nil)
	var connection net.Conn
	for time.Now().Before(deadline) {
		start := time.Now()
		if connection == nil {
			var err error
			if connection, err = net.Dial("tcp4", address); err != nil {
				return err
			}
			connection.SetDeadline(deadline.Add(10 * time.Second))
			reader.Reset(connection)
		}
		if _, err := connection.Write(request); err != nil {
			return err
		}
		if err := readAnswer(reader); err != nil {
			return err
		}
		t.latencies = append(t.latencies, time.Since(start))
		if !o.KeepAlive {
			// The server closes first, so that no port of ours stays in TIME_WAIT.
			io.Copy(io.Discard, reader)
			connection.Close()
			connection = nil
		}
	}
	return nil
}

func readAnswer(reader *bufio.Reader) error {
	length := 0
	for first := true; ; first = false {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return io.ErrUnexpectedEOF
		}
		if len(line) == 2 {
			break
		}
		if name := "Content-Length: "; bytes.HasPrefix(line, []byte(name)) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(name):]))); err != nil {
				return err
			}
		}
	}
	_, err := reader.Discard(length)
	return err
}
