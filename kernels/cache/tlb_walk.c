/* SPDX-License-Identifier: BSD-3-Clause
 * Cost of address translation: a random pointer chase with one node in each base page.
 *
 * The lines are as many as in chase_l2 of equal bytes, and the same lines of memory: all lines of
 * one stretch of memory, each once. But that memory is mapped as often as a page has lines, and
 * each mapping is used for another line of its pages, so that every load is in a page of its own.
 * What it takes longer than chase_l2 is the TLB. One node in each page of ordinary memory would
 * need 64 times the memory, and its lines would lie on 4 KiB boundaries, in few cache sets. */
#include "../chase.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

/* Reserves the pages in one piece and maps the memory over them, again and again. */
static int setup_pages(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    int err = draw_order(params, state);
    if (err)
        return err;
    struct chase *s = *state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = (s->n_lines * sizeof(struct line) + page - 1) / page;
    s->shift = (unsigned)__builtin_ctzl(page);
    s->column = pages;
    s->lines_span = xb_buffer_span(s->n_lines << s->shift);
    s->lines = xb_buffer_take_small(s->lines_span);
    if (!s->lines)
        return xb_explain(params, -ENOMEM, "no address space for %zu pages", s->n_lines);

    /* Shared memory, because private memory cannot be mapped twice. Its pages are allocated at
     * their first touch, which is in the order of the chase: neighbours are then not physical
     * neighbours, whose translations some TLBs would keep in one entry. */
    int fd = memfd_create("xbound-tlb-walk", MFD_CLOEXEC);
    if (fd < 0)
        return xb_explain(params, -errno, "memfd_create: %s", strerror(errno));
    if (ftruncate(fd, (off_t)(pages * page)) != 0)
        err = xb_explain(params, -errno, "memory to map: %s", strerror(errno));
    for (size_t i = 0; i < s->n_lines && !err; i += pages) {
        size_t n = s->n_lines - i < pages ? s->n_lines - i : pages;
        char *at = s->lines + (i << s->shift);
        if (mmap(at, n << s->shift, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
            MAP_FAILED)
            err = xb_explain(params, -errno, "mapping %zu pages again: %s", n, strerror(errno));
        else
            madvise(at, n << s->shift, MADV_NOHUGEPAGE);
    }
    close(fd);
    if (!err)
        link_lines(s);
    return err;
}

/* As in chase_l2; the entries of the page table, eight bytes for each line, come on top. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 0.5 },
    { XB_RATIO_L1D_MPKI, 300, INFINITY },
    { XB_RATIO_LLC_MPKI, -INFINITY, 20 },
};

const struct xb_kernel xb_kernel_cache_tlb_walk = {
    .name = "cache/tlb_walk",
    .summary = "random pointer chase over lines that fit half of the L2, each in a page of its own",
    .source =
        "Saavedra, Smith, \"Measuring Cache and TLB Performance\", 1995; lmbench lat_mem_rd -t",
    .item = "load",
    .bound = XB_CLASS_CACHE,
    .fit = XB_FIT_L2,
    .needs = XB_NEED_BYTES,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup_pages,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
