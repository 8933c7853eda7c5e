/* SPDX-License-Identifier: BSD-3-Clause
 * A plug-in that crashes while it is loaded. */
#include "kernels/plugin.h"

#include <signal.h>

__attribute__((constructor)) static void crash(void)
{
    raise(SIGKILL);
}

XB_PLUGIN(NULL);
