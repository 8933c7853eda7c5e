/* Sorts instructions by how long the next one has to wait for their result. */
#ifndef XB_BASE_LATENCY_H
#define XB_BASE_LATENCY_H

/* X(enumerator, cycles): the classes, and the least that CPUs of the last ten years take (Fog, "Instruction
 * tables", Zen 2 to 4, Skylake to Golden Cove; Arm's guides to Neoverse N1 and V2), where cycle.h
 * measures nothing. Where an instruction's class is not known it is LATENCY_ONE: too little
 * rather than too much. */
#define XB_LATENCIES(X)                                                                  \
    X(MOVE, 0)     /* from register to register, which renaming does; what only loads */ \
    X(ONE, 1)      /* addition, logic, shifts, shuffles and whatever else */             \
    X(MULTIPLY, 3) /* of integers; conversions and bit scans that take as long */        \
    X(FP_ADD, 2)                                                                         \
    X(FP_MULTIPLY, 3)                                                                    \
    X(FP_FUSED, 2)  /* from the addend on: some forward it late */                       \
    X(FP_SELECT, 1) /* minimum and maximum */                                            \
    X(DIVIDE, 7)    /* and square root */

enum xb_latency {
#define X(id, cycles) XB_LATENCY_##id,
    XB_LATENCIES(X)
#undef X
        XB_LATENCY_COUNT
};

/* The class of an instruction as xb_insn.text has it: by its name alone. Pure. */
enum xb_latency xb_latency_of(const char *text);

#endif
