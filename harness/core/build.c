/* SPDX-License-Identifier: BSD-3-Clause
 * Gives away what the build was told about itself. */
#include "build.h"

#include <string.h>

/* CMakeLists.txt defines these for this file. */
#ifndef XB_GIT
#    define XB_GIT "unknown"
#endif
#ifndef XB_ALIGNMENT
#    define XB_ALIGNMENT "none"
#endif

const char *xb_build_commit(void)
{
    return XB_GIT;
}

const char *xb_build_alignment(void)
{
    return XB_ALIGNMENT;
}

const char *xb_build_code_hash(const char *kernel)
{
    for (const struct xb_code_hash *entry = xb_code_hashes; entry->kernel; entry++)
        if (strcmp(entry->kernel, kernel) == 0)
            return entry->hash;
    return "-";
}
