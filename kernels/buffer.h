/* Page-aligned private memory for working sets, on huge pages where the kernel gives them, or on
 * base pages where those are the subject.
 *
 * Huge pages are asked for because with 4 KiB pages a random walk over a DRAM-sized set measures
 * the page walker as well as the memory; madvise(2), MADV_HUGEPAGE. */
#ifndef XB_KERNELS_BUFFER_H
#define XB_KERNELS_BUFFER_H

#include <stddef.h>
#include <sys/mman.h>

#define XB_HUGE_PAGE ((size_t)2 << 20)

/* What is mapped for `bytes`: whole pages, also where a base page is 64 KiB. */
static inline size_t xb_buffer_span(size_t bytes)
{
    return (bytes + 65535) & ~(size_t)65535;
}

/* Returns `bytes` (>= 1) of zeroed memory aligned to at least a page, to 2 MiB when that large,
 * or NULL. Untouched: the first write decides the NUMA node. Give back with the same `bytes`. */
static inline void *xb_buffer_take(size_t bytes)
{
    size_t span = xb_buffer_span(bytes), spare = bytes >= XB_HUGE_PAGE ? XB_HUGE_PAGE : 0;
    char *at = mmap(NULL, span + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    if (!spare)
        return at;
    /* Trim to a 2 MiB boundary so that whole huge pages fit. */
    size_t head = (XB_HUGE_PAGE - (size_t)at % XB_HUGE_PAGE) % XB_HUGE_PAGE;
    if (head)
        munmap(at, head);
    if (spare > head)
        munmap(at + head + span, spare - head);
    madvise(at + head, span, MADV_HUGEPAGE);
    return at + head;
}

/* The same on base pages only, whatever the machine's policy: for work whose subject is address
 * translation or page faults. Where the kernel has no huge pages, madvise() fails and nothing is
 * lost. */
static inline void *xb_buffer_take_small(size_t bytes)
{
    size_t span = xb_buffer_span(bytes);
    void *at = mmap(NULL, span, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    madvise(at, span, MADV_NOHUGEPAGE);
    return at;
}

/* Accepts NULL. */
static inline void xb_buffer_give(void *buffer, size_t bytes)
{
    if (buffer)
        munmap(buffer, xb_buffer_span(bytes));
}

#endif
