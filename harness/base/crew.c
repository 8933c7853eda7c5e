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
