/* One address that a program was caught waiting for. */
#ifndef XB_BASE_TOUCH_H
#define XB_BASE_TOUCH_H

#include <stdint.h>

struct xb_touch {
    uint64_t address; /* of two processes never the same: see xb_stall_touch() */
    uint32_t site;    /* the instruction: any number for each */
    uint32_t thread;  /* any number for each */
};

#endif
