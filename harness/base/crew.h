/* OS threads: a crew of them that does the same, each for one element of an array, or just one. */
#ifndef XB_BASE_CREW_H
#define XB_BASE_CREW_H

#include <stddef.h>
#include <stdint.h>

/* Calls live() in `n` new OS threads, with the address of element 0 .. n-1 of the array `first`,
 * whose elements are `element_bytes` apart, once all of them exist, and returns 0 when all have
 * returned. `stack_bytes`: of each thread, at least PTHREAD_STACK_MIN. Where one cannot be created:
 * -errno of pthread_create(3), or -ENOMEM, *created says how many there were, and live() is called in none
 * of them: they would wait for a full crew that will never be. */
int xb_crew_run(uint32_t n, size_t stack_bytes, void *(*live)(void *element), void *first,
                size_t element_bytes, uint32_t *created);

/* Calls entry(argument) in one more OS thread. *thread: for xb_crew_join(), which is called once,
 * returns when entry() has returned, and gives all back. 0 or -errno. From any thread. */
int xb_crew_spawn(size_t stack_bytes, void (*entry)(void *argument), void *argument, void **thread);
int xb_crew_join(void *thread);

#endif
