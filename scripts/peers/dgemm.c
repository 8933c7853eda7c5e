/* SPDX-License-Identifier: BSD-3-Clause
 * Times cblas_dgemm on square matrices.
 *
 * Usage: dgemm N SECONDS; prints GFLOP/s. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int n = atoi(argv[1]), products = 0;
    double seconds = strtod(argv[2], NULL), *matrix[3];
    for (int m = 0; m < 3; m++) {
        matrix[m] = aligned_alloc(4096, (size_t)n * (size_t)n * sizeof(double));
        if (!matrix[m])
            return 1;
        for (int i = 0; i < n * n; i++)
            matrix[m][i] = (double)(i * 7 % 11) - 5;
    }
    double begin = 0, end = 0;
    /* The first product only warms up. */
    for (int done = 0; done < 2 || end < begin + seconds; done++) {
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, matrix[0], n, matrix[1],
                    n, 0, matrix[2], n);
        end = now();
        if (done == 0)
            begin = end;
        products = done;
    }
    printf("%.3f\n", 2e-9 * n * n * n * products / (end - begin));
    return 0;
}
