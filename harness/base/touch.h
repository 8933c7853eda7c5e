/* One address that a program was caught waiting for. */
#ifndef XB_BASE_TOUCH_H
#define XB_BASE_TOUCH_H

#include <stdint.h>

struct xb_touch {
    uint64_t
        address; /* of two processes never the same, and the top byte differs: see xb_stall_touch() */
    uint32_t site;   /* the instruction: any number for each */
    uint32_t thread; /* any number for each */
};

/* Any number for each process; memory that processes share counts as one more. */
static inline unsigned xb_touch_process(uint64_t address)
{
    return (unsigned)(address >> 56);
}

#endif
