/* SPDX-License-Identifier: BSD-3-Clause
 * Simulates the program's caches: it runs again under valgrind's callgrind, with the first and the last
 * cache as they were measured here, for 20 s at most.
 *
 * A run that is not over then is sent SIGVTALRM: unlike SIGTERM nearly nothing handles it, it leaves no
 * core, and callgrind writes what it has counted when a signal ends the program. (SIGSTKFLT it ignores.)
 *
 * It divides nothing, so its weight is 0. Misses times the latency measured here would be the time they
 * take if each waited for the one before: real CPUs prefetch streams and have dozens of misses under way,
 * which callgrind knows nothing of, so a stream that computes would seem to wait for all its time. And
 * what was simulated is the beginning: 20 s there are half a second here. It is a bound from above, and
 * said as one. */
#include "probe.h"

#include "../base/callgrind.h"
#include "../base/rerun.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LIMIT_NS (UINT64_C(20) * 1000000000)

enum { WORDS_MOST = 4096 };

/* Of the time of an instruction that waits for nothing: two in a cycle, of which a load from the first
 * cache takes four. */
static const double instructions_per_load = 8;

/* Where valgrind puts a file for each process. */
struct folder {
    char path[PATH_MAX - 64];
};

static int probe(struct xb_reason *why)
{
    char path[PATH_MAX];
    return xb_callgrind_find(path, why);
}

/* ---- what it may run ---- */

static int check_program(const char *name, struct xb_reason *why)
{
    char path[PATH_MAX];
    struct stat file;
    bool found = strchr(name, '/') ? snprintf(path, sizeof path, "%s", name) < (int)sizeof path
                                   : xb_program_find(name, path) == 0;
    if (!found || stat(path, &file) != 0)
        return xb_because(why, -ENOENT, "%.100s: command not found", name);
    if (file.st_mode & (S_ISUID | S_ISGID))
        return xb_because(why, -EPERM,
                          "%.100s is setuid or setgid, and valgrind runs no such program", name);
    return 0;
}

static int open_folder(struct folder *folder, struct xb_reason *why)
{
    const char *base = getenv("TMPDIR");
    /* A % means something to callgrind. */
    if (!base || !base[0] || strchr(base, '%') || strlen(base) > sizeof folder->path / 2)
        base = "/tmp";
    snprintf(folder->path, sizeof folder->path, "%.2000s/xbound-XXXXXX", base);
    if (!mkdtemp(folder->path))
        return xb_because(why, -errno, "%.120s: %s", folder->path, strerror(errno));
    return 0;
}

/* Removes it with all that lies there, and reads that before: `sums` may be NULL. Returns how many
 * processes there was a total of. */
static size_t close_folder(const struct folder *folder, struct xb_callgrind_sums *sums)
{
    char path[PATH_MAX];
    size_t n = 0;
    DIR *dir = opendir(folder->path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%.60s", folder->path,
                                                entry->d_name) >= (int)sizeof path)
            continue;
        FILE *in = sums ? fopen(path, "re") : NULL;
        n += in && xb_callgrind_read(in, sums) == 0;
        if (in)
            fclose(in);
        remove(path);
    }
    if (dir)
        closedir(dir);
    remove(folder->path);
    return n;
}

/* ---- what follows ---- */

/* Share of the time that `ns` are beside instructions that take `work_ns`. */
static double beside(double ns, double work_ns)
{
    return ns / (ns + work_ns);
}

