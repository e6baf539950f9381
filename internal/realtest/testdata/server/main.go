// Command server stands in for the real server in the tests of realtest: it
// takes the same environment and answers /readyz.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/environment", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Join(os.Environ(), "\n"))
	})
	http.HandleFunc("/arguments", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Join(os.Args[1:], "\n"))
	})
	http.HandleFunc("/race", func(http.ResponseWriter, *http.Request) { race() })
	server := &http.Server{Addr: os.Getenv("ADDR")}
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}()
	fmt.Println("listening on " + server.Addr)
	<-ctx.Done()
	if os.Getenv("EXIT") == "3" {
		os.Exit(3)
	}
	if err := server.Shutdown(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// race has two goroutines write one variable without agreeing on an order.
func race() {
	var shared int
	done := make(chan struct{})
	go func() {
		shared++
		close(done)
	}()
	shared++
	<-done
	fmt.Fprintln(os.Stderr, "raced:", shared)
}
