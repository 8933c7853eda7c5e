/* SPDX-License-Identifier: BSD-3-Clause
 * OpenBLAS's product of two N x N matrices of doubles, over and over: dgemm N, until killed. */
#include <cblas.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int n = argc == 2 ? atoi(argv[1]) : 0;
    if (n < 1 || n > 10000) {
        fprintf(stderr, "Usage: dgemm N\n");
        return 2;
    }
    size_t elements = (size_t)n * (size_t)n;
    double *a = malloc(elements * sizeof *a), *b = malloc(elements * sizeof *b);
    double *c = malloc(elements * sizeof *c);
    if (!a || !b || !c) {
        fprintf(stderr, "dgemm: no memory for three %d x %d matrices\n", n, n);
        return 1;
    }
    for (size_t i = 0; i < elements; i++)
        a[i] = b[i] = (double)(i % 7);
    for (;;)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, b, n, 0, c, n);
}
