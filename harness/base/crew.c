/* SPDX-License-Identifier: BSD-3-Clause
 * Creates and joins threads. */
#include "crew.h"

#include "gate.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct crew {
    void *(*live)(void *element);
    _Atomic uint32_t gate; /* opened when all exist, or will never */
    bool complete;
};

struct member {
    struct crew *crew;
    void *element;
    pthread_t thread;
};

static void *live_in_crew(void *argument)
{
    struct member *member = argument;
    xb_gate_wait(&member->crew->gate, 0, 0, true);
    return member->crew->complete ? member->crew->live(member->element) : NULL;
}

int xb_crew_run(uint32_t n, size_t stack_bytes, void *(*live)(void *element), void *first,
                size_t element_bytes, uint32_t *created)
{
    pthread_attr_t attributes;
    struct crew crew = { .live = live };
    struct member *members = calloc(n, sizeof *members);
    int err = members ? pthread_attr_init(&attributes) : ENOMEM;
    *created = 0;
    if (err) {
        free(members);
        return -err;
    }
    err = pthread_attr_setstacksize(&attributes, stack_bytes);
    for (; *created < n && !err; *created += !err) {
        struct member *member = &members[*created];
        member->crew = &crew;
        member->element = (char *)first + *created * element_bytes;
        err = pthread_create(&member->thread, &attributes, live_in_crew, member);
    }
    pthread_attr_destroy(&attributes);
    crew.complete = !err;
    xb_gate_open(&crew.gate, 0, true);
    for (uint32_t i = 0; i < *created; i++)
        pthread_join(members[i].thread, NULL);
    free(members);
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
