/* SPDX-License-Identifier: BSD-3-Clause
 * The work of cpu/mix64 as a plain program that times itself, to tell what the harness adds.
 *
 * Usage: loop SECONDS; prints nanoseconds of CPU time per mix. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MIXES = 64, LAP = 1024 };

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    double seconds = strtod(argv[1], NULL), took = 0;
    uint64_t sum = 0, laps = 1, wanted = 0;
    /* Laps that take a tenth of the time warm up and tell how many take all of it: the measured
     * loop reads no clock. */
    while (wanted == 0) {
        if (took > seconds / 10)
            wanted = laps = (uint64_t)((double)laps * seconds / took) + 1;
        else
            laps *= 2;
        double begin = now();
        for (uint64_t lap = 0; lap < laps; lap++) {
            uint64_t x = 1;
            for (int i = 0; i < LAP; i++) {
                for (int k = 0; k < MIXES; k++)
                    x = mix(x);
                sum += x;
            }
            __asm__ volatile("" : "+r"(sum));
        }
        took = now() - begin;
    }
    printf("%.6f\n", took * 1e9 / ((double)laps * LAP * MIXES));
    return 0;
}
