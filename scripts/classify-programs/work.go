/* SPDX-License-Identifier: BSD-3-Clause
 * Work for one program in Go: work MODE [N], until killed.
 *
 *   spectral  the spectral norm of a matrix of 100 rows, whose elements are computed
 *   map N     a map of N strings, looked up in random order
 *   mutex     four goroutines and a mutex, whose owner sleeps 5 ms
 *   get       one connection after another, each with a byte to and fro, to a server at $port
 *
 * Nothing here is shared with kernels/, on which `xbound classify` may be tuned. */
package main

import (
	"math"
	"math/rand"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

var result float64

func element(i, j int) float64 { return 1 / float64((i+j)*(i+j+1)/2+i+1) }

func spectral(n int) {
	u, v := make([]float64, n), make([]float64, n)
	for i := range u {
		u[i] = 1
	}
	for k := 0; ; k++ {
		for i := range v {
			v[i] = 0
			for j := range u {
				v[i] += element(i, j) * u[j]
			}
		}
		length := 0.0
		for i := range u {
			u[i] = 0
			for j := range v {
				u[i] += element(j, i) * v[j]
			}
			length += u[i] * u[i]
		}
		for i := range u {
			u[i] /= math.Sqrt(length)
		}
		result = length
	}
}

func lookups(n int) {
	keys := make([]string, n)
	m := make(map[string]int, n)
	for i := range keys {
		keys[i] = "user" + strconv.Itoa(i)
		m[keys[i]] = i
	}
	rand.Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for {
		sum := 0
		for _, key := range keys {
			sum += m[key]
		}
		result = float64(sum)
	}
}

func mutex() {
	var m sync.Mutex
	for i := 0; i < 4; i++ {
		go func() {
			for {
				m.Lock()
				time.Sleep(5 * time.Millisecond)
				m.Unlock()
			}
		}()
	}
	select {}
}

func get() {
	for {
		c, err := net.Dial("tcp", "127.0.0.1:"+os.Getenv("port"))
		if err != nil {
			panic(err)
		}
		c.Write([]byte("?"))
		c.Read(make([]byte, 1))
		c.Close()
	}
}

func main() {
	n := 0
	if len(os.Args) > 2 {
		n, _ = strconv.Atoi(os.Args[2])
	}
	switch os.Args[1] {
	case "spectral":
		spectral(100)
	case "map":
		lookups(n)
	case "mutex":
		mutex()
	case "get":
		get()
	}
}
