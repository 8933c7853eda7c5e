/* SPDX-License-Identifier: BSD-3-Clause
 * Loads the PMU of software events into the program. */
#include "fake_pmu.h"

#include "xbtest.h"

#include <stdlib.h>

bool xb_fake_pmu_loads(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    XB_SKIP("a sanitizer's runtime has to be loaded first");
    return false;
#elif !defined(__x86_64__)
    XB_SKIP("libpfm4 knows Skylake's events on x86-64 only");
    return false;
#else
    return true;
#endif
}

void xb_fake_pmu_set(const char *const *settings)
{
    setenv("LIBPFM_FORCE_PMU", "skx", 1);
    setenv("LD_PRELOAD", XB_TEST_PMU, 1);
    for (const char *const *at = settings; at && *at; at += 2)
        setenv(at[0], at[1], 1);
}
