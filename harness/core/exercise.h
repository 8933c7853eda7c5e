/* Work whose counts are known beforehand, to hold counters against. */
#ifndef XB_CORE_EXERCISE_H
#define XB_CORE_EXERCISE_H

#include <stdbool.h>
#include <stdint.h>

enum xb_exercise_kind {
    XB_EXERCISE_LOOP,    /* rounds of two instructions, one a taken branch; exact */
    XB_EXERCISE_PRODUCT, /* multiplications that wait for each other: two cycles each at least */
    XB_EXERCISE_CHASE,   /* dependent loads from lines that no cache holds */
    XB_EXERCISE_TOSS,    /* branches on random bits, every second one mispredicted */
    XB_EXERCISE_PAGES,   /* first writes to pages; each a page fault */
    XB_EXERCISE_SLEEP,   /* sleeps; each a switch away from the thread */
    XB_EXERCISE_MOVE,    /* moves to another CPU */
    XB_EXERCISE_MIXTURE, /* rounds of all that a program does: loads and stores, also of lines that no
                          * cache holds, calls of code that none holds, random branches, floating
                          * point in double precision, vectors, atomics */
};

enum { XB_EXERCISE_PAGES_MOST = 256, XB_EXERCISE_LOADS_MOST = 16384 };

struct xb_exercise {
    char *data;  /* lines to chase through, and to mix */
    char *code;  /* a return instruction in each line; NULL where memory may not be executed */
    char *pages; /* not touched yet */
    uint64_t random;
    uint64_t sink; /* what came out, so that it is needed */
};

/* 0 or -errno. Close it in any case. */
int xb_exercise_open(struct xb_exercise *exercise);
void xb_exercise_close(struct xb_exercise *exercise);

/* Whether it can be done here: there may be one CPU only, or no instruction to empty caches. */
bool xb_exercise_possible(enum xb_exercise_kind kind);

/* Makes ready for n of a kind, outside the window. 0 or -errno. */
int xb_exercise_prepare(struct xb_exercise *exercise, enum xb_exercise_kind kind, uint64_t n);

/* Does n of them: at most XB_EXERCISE_PAGES_MOST pages and XB_EXERCISE_LOADS_MOST loads. Calling
 * thread, which it leaves bound as it was. */
void xb_exercise_do(struct xb_exercise *exercise, enum xb_exercise_kind kind, uint64_t n);

#endif
