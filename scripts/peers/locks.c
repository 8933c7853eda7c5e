/* SPDX-License-Identifier: BSD-3-Clause
 * The work of sync/counter_mutex, sync/counter_atomic and sync/barrier as one would write it by
 * hand with the C library's mutex and barrier and the compiler's atomics.
 *
 * Usage: locks mutex|atomic|barrier THREADS SECONDS; prints nanoseconds of wall time per item,
 * items of all threads together. Threads are bound to the CPUs that it may use, in turn. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS_MAX = 256 };

/* As in sync/barrier: what a thread leaves for the one before it, so that lines travel here too. */
struct numbers {
    uint64_t at[2];
} __attribute__((aligned(128)));

static struct {
    pthread_mutex_t lock __attribute__((aligned(128)));
    uint64_t locked __attribute__((aligned(128)));
    _Atomic uint64_t total __attribute__((aligned(128)));
    pthread_barrier_t meeting __attribute__((aligned(128)));
    pthread_barrier_t edge __attribute__((aligned(128))); /* of a lap */
    struct numbers left_by[THREADS_MAX];
    uint64_t items;
    double begin[THREADS_MAX], end[THREADS_MAX];
    int threads;
    char kind;
    cpu_set_t usable;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static void bind_to(int place)
{
    place %= CPU_COUNT(&all.usable);
    int cpu = 0;
    for (; place > 0 || !CPU_ISSET(cpu, &all.usable); cpu++)
        place -= CPU_ISSET(cpu, &all.usable) != 0;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static void work(int index)
{
    uint64_t n = all.items;
    switch (all.kind) {
    case 'm':
        for (uint64_t i = 0; i < n; i++) {
            pthread_mutex_lock(&all.lock);
            all.locked++;
            pthread_mutex_unlock(&all.lock);
        }
        break;
    case 'a':
        for (uint64_t i = 0; i < n; i++) {
            uint64_t ticket = atomic_fetch_add_explicit(&all.total, 1, memory_order_relaxed);
            __asm__ volatile("" : "+r"(ticket));
        }
        break;
    default: {
        struct numbers *mine = &all.left_by[index];
        const struct numbers *neighbours = &all.left_by[(index + 1) % all.threads];
        uint64_t sum = 0;
        for (uint64_t i = 0; i < n; i++) {
            mine->at[i % 2] = i;
            pthread_barrier_wait(&all.meeting);
            sum += neighbours->at[i % 2];
        }
        if (sum != n * (n - 1) / 2) {
            fprintf(stderr, "a thread passed the barrier too early\n");
            exit(1);
        }
    }
    }
}

/* Until the main thread says that there is no further lap. */
static void *live(void *argument)
{
    int index = (int)(intptr_t)argument;
    bind_to(index);
    for (;;) {
        pthread_barrier_wait(&all.edge);
        if (!all.items)
            return NULL;
        all.begin[index] = now();
        work(index);
        all.end[index] = now();
        pthread_barrier_wait(&all.edge);
    }
}

static double lap(uint64_t items)
{
    all.items = items;
    pthread_barrier_wait(&all.edge);
    if (!items)
        return 0;
    pthread_barrier_wait(&all.edge);
    double begin = all.begin[0], end = all.end[0];
    for (int i = 1; i < all.threads; i++) {
        begin = all.begin[i] < begin ? all.begin[i] : begin;
        end = all.end[i] > end ? all.end[i] : end;
    }
    return end - begin;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    all.kind = argv[1][0];
    all.threads = atoi(argv[2]);
    if (!strchr("mab", all.kind) || all.threads < 1 || all.threads > THREADS_MAX)
        return 2;
    double seconds = strtod(argv[3], NULL), took = 0;
    sched_getaffinity(0, sizeof all.usable, &all.usable);
    pthread_barrier_init(&all.meeting, NULL, (unsigned)all.threads);
    pthread_barrier_init(&all.edge, NULL, (unsigned)all.threads + 1);
    pthread_t threads[THREADS_MAX];
    for (int i = 0; i < all.threads; i++)
        if (pthread_create(&threads[i], NULL, live, (void *)(intptr_t)i))
            return 1;
    /* Laps that take a tenth of the time warm up and tell how many items take all of it. */
    uint64_t items = 1, wanted = 0;
    while (!wanted) {
        if (took > seconds / 10)
            wanted = items = (uint64_t)((double)items * seconds / took) + 1;
        else
            items *= 2;
        took = lap(items);
    }
    lap(0);
    for (int i = 0; i < all.threads; i++)
        pthread_join(threads[i], NULL);
    printf("%.4f\n", took * 1e9 / (double)items / all.threads);
    return 0;
}
