/* What a kernel's hot loop must hold, as its tags claim, against what objdump found in its object
 * file. All of it works on text, so that it can be shown to fail on a recorded disassembly. */
#ifndef XB_TESTS_LOOPS_H
#define XB_TESTS_LOOPS_H

#include "../base/reason.h"

#include <regex.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- tags ---- */

/* One claim: from `least` to `most` of a loop's instructions match `pattern`. */
struct xb_loop_claim {
    size_t least, most;
    const char *text; /* the pattern in words, into xb_loop_tag.text */
    regex_t pattern;
};

#define XB_LOOP_CLAIMS 16

struct xb_loop_tag {
    char *text;           /* cut at its separators */
    const char *function; /* into text */
    struct xb_loop_claim claim[XB_LOOP_CLAIMS];
    size_t n_claims;
    int line; /* counted from 1 */
    struct xb_loop_tag *next;
};

/* Finds the tags in `source`, a C file's text: comments that begin with the word "xb-loop:" and go
 * on "function: COUNT REGEX; COUNT REGEX". Puts them in `tags`, which the caller gives to
 * xb_loop_tags_close() also after an error. 0, or -EINVAL and in `why` the line and what is wrong
 * with the first that is none. */
int xb_loop_tags_read(const char *source, struct xb_loop_tag **tags, struct xb_reason *why);
void xb_loop_tags_close(struct xb_loop_tag *tags);

/* ---- disassembly ---- */

struct xb_instruction {
    uint64_t at;          /* its address in its section */
    uint64_t target;      /* where a direct jump goes; UINT64_MAX for all others */
    const char *text;     /* mnemonic and operands with single blanks between */
    const char *function; /* the symbol it stands below; the same pointer for one function */
};

struct xb_code {
    char *text;
    struct xb_instruction *instruction;
    size_t n;
};

/* Reads what `objdump -d --no-show-raw-insn` prints; lines that are neither an instruction nor a
 * symbol are passed over. 0 or -ENOMEM. Close `code` in any case. */
int xb_code_read(struct xb_code *code, FILE *in);
void xb_code_close(struct xb_code *code);

/* Whether a loop of the tag's function, innermost, holds all that the tag claims. 0; -ENOENT when
 * the code has no such function; -EBADMSG when no loop of it does. What is missing is then written
 * to `say`: each claim, and the loop that comes closest. */
int xb_loop_check(const struct xb_loop_tag *tag, const struct xb_code *code, FILE *say);

#endif
