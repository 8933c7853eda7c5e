/* What this build knows of itself: its commit, how its code is placed, and a hash of each kernel's
 * machine code. */
#ifndef XB_CORE_BUILD_H
#define XB_CORE_BUILD_H

/* As git describe says it, or "unknown". */
const char *xb_build_commit(void);

/* The boundary that functions and loops begin at, in bytes: "64", "functions-only" where the compiler
 * cannot place loops, or "none". */
const char *xb_build_alignment(void);

/* A hash of all that the compiler made of a kernel's file (code, constants, and what they refer to by
 * name) and of those it calls in kernels/; the same in two builds only if the code is the same,
 * wherever the linker put it. "-": not known, or no such kernel. */
const char *xb_build_code_hash(const char *kernel);

/* Written by scripts/code-hashes.sh when the program is linked; ends with a NULL name. */
struct xb_code_hash {
    const char *kernel, *hash;
};
extern const struct xb_code_hash xb_code_hashes[];

#endif