static void conclude(const struct xb_rerun_use *use, const struct xb_callgrind_sums *sums, size_t n,
                     const double bytes[2], const struct xb_capacity *capacity,
                     struct xb_findings *out)
{
    double instructions = (double)sums->instructions, d1 = (double)sums->d1_misses,
           ll = (double)sums->ll_misses;
    const double *latency = capacity->latency_ns;
    out->overhead = 0; /* it was over before the command began */
    xb_add_clue(out, "simulated_instructions", instructions,
                "callgrind simulated %.3g instructions of %zu process%s in %.3g s%s", instructions,
                n, n == 1 ? "" : "es", use->wall_s,
                use->cut ? ", and was stopped then: the program's beginning" : ", its whole run");
    xb_add_clue(out, "d1_misses_per_1000", 1000 * d1 / instructions,
                "of 1000 instructions %.3g miss a first cache of %.0f KiB",
                1000 * d1 / instructions, bytes[0] / 1024);
    xb_add_clue(out, "ll_misses_per_1000", 1000 * ll / instructions,
                "and %.3g miss a last one of %.3g MiB", 1000 * ll / instructions,
                bytes[1] / 1048576);
    double work_ns = instructions * latency[XB_LEVEL_L1] / instructions_per_load;
    double hits = fmax(0, d1 - ll), far_ns = ll * latency[XB_LEVEL_DRAM];
    double least = beside(hits * latency[XB_LEVEL_L2] + far_ns, work_ns);
    double most = beside(hits * latency[XB_LEVEL_LLC] + far_ns, work_ns);
    if (isfinite(least) && isfinite(most))
        xb_add_clue(out, "miss_share_most", most,
                    "were they waited for one by one, at the latencies measured here and 2 "
                    "instructions a cycle, they would take %.0f %% (all hits in L2) to %.0f %% of "
                    "its time: at most",
                    100 * least, 100 * most);
}

static int measure(const struct xb_scene *scene, struct xb_findings *out, struct xb_reason *why)
{
    char valgrind[PATH_MAX], i1[XB_CALLGRIND_OPTION], d1[XB_CALLGRIND_OPTION],
        ll[XB_CALLGRIND_OPTION], file[PATH_MAX];
    struct folder folder = { .path = "" };
    uint64_t first =
        xb_callgrind_fit(XB_CALLGRIND_D1, xb_cache_bytes(scene->capacity, XB_LEVEL_L1));
    uint64_t last =
        xb_callgrind_fit(XB_CALLGRIND_LL, xb_cache_bytes(scene->capacity, XB_LEVEL_LLC));
    int err = xb_callgrind_find(valgrind, why);
    if (!err)
        err = xb_callgrind_option(XB_CALLGRIND_I1, first, i1, why);
    if (!err)
        err = xb_callgrind_option(XB_CALLGRIND_D1, first, d1, why);
    if (!err)
        err = xb_callgrind_option(XB_CALLGRIND_LL, last, ll, why);
    if (!err)
        err = open_folder(&folder, why);
    if (err)
        return err;
    snprintf(file, sizeof file, "--callgrind-out-file=%s/%%p", folder.path);
    const char *words[WORDS_MOST] = {
        valgrind,
        "--tool=callgrind",
        "--command-line-only=yes",
        "--cache-sim=yes",
        "--trace-children=yes",
        "--dump-line=no",
        "--log-file=/dev/null",
        file,
        i1,
        d1,
        ll,
        "--",
    };
    size_t n = 0, from = 0;
    while (words[n])
        n++;
    while (scene->argv[from] && n + 1 < WORDS_MOST)
        words[n++] = scene->argv[from++];
    const struct xb_rerun ask = {
        .argv = words, .limit_ns = LIMIT_NS, .cpu = -1, .end_signal = SIGVTALRM
    };
    struct xb_rerun_use use;
    struct xb_callgrind_sums sums = { 0 };
    if (scene->argv[from])
        err = xb_because(why, -E2BIG, "a command line of more than %d words", WORDS_MOST - 16);
    else
        err = xb_rerun(&ask, &use, why);
    n = close_folder(&folder, err ? NULL : &sums);
    if (!err && (!n || !sums.instructions))
        err = xb_because(why, -ENODATA,
                         "valgrind left no counts of it and ended with %d: try valgrind %.100s",
                         use.code, scene->argv[0]);
    const double bytes[2] = { (double)first, (double)last };
    if (!err)
        conclude(&use, &sums, n, bytes, scene->capacity, out);
    return err;
}

static int open_on(const struct xb_scene *scene, void **out, struct xb_reason *why)
{
    int err = xb_rerun_check(scene->argv, why);
    if (!err)
        err = check_program(scene->argv[0], why);
    return err ? err
               : xb_open_findings(scene,
                                  "simulate: runs the command under valgrind, up to 20 s, before "
                                  "it is watched",
                                  measure, out, why);
}

const struct xb_probe xb_probe_simulate = {
    .name = "simulate",
    .summary = "runs the command again under valgrind, up to 20 s: misses of the measured caches",
    .on_request = true,
    .probe = probe,
    .open = open_on,
    .begin = xb_begin_findings,
    .poll = xb_begin_findings,
    .end = xb_end_findings,
    .close = free,
};
