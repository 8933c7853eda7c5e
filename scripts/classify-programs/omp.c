/* SPDX-License-Identifier: BSD-3-Clause
 * What OpenMP programs mostly are, for OMP_NUM_THREADS threads: omp MODE, until killed.
 *
 *   triad       STREAM's triad over three arrays of 128 MiB, shared out evenly
 *   mandelbrot  the set's rows, dealt out as threads become free
 *   critical    each thread computes for about 100 us at a time, all of it in one critical section
 *
 * Nothing here is shared with kernels/, on which `xbound classify` may be tuned. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void triad(void)
{
    enum { N = 16 << 20 };
    double *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b), *c = malloc(N * sizeof *c);
    if (!a || !b || !c) {
        fprintf(stderr, "omp: no memory for three arrays of 128 MiB\n");
        exit(1);
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < N; i++) {
        a[i] = 0;
        b[i] = (double)i;
        c[i] = 1;
    }
    for (;;) {
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < N; i++)
            a[i] = b[i] + 3 * c[i];
        __asm__ volatile("" : : "r"(a) : "memory");
    }
}

static void mandelbrot(void)
{
    enum { ROWS = 1000, MOST = 500 };
    for (;;) {
        unsigned steps = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : steps)
        for (int row = 0; row < ROWS; row++)
            for (int column = 0; column < ROWS; column++) {
                double cx = 3. * column / ROWS - 2, cy = 2. * row / ROWS - 1, x = 0, y = 0;
                for (int i = 0; i < MOST && x * x + y * y < 4; i++, steps++) {
                    double was = x;
                    x = x * x - y * y + cx;
                    y = 2 * was * y + cy;
                }
            }
        __asm__ volatile("" : : "r"(steps));
    }
}

static void critical(void)
{
#pragma omp parallel
    for (;;) {
#pragma omp critical
        {
            uint64_t x = 1;
            for (unsigned i = 0; i < 100000; i++) {
                x *= 3;
                __asm__ volatile("" : "+r"(x));
            }
        }
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = { { "triad", triad }, { "mandelbrot", mandelbrot }, { "critical", critical } };
    for (size_t i = 0; argc == 2 && i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(argv[1], modes[i].name))
            modes[i].run();
    fprintf(stderr, "Usage: omp triad|mandelbrot|critical\n");
    return 2;
}
