/* SPDX-License-Identifier: BSD-3-Clause
 * Sums up samples: counts, contended lines, and the sets of all other addresses. */
#include "stall_sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

enum { HOT_LINE = 50 }; /* a line has one sample in so many */

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

/* Of `touch` (n of any kind, of `all` samples) keeps those on lines that several threads wait for all the
 * time and that at least one of them writes: a plain store has to take the line from the other's cache as
 * an atomic one has. Lines with few samples are left out: threads that use one array in turns meet there
 * by chance. Sorted; returns how many. */
static size_t keep_fought_over(const struct xb_stall_site *site, struct xb_touch *touch, size_t n,
                               size_t all)
{
    size_t kept = 0;
    qsort(touch, n, sizeof *touch, by_line);
    for (size_t i = 0, next; i < n; i = next) {
        uint64_t line = touch[i].address / XB_LINE_BYTES;
        bool written = false;
        for (next = i; next < n && touch[next].address / XB_LINE_BYTES == line; next++)
            written |= site[touch[next].site].stall.writes;
        if (!written || touch[i].thread == touch[next - 1].thread || next - i < 2 + all / HOT_LINE)
            continue;
        memmove(&touch[kept], &touch[i], (next - i) * sizeof *touch);
        kept += next - i;
    }
    return kept;
}

static bool is_among(const struct xb_touch *one, const struct xb_touch *sorted, size_t n)
{
    return bsearch(one, sorted, n, sizeof *sorted, by_line_only) != NULL;
}

/* Whether several threads have samples: a lone one that yields has nobody to wait for. */
static bool are_several(const struct xb_stalled *sample, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (sample[i].tid != sample[0].tid)
            return true;
    return false;
}

int xb_stall_sum(const struct xb_stalled *sample, size_t n, const struct xb_stall_site *site,
                 size_t n_sites, const double *hides, struct xb_stall_sums *out)
{
    *out = (struct xb_stall_sums){
        .n = n,
        .n_sites = n_sites,
        .of_site = calloc(n_sites + 1, sizeof *out->of_site),
        .within_bytes = calloc(n + 1, sizeof *out->within_bytes),
    };
    struct xb_touch *touch = calloc(n + 1, sizeof *touch), *atomic = calloc(n + 1, sizeof *atomic),
                    *fought = calloc(n + 1, sizeof *fought),
                    *offset = calloc(n + 1, sizeof *offset);
    size_t n_touches = 0, n_atomics = 0, n_fought = 0, n_offsets = 0;
    double due = 0; /* samples to be left out: of many sites there are less than one of each */
    int err = -ENOMEM;
    if (!out->of_site || !out->within_bytes || !touch || !atomic || !fought || !offset)
        goto end;
    for (size_t i = 0; i < n; i++)
        if (sample[i].fate == XB_FATE_KNOWN) {
            fought[n_fought++] = xb_stall_touch(site, &sample[i]);
            if (site[sample[i].site].stall.kind == XB_STALL_ATOMIC)
                atomic[n_atomics++] = fought[n_fought - 1];
        }
    n_atomics = keep_contended(atomic, n_atomics);
    n_fought = keep_fought_over(site, fought, n_fought, n);
    bool several = are_several(sample, n);
    for (size_t i = 0; i < n; i++) {
        enum xb_stall_kind kind = site[sample[i].site].stall.kind;
        out->kind[kind]++;
        bool yields = several && kind == XB_STALL_SYSCALL &&
                      site[sample[i].site].stall.syscall == SYS_sched_yield;
        out->yields += yields;
        if (kind == XB_STALL_SYSCALL)
            out->work[yields ? XB_WAIT_LOCK : sample[i].work]++;
        out->of_site[sample[i].site]++;
        if (hides && sample[i].fate != XB_FATE_NONE && (due += hides[sample[i].site]) >= 1 - 1e-9 &&
            hides[sample[i].site] > 0) {
            due -= 1;
            out->hidden++;
            continue;
        }
        if (sample[i].fate == XB_FATE_LOST && sample[i].within_bytes)
            out->within_bytes[out->n_within++] = (double)sample[i].within_bytes;
        else if (sample[i].fate == XB_FATE_LOST)
            out->lost++;
        if (sample[i].fate == XB_FATE_OFFSET)
            offset[n_offsets++] = xb_stall_touch(site, &sample[i]);
        if (sample[i].fate != XB_FATE_KNOWN)
            continue;
        touch[n_touches] = xb_stall_touch(site, &sample[i]);
        bool contended =
            is_among(&touch[n_touches], fought, n_fought) ||
            (kind == XB_STALL_ATOMIC && is_among(&touch[n_touches], atomic, n_atomics));
        out->contended += contended;
        n_touches += !contended;
    }
    err = xb_working_sets(touch, n_touches, out->pool, &out->n_pools);
    if (!err)
        err = xb_working_sets(offset, n_offsets, out->least, &out->n_least);
end:
    free(offset);
    free(fought);
    free(atomic);
    free(touch);
    return err;
}
