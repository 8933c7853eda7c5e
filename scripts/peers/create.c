/* SPDX-License-Identifier: BSD-3-Clause
 * Makes a thread or a process and waits for its end, over and over, as one would write it by hand.
 *
 * Usage: create thread|process SECONDS; prints nanoseconds for each. The child answers a question in
 * memory that both see, as the one of sync/create_join does; without an answer there is no figure. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void *answer(void *slot)
{
    uint64_t *question = slot;
    question[1] = mix(question[0]);
    return NULL;
}

static int make_thread(uint64_t *slot)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, answer, slot) != 0 || pthread_join(thread, NULL) != 0;
}

static int make_process(uint64_t *slot)
{
    pid_t child = fork();
    if (child == 0) {
        answer(slot);
        _exit(0);
    }
    return child < 0 || waitpid(child, NULL, 0) != child;
}

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
    int (*make)(uint64_t * slot) = strcmp(argv[1], "thread") == 0 ? make_thread : make_process;
    double seconds = strtod(argv[2], NULL), took = 0;
    uint64_t *slot = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (slot == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    /* Rounds that take a tenth of the time warm up and tell how many take all of it. */
    uint64_t n = 1, wanted = 0;
    while (wanted == 0) {
        if (took > seconds / 10)
            wanted = n = (uint64_t)((double)n * seconds / took) + 1;
        else
            n *= 2;
        double begin = now();
        for (uint64_t i = 0; i < n; i++) {
            slot[0] = i + 1;
            slot[1] = 0;
            if (make(slot) || slot[1] != mix(i + 1)) {
                perror(argv[1]);
                return 1;
            }
        }
        took = now() - begin;
    }
    printf("%.6f\n", took * 1e9 / (double)n);
    return 0;
}
