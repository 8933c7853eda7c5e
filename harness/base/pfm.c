/* SPDX-License-Identifier: BSD-3-Clause
 * Asks libpfm4, the library that PAPI has its names of events from. PAPI itself is not asked: it does not
 * tell how an event is encoded, and its sets count the thread that made them, or one that they are
 * attached to each. */
/* xb-library: pfm (Debian: libpfm4-dev) */
#include "pfm.h"

#include <errno.h>

#ifdef XB_HAVE_LIBRARY

#    include <perfmon/pfmlib_perf_event.h>

int xb_pfm_encode(const char *event, struct xb_event_code *out, struct xb_reason *why)
{
    struct perf_event_attr attributes = { .size = sizeof attributes };
    pfm_perf_encode_arg_t asked = { .attr = &attributes, .size = sizeof asked };
    int code = pfm_initialize(); /* does nothing the second time */
    if (code != PFM_SUCCESS)
        return xb_because(why, -ENOTSUP, "libpfm4: %s", pfm_strerror(code));
    code = pfm_get_os_event_encoding(event, PFM_PLM3, PFM_OS_PERF_EVENT, &asked);
    if (code != PFM_SUCCESS)
        return xb_because(why, -ENOENT, "libpfm4: %s: %s", event, pfm_strerror(code));
    *out = (struct xb_event_code){ .type = attributes.type,
                                   .config = attributes.config,
                                   .config1 = attributes.config1,
                                   .config2 = attributes.config2 };
    return 0;
}

#else

int xb_pfm_encode(const char *event, struct xb_event_code *out, struct xb_reason *why)
{
    (void)event;
    (void)out;
    return xb_because(why, -ENOTSUP, "built without libpfm4, which knows the CPU's events");
}

#endif
