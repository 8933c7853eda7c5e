/* The code of running processes, read page by page from their memory: that of libraries, of the vdso and
 * of just-in-time compilers alike, without a look at any file format. */
#ifndef XB_BASE_PAGES_H
#define XB_BASE_PAGES_H

#include "before.h"
#include "maps.h"

struct xb_pages; /* pages that were read */

/* `out`: the caller's, back with xb_pages_close(). 0 or -ENOMEM. One thread at a time. */
int xb_pages_open(struct xb_pages **out) __attribute__((warn_unused_result));

/* Accepts NULL. */
void xb_pages_close(struct xb_pages *pages);

/* Forgets all pages: a just-in-time compiler may have written others meanwhile. */
void xb_pages_forget(struct xb_pages *pages);

/* The code of `pid` from `behind` bytes before `at` to `ahead` bytes after it, or what there is of it
 * around `at` without a gap; n is 0 where the page of `at` cannot be read. Pages come from the process
 * (process_vm_readv(2): our own children, and others that ptrace(2) would be allowed on), or, when it is
 * gone or not ours, from the file that `maps` (may be NULL) names there.
 * `room`: behind + ahead bytes of the caller's, which the window points into. */
void xb_pages_window(struct xb_pages *pages, const struct xb_maps *maps, pid_t pid, uint64_t at,
                     size_t behind, size_t ahead, uint8_t *room, struct xb_window *out);

#endif
