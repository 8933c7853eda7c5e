/* SPDX-License-Identifier: BSD-3-Clause
 * Sums up samples: counts, contended lines, and the sets of all other addresses. */
#include "stall_sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void xb_stall_sums_free(struct xb_stall_sums *sums)
{
    free(sums->of_site);
    free(sums->within_bytes);
}

static int by_line(const void *a, const void *b)
{
    const struct xb_touch *x = a, *y = b;
    uint64_t p = x->address / XB_LINE_BYTES, q = y->address / XB_LINE_BYTES;
    return p != q ? (p > q) - (p < q) : (x->thread > y->thread) - (x->thread < y->thread);
}

static int by_line_only(const void *a, const void *b)
{
    uint64_t p = ((const struct xb_touch *)a)->address / XB_LINE_BYTES;
    uint64_t q = ((const struct xb_touch *)b)->address / XB_LINE_BYTES;
    return (p > q) - (p < q);
}

/* Of `touch` (n atomic operations) keeps those on lines that several threads use them on, sorted: they
 * wait for each other, not for memory. Returns how many. */
static size_t keep_contended(struct xb_touch *touch, size_t n)
{
    size_t kept = 0;
    qsort(touch, n, sizeof *touch, by_line);
    for (size_t i = 0, next; i < n; i = next) {
        uint64_t line = touch[i].address / XB_LINE_BYTES;
        for (next = i + 1; next < n && touch[next].address / XB_LINE_BYTES == line;)
            next++;
        if (touch[i].thread == touch[next - 1].thread)
            continue;
        memmove(&touch[kept], &touch[i], (next - i) * sizeof *touch);
        kept += next - i;
    }
    return kept;
}

int xb_stall_sum(const struct xb_stalled *sample, size_t n, const struct xb_stall_site *site,
                 size_t n_sites, struct xb_stall_sums *out)
{
    *out = (struct xb_stall_sums){
        .n = n,
        .n_sites = n_sites,
        .of_site = calloc(n_sites + 1, sizeof *out->of_site),
        .within_bytes = calloc(n + 1, sizeof *out->within_bytes),
    };
    struct xb_touch *touch = calloc(n + 1, sizeof *touch), *atomic = calloc(n + 1, sizeof *atomic);
    struct xb_touch *offset = calloc(n + 1, sizeof *offset);
    size_t n_touches = 0, n_atomics = 0, n_offsets = 0;
    int err = -ENOMEM;
    if (!out->of_site || !out->within_bytes || !touch || !atomic || !offset)
        goto end;
    for (size_t i = 0; i < n; i++)
        if (sample[i].fate == XB_FATE_KNOWN && site[sample[i].site].stall.kind == XB_STALL_ATOMIC)
            atomic[n_atomics++] = xb_stall_touch(site, &sample[i]);
    out->contended = keep_contended(atomic, n_atomics);
    for (size_t i = 0; i < n; i++) {
        enum xb_stall_kind kind = site[sample[i].site].stall.kind;
        out->kind[kind]++;
        out->of_site[sample[i].site]++;
        if (sample[i].fate == XB_FATE_LOST && sample[i].within_bytes)
            out->within_bytes[out->n_within++] = (double)sample[i].within_bytes;
        else if (sample[i].fate == XB_FATE_LOST)
            out->lost++;
        if (sample[i].fate == XB_FATE_OFFSET)
            offset[n_offsets++] = xb_stall_touch(site, &sample[i]);
        if (sample[i].fate != XB_FATE_KNOWN)
            continue;
        touch[n_touches] = xb_stall_touch(site, &sample[i]);
        n_touches += kind != XB_STALL_ATOMIC || !bsearch(&touch[n_touches], atomic, out->contended,
                                                         sizeof *atomic, by_line_only);
    }
    err = xb_working_sets(touch, n_touches, out->pool, &out->n_pools);
    if (!err)
        err = xb_working_sets(offset, n_offsets, out->least, &out->n_least);
end:
    free(offset);
    free(atomic);
    free(touch);
    return err;
}
