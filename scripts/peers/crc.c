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
    double seconds = strtod(argv[2], NULL), begin = now(), end = begin + seconds / 10;
    unsigned char *buffer = malloc((size_t)bytes);
    if (!buffer)
        return 1;
    for (int i = 0; i < bytes; i++)
        buffer[i] = (unsigned char)(i * 31);
    unsigned crc = 0;
    double laps = 0;
    /* The first tenth of the time only warms up. */
    for (int measured = 0; measured < 2; measured++) {
        laps = 0;
        begin = now();
        do {
            for (int i = 0; i < 16; i++)
                crc = crc32_iscsi(buffer, bytes, crc);
            laps += 16;
        } while (now() < end);
        end = now();
        if (!measured)
            end += seconds;
    }
    __asm__ volatile("" : : "r"(crc));
    printf("%.4f\n", laps * bytes / (end - begin) / 1e9);
    free(buffer);
    return 0;
}
