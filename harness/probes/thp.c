/* SPDX-License-Identifier: BSD-3-Clause
 * How sensitive a program is to huge pages: it runs again, with transparent ones forbidden and with all
 * the system and libc give.
 *
 * They are forbidden by PR_SET_THP_DISABLE, which exec keeps. Where the system's setting is `madvise`,
 * nobody gets them unasked: glibc's malloc asks (since 2.35) when GLIBC_TUNABLES says so. It says so in
 * both conditions, as malloc then grows otherwise, too; what differs is only whether there are any. A
 * setuid program is not told of tunables, and one without glibc's malloc does not know them.
 *
 * It divides nothing, so its weight is 0: a page walk that huge pages save is time that loads take
 * longer, whatever level they go to, which probes of stalls count under that level already; and faults
 * they save are in the kernel's counts, which `offcpu` divides. What it has is what one gains. */
#include "probe.h"

#include "../base/rerun.h"
#include "../base/rooted.h"
#include "../stats/ratio.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define LIMIT_NS  (UINT64_C(10) * 1000000000)
#define BUDGET_NS (UINT64_C(20) * 1000000000)
#define SETTING   "/sys/kernel/mm/transparent_hugepage/enabled"

static const double least_user_s = 0.02;

/* A ratio that is surely below this is none, see pollute.c. */
static const double none = 1.02;

static int probe(struct xb_reason *why)
{
    char text[128];
    if (xb_rooted_text("", SETTING, text, sizeof text) <= 0)
        return xb_because(why, -ENOTSUP, "this kernel has no transparent huge pages (no %s)",
                          SETTING);
    if (strstr(text, "[never]"))
        return xb_because(why, -ENOTSUP,
                          "huge pages are switched off; as root: echo madvise > " SETTING);
    return 0;
}

/* ---- the two conditions ---- */

static int ask_malloc(const void *context)
{
    char text[4096];
    const char *before = getenv("GLIBC_TUNABLES");
    (void)context;
    int n = snprintf(text, sizeof text, "%s%sglibc.malloc.hugetlb=1", before ? before : "",
                     before && before[0] ? ":" : "");
    return n >= (int)sizeof text ? -E2BIG : setenv("GLIBC_TUNABLES", text, 1) ? -errno : 0;
}

static int forbid(const void *context)
{
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0)
        return -errno;
    return ask_malloc(context);
}

/* ---- what follows ---- */

static struct xb_interval ratio_of(const struct xb_rerun_pairs *pairs, bool kernel)
{
    double without[XB_RERUN_PAIRS], with[XB_RERUN_PAIRS];
    for (size_t i = 0; i < pairs->n; i++) {
        const struct xb_rerun_use *a = &pairs->use[0][i], *b = &pairs->use[1][i];
        without[i] = kernel ? a->kernel_s : a->user_s;
        with[i] = kernel ? b->kernel_s : b->user_s;
    }
    return xb_paired_ratio(with, without, pairs->n);
}

struct medians {
    double faults, kernel_s;
};

static struct medians median_of(const struct xb_rerun_pairs *pairs, int condition)
{
    double faults[XB_RERUN_PAIRS], kernel_s[XB_RERUN_PAIRS];
    for (size_t i = 0; i < pairs->n; i++) {
        faults[i] = (double)pairs->use[condition][i].faults;
        kernel_s[i] = pairs->use[condition][i].kernel_s;
    }
    return (struct medians){ xb_median(faults, pairs->n), xb_median(kernel_s, pairs->n) };
}

static void conclude(const struct xb_rerun_pairs *pairs, struct xb_findings *out)
{
    double cpu_s = 0, user_s = 0, kernel_s = 0;
    for (size_t i = 0; i < pairs->n; i++) {
        const struct xb_rerun_use *a = &pairs->use[0][i], *b = &pairs->use[1][i];
        cpu_s += a->user_s + a->kernel_s;
        user_s += a->user_s - b->user_s;
        kernel_s += a->kernel_s - b->kernel_s;
    }
    struct xb_interval user = ratio_of(pairs, false), kernel = ratio_of(pairs, true);
    struct medians before = median_of(pairs, 0), after = median_of(pairs, 1);
    out->overhead = 0; /* it was over before the command began */
    xb_add_clue(out, "without_huge_ratio", user.median,
                "without huge pages user CPU time is %.3f (%.3f to %.3f, %zu pairs) of that with "
                "them; a run took %.3g s",
                user.median, user.lo, user.hi, pairs->n, pairs->first.wall_s);
    char ratio[64] = "no ratio";
    if (isfinite(kernel.median))
        snprintf(ratio, sizeof ratio, "%.3g, %.3g to %.3g", kernel.median, kernel.lo, kernel.hi);
    xb_add_clue(out, "without_huge_kernel_ratio", kernel.median,
                "without them the kernel takes %.3g s for %.0f page faults, with them %.3g s for "
                "%.0f (%s)",
                before.kernel_s, before.faults, after.kernel_s, after.faults, ratio);
    if (user.lo > none)
        xb_add_clue(out, "page_walk_share", user_s / cpu_s,
                    "huge pages save %.0f %% of its CPU time in user mode, which went to page "
                    "walks, and %s %.0f %% in the kernel, for faults",
                    100 * user_s / cpu_s, kernel_s < 0 ? "cost it" : "save",
                    100 * fabs(kernel_s) / cpu_s);
    else if (user.hi < none)
        xb_add_clue(out, "page_walk_share", 0,
                    "so page walks that huge pages would save take less than %.0f %% of its time "
                    "in user mode%s",
                    100 * (none - 1),
                    after.faults > 0.9 * before.faults
                        ? "; or it asks for none: it faults as often with them"
                        : "");
    else
        xb_add_clue(out, "page_walk_share", NAN,
                    "whether huge pages save it page walks cannot be told: the interval goes "
                    "across %.2f",
                    none);
}

static int look(const struct xb_scene *scene, struct xb_findings *out, struct xb_reason *why)
{
    struct xb_rerun_pairs pairs;
    const struct xb_rerun ask[2] = {
        { .argv = scene->argv, .limit_ns = LIMIT_NS, .cpu = -1, .prepare = forbid },
        { .argv = scene->argv, .limit_ns = LIMIT_NS, .cpu = -1, .prepare = ask_malloc },
    };
    int err = xb_rerun_compare(ask, BUDGET_NS, least_user_s, &pairs, why);
    if (!err)
        conclude(&pairs, out);
    return err;
}

static int open_on(const struct xb_scene *scene, void **out, struct xb_reason *why)
{
    int err = xb_rerun_check(scene->argv, why);
    return err ? err
               : xb_open_findings(scene,
                                  "thp: runs the command 7 times or more, up to 10 s each, before "
                                  "it is watched",
                                  look, out, why);
}

const struct xb_probe xb_probe_thp = {
    .name = "thp",
    .summary = "runs the command again, 7 times or more, without huge pages and with them",
    .on_request = true,
    .probe = probe,
    .open = open_on,
    .begin = xb_begin_findings,
    .poll = xb_begin_findings,
    .end = xb_end_findings,
    .close = free,
};
