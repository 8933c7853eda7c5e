/* SPDX-License-Identifier: BSD-3-Clause
 * Times ISA-L's crc32_iscsi over one buffer, again and again.
 *
 * Usage: crc BYTES SECONDS; prints GB/s. */
#include <isa-l.h>
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
    int bytes = atoi(argv[1]);
    double seconds = strtod(argv[2], NULL), took = 0;
    unsigned char *buffer = malloc((size_t)bytes);
    if (!buffer)
        return 1;
    for (int i = 0; i < bytes; i++)
        buffer[i] = (unsigned char)(i * 31);
    unsigned crc = 0;
    size_t laps = 1, wanted = 0;
    /* Laps that take a tenth of the time warm up and tell how many take all of it. */
    while (wanted == 0) {
        if (took > seconds / 10)
            wanted = laps = (size_t)((double)laps * seconds / took) + 1;
        else
            laps *= 2;
        double begin = now();
        for (size_t lap = 0; lap < laps; lap++)
            crc = crc32_iscsi(buffer, bytes, crc);
        took = now() - begin;
    }
    __asm__ volatile("" : : "r"(crc));
    printf("%.4f\n", (double)laps * bytes / took / 1e9);
    free(buffer);
    return 0;
}
