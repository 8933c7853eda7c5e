/* The CPU's events by their names. */
#ifndef XB_BASE_PFM_H
#define XB_BASE_PFM_H

#include "counts.h"

/* How the kernel takes an event in user mode, such as "skx::UOPS_ISSUED:ANY": libpfm4 has the tables, and
 * knows those of this CPU only. 0, or -errno with `why`: -ENOENT no such event on this CPU, -ENOTSUP
 * built without libpfm4, or it knows no PMU. Main thread. */
int xb_pfm_encode(const char *event, struct xb_event_code *out, struct xb_reason *why);

#endif
