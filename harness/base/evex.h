/* The vector instructions of x86-64 that a decoder does not know yet: how long they are and what they
 * address, both of which follow from the encoding alone. */
#ifndef XB_BASE_EVEX_H
#define XB_BASE_EVEX_H

#include "insn.h"

/* Decodes an instruction with an EVEX or VEX prefix (62, c4, c5) at `code` (n bytes), address `at`. It is
 * taken to read its operand in memory: stores are old, and decoders know them. A compressed displacement
 * counts in whole vectors, or elements where they are broadcast; of the few instructions where it counts
 * in something else the address is some lines off. False: no such prefix, or cut off. Pure.
 * Source: Intel SDM 2, 2.3 (VEX), 2.7 (EVEX, tables 2-36 and 2-34). */
bool xb_evex_decode(const uint8_t *code, size_t n, uint64_t at, struct xb_insn *out)
    __attribute__((warn_unused_result));

#endif
