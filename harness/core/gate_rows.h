/* The files of an `xbound ab`: slices.csv (raw), ab.csv (a row per block), verdicts.csv. */
#ifndef XB_CORE_GATE_ROWS_H
#define XB_CORE_GATE_ROWS_H

#include "block.h"
#include "gate.h"
#include "sink.h"

#define XB_GATE_SCHEMA 1

struct xb_gate_files {
    struct xb_sink slices, blocks, verdicts;
};

/* Makes the files in `directory`, which xb_sink_prepare() made, with their headers; that of `verdicts`
 * only where there will be some. 0 or -errno with `why`; close them in any case. A struct that is all
 * zero may be closed too. */
int xb_gate_files_open(struct xb_gate_files *files, const char *directory, bool verdicts,
                       struct xb_reason *why);
int xb_gate_files_close(struct xb_gate_files *files, struct xb_reason *why);

/* Appends one block's slices and its row, each whole or not at all. `iters`, `bytes`: of a slice, of
 * the working set; 0: none. 0 or -errno with `why`. */
int xb_gate_write_block(struct xb_gate_files *files, const struct xb_contest *contest,
                        size_t number, const struct xb_block *block, uint64_t iters, uint64_t bytes,
                        struct xb_reason *why);

/* Appends a row per comparison. The same. */
int xb_gate_write_verdicts(struct xb_gate_files *files, const struct xb_gate *gate,
                           struct xb_reason *why);

#endif
