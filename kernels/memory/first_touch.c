/* SPDX-License-Identifier: BSD-3-Clause
 * Page faults: maps fresh memory, writes a word in each of its base pages, and unmaps it.
 *
 * The price is the operating system's: a trap, a zeroed page and an entry in the page table, and
 * all of it taken back. Threads fault in one address space and share its lock, processes do not:
 * the same work under both models shows what that costs. */
#include "../buffer.h"
#include "../keep.h"
#include "../kernel.h"
#include "../prng.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 64 pages of 4 KiB: beside them, one mmap and one munmap are small. */
#define OWN_BYTES ((size_t)256 << 10)

struct pages {
    size_t page, n_pages; /* bytes of one; pages of one iteration */
    uint64_t start, now;  /* pages touched before this sample, and so far */
    uint64_t first, step; /* the k-th page touched gets the word first + k * step */
};

static void begin(void *state)
{
    struct pages *s = state;
    s->start = s->now;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct pages *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of page faults");
    s->page = (size_t)sysconf(_SC_PAGESIZE);
    s->n_pages = params->bytes / s->page ? params->bytes / s->page : 1;
    uint64_t random = xb_prng_of(params->seed, params->index);
    s->first = xb_prng_next(&random);
    s->step = xb_prng_next(&random);
    return 0;
}

/* The word goes to the middle of the page, and is read again only after all are written, with the
 * one before it, which must be zero. */
/* xb-loop: touch: 1 mov %r[a-z0-9]+,(0x[0-9a-f]+)?\(%r[a-z0-9]+(,%r[a-z0-9]+,[1248])?\) */
static __attribute__((noinline)) void touch(uint64_t *word, size_t n, size_t stride, uint64_t value,
                                            uint64_t step)
{
    for (size_t i = 0; i < n; i++) {
        word[i * stride] = value;
        value += step;
    }
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct pages *s = state;
    size_t bytes = s->n_pages * s->page, stride = s->page / sizeof(uint64_t);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < iters; i++) {
        char *at = xb_buffer_take_small(bytes);
        if (!at)
            return xb_explain(run->params, -errno, "mmap of %zu pages: %s", s->n_pages,
                              strerror(errno));
        uint64_t *word = (uint64_t *)(void *)at + stride / 2;
        touch(word, s->n_pages, stride, s->first + s->now * s->step, s->step);
        xb_keep_memory();
        for (size_t page = 0; page < s->n_pages; page++)
            sum += word[page * stride] + word[page * stride - 1];
        xb_buffer_give(at, bytes);
        s->now += s->n_pages;
    }
    uint64_t pages = iters * s->n_pages;
    did->items += pages;
    did->bytes_read += pages * 2 * sizeof(uint64_t);
    did->bytes_written += pages * sizeof(uint64_t);
    did->checksum += sum;
    return 0;
}

/* The words are an arithmetic series; its sum has a formula. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct pages *s = state;
    uint64_t random = xb_prng_of(params->seed, params->index);
    uint64_t first = xb_prng_next(&random), step = xb_prng_next(&random);
    uint64_t n = iters * s->n_pages;
    uint64_t below_n = n % 2 ? (n - 1) / 2 * n : n / 2 * (n - 1);
    const struct xb_work due = {
        .items = n,
        .bytes_read = n * 16,
        .bytes_written = n * 8,
        .checksum = n * (first + s->start * step) + below_n * step,
    };
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

/* Two instructions of each page's thousands are the program's own. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, -INFINITY, 0.3 },
};

/* Of a page's 500 ns and more two stores and two loads are the program's, in a page that the kernel has
 * just cleared and so is in a cache: no time goes to DRAM that faster DRAM would save. It is
 * beside the others because a program pays it for its memory. A guest may have part of the fault counted
 * as user mode, where the host handles it; it is the same fault. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    (void)crowd;
    return XB_CLASS_KERNEL;
}

const struct xb_kernel xb_kernel_memory_first_touch = {
    .name = "memory/first_touch",
    .summary = "page faults: fresh memory mapped, a word written in each base page, unmapped",
    .source = "lmbench lat_pagefault and lat_mmap (McVoy, Staelin 1996); mmap(2), MADV_NOHUGEPAGE",
    .item = "page",
    .bound = XB_CLASS_MEMORY,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = OWN_BYTES,
    .needs = XB_NEED_BYTES,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
