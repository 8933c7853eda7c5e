/* SPDX-License-Identifier: BSD-3-Clause
 * Creates and joins threads. */
#include "crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

int xb_crew_run(uint32_t n, size_t stack_bytes, void *(*live)(void *element), void *first,
                size_t element_bytes, uint32_t *created)
{
    pthread_attr_t attributes;
    pthread_t *threads = calloc(n, sizeof *threads);
    int err = threads ? pthread_attr_init(&attributes) : ENOMEM;
    *created = 0;
    if (err) {
        free(threads);
        return -err;
    }
    err = pthread_attr_setstacksize(&attributes, stack_bytes);
    for (; *created < n && !err; *created += !err)
        err = pthread_create(&threads[*created], &attributes, live,
                             (char *)first + *created * element_bytes);
    pthread_attr_destroy(&attributes);
    for (uint32_t i = 0; i < n && !err; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return -err;
}

struct single {
    pthread_t thread;
    void (*entry)(void *argument);
    void *argument;
};

static void *live_alone(void *argument)
{
    struct single *single = argument;
    single->entry(single->argument);
    return NULL;
}

int xb_crew_spawn(size_t stack_bytes, void (*entry)(void *argument), void *argument, void **thread)
{
    pthread_attr_t attributes;
    struct single *single = malloc(sizeof *single);
    int err = single ? pthread_attr_init(&attributes) : ENOMEM;
    if (err) {
        free(single);
        return -err;
    }
    *single = (struct single){ .entry = entry, .argument = argument };
    err = pthread_attr_setstacksize(&attributes, stack_bytes);
    if (!err)
        err = pthread_create(&single->thread, &attributes, live_alone, single);
    pthread_attr_destroy(&attributes);
    if (err)
        free(single);
    else
        *thread = single;
    return -err;
}

int xb_crew_join(void *thread)
{
    struct single *single = thread;
    int err = pthread_join(single->thread, NULL);
    free(single);
    return -err;
}
