/* Tells at which instruction a program stood when a sample caught it, and what address it waited for.
 *
 * A timer's interrupt is taken between two instructions. Which of them the sample points to depends on
 * the CPU (see skid.h): where it is the one after, what was waited for is the one before. That one is
 * found by decoding the code around, once for each place; the address is computed for each sample from
 * its registers. */
#ifndef XB_BASE_STALL_H
#define XB_BASE_STALL_H

#include "loop.h"
#include "slice.h"

enum xb_skid {
    XB_SKID_NEXT, /* samples point behind the instruction that was waited for */
    XB_SKID_SAME, /* at it */
};

/* X(enumerator, name): what the program stood at. Those up to STRING have an address, or lost it. */
#define XB_STALL_KINDS(X)                                                                 \
    X(LOAD, "load")                                                                       \
    X(STORE, "store")                                                                     \
    X(ATOMIC, "atomic")                                                                   \
    X(STRING, "string")                                                                   \
    X(STACK, "stack")               /* push, pop, call and return */                      \
    X(THREAD_LOCAL, "thread-local") /* relative to a segment whose base is not sampled */ \
    X(PAUSE, "pause")                                                                     \
    X(SYSCALL, "syscall") /* back from one */                                             \
    X(DIVIDE, "divide")                                                                   \
    X(FENCE, "fence")                                                                     \
    X(JUMP, "jump")                                                                       \
    X(ALU, "alu")                                                                         \
    X(UNDECODABLE, "undecodable") /* this decoder does not know it */                     \
    X(NO_CODE, "no-code")         /* the process was gone, or the page cannot be read */

enum xb_stall_kind {
#define X(id, name) XB_STALL_##id,
    XB_STALL_KINDS(X)
#undef X
        XB_STALL_KIND_COUNT
};

enum xb_address_from {
    XB_ADDRESS_NONE,      /* this kind has no address */
    XB_ADDRESS_REGISTERS, /* of the sample */
    XB_ADDRESS_SLICE,     /* a register was overwritten and could be recovered */
    XB_ADDRESS_CHASE,     /* ... by a pointer that is the address of the next such load */
    XB_ADDRESS_LOST,      /* ... and that was that; or a vector of addresses */
};

struct xb_stall {
    enum xb_stall_kind kind;
    enum xb_address_from from;
    bool writes;         /* the operand in memory */
    bool is_alternating; /* rep movs: reads and writes */
    bool keeps_base;     /* XB_ADDRESS_LOST, and the base register still points to the array */
    bool keeps_index;    /* XB_ADDRESS_LOST but for how far from the base it was */
    uint64_t at;         /* the instruction */
    uint64_t end;
    struct xb_operand memory;
    struct xb_slice slice;
    struct xb_piece piece; /* of code, that the instruction lies in */
    int syscall;           /* its number where the code says so, or -1 */
    char text[64];         /* the instruction */
};

/* The name of a kind, as in XB_STALL_KINDS. */
const char *xb_stall_kind_name(enum xb_stall_kind kind);

/* What a sample at `ip` stood at. `window`: the code around, best from 128 bytes before to
 * XB_STALL_AHEAD behind; less of it finds less. */
void xb_stall_find(struct xb_decoder *decoder, const struct xb_window *window, uint64_t ip,
                   enum xb_skid skid, struct xb_stall *out);

/* Makes a stall that was found in some code the one of the same code `by` bytes further on (modulo 2^64), as a
 * library lies elsewhere in each process. False, and nothing is changed: what it says may depend on where the
 * code lies, as a jump's text does, or an address relative to its page (adrp) unless `by` is whole pages. */
bool xb_stall_move(struct xb_stall *stall, uint64_t by) __attribute__((warn_unused_result));

enum { XB_STALL_BEHIND = 128, XB_STALL_AHEAD = 1500 };

/* The address that was waited for. `turn`: any number that changes from sample to sample, for
 * instructions with two addresses. False: there is none, it is lost, or what came out can be no address
 * of a program. Whether something is mapped there is the caller's to check, and for XB_ADDRESS_CHASE
 * it has to: the end of a list looks like one. */
bool xb_stall_address(const struct xb_stall *stall, const struct xb_registers *registers,
                      unsigned turn, uint64_t *out) __attribute__((warn_unused_result));

/* How far from its base register the address was; where xb_stall.keeps_index. */
uint64_t xb_stall_offset(const struct xb_stall *stall, const struct xb_registers *registers);

#endif
