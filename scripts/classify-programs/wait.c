/* SPDX-License-Identifier: BSD-3-Clause
 * Threads that wait for each other, in ways that no package has alone: wait MODE THREADS, until killed.
 *
 *   hold     a mutex whose owner sleeps 5 ms
 *   spin     a spin lock whose owner computes for about a microsecond
 *   turns    a turn that is passed on by condition variable
 *   barrier  a barrier with no work between
 *   uneven   a barrier; between two of them one thread computes for 5 ms, the others not at all
 *   count    one counter, to which all add atomically and nothing else
 *
 * Nothing here is shared with kernels/, on which `xbound classify` may be tuned. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned threads;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t passed = PTHREAD_COND_INITIALIZER;
static pthread_spinlock_t spinlock;
static pthread_barrier_t barrier;
static unsigned turn;

/* Dependent multiplications: about a nanosecond each. */
static void compute(unsigned steps)
{
    uint64_t x = steps;
    for (unsigned i = 0; i < steps; i++) {
        x *= 3;
        __asm__ volatile("" : "+r"(x));
    }
}

static void hold(unsigned index)
{
    (void)index;
    for (;;) {
        pthread_mutex_lock(&mutex);
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
        pthread_mutex_unlock(&mutex);
    }
}

static void spin(unsigned index)
{
    (void)index;
    for (;;) {
        pthread_spin_lock(&spinlock);
        compute(1000);
        pthread_spin_unlock(&spinlock);
    }
}

static void turns(unsigned index)
{
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (turn != index)
            pthread_cond_wait(&passed, &mutex);
        turn = (turn + 1) % threads;
        pthread_cond_broadcast(&passed);
        pthread_mutex_unlock(&mutex);
    }
}

static void meet(unsigned index)
{
    (void)index;
    for (;;)
        pthread_barrier_wait(&barrier);
}

static void uneven(unsigned index)
{
    for (;;) {
        if (index == 0) {
            struct timespec from, now;
            clock_gettime(CLOCK_MONOTONIC, &from);
            do {
                compute(10000);
                clock_gettime(CLOCK_MONOTONIC, &now);
            } while ((now.tv_sec - from.tv_sec) * 1000000000 + now.tv_nsec - from.tv_nsec <
                     5000000);
        }
        pthread_barrier_wait(&barrier);
    }
}

static uint64_t counter;

static void count(unsigned index)
{
    (void)index;
    for (;;)
        __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
}

static void (*run)(unsigned index);

static void *work(void *index)
{
    run((unsigned)(uintptr_t)index);
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(unsigned index);
    } modes[] = {
        { "hold", hold },    { "spin", spin },     { "turns", turns },
        { "barrier", meet }, { "uneven", uneven }, { "count", count },
    };
    threads = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    for (size_t i = 0; threads && i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(argv[1], modes[i].name))
            run = modes[i].run;
    if (!run) {
        fprintf(stderr, "Usage: wait hold|spin|turns|barrier|uneven|count THREADS\n");
        return 2;
    }
    pthread_spin_init(&spinlock, PTHREAD_PROCESS_PRIVATE);
    pthread_barrier_init(&barrier, NULL, threads);
    for (unsigned i = 1; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, (void *)(uintptr_t)i)) {
            fprintf(stderr, "wait: no thread %u\n", i);
            return 1;
        }
    }
    run(0);
    return 0;
}
