/* SPDX-License-Identifier: BSD-3-Clause
 * Counts instructions and cache misses on a simulated CPU, with valgrind's tool callgrind: exact where
 * no counter can be had, and the same on a busy machine as on an idle one.
 *
 * The program runs anew under valgrind, once for all cells, which fork from it as ever. A window is
 * simulated from its beginning to its end only, and starts with empty caches: of what came before,
 * nothing is in its counts. Callgrind tells counts in a file. That one is in memory only and handed
 * down as a descriptor, so nothing has to be removed, whatever dies. */
/* xb-header: valgrind (Debian: valgrind) */
#include "source.h"

#include "../base/callgrind.h"

#include <errno.h>

#ifdef XB_HAVE_LIBRARY

#    include <inttypes.h>
#    include <limits.h>
#    include <stdio.h>
#    include <stdlib.h>
#    include <string.h>
#    include <sys/mman.h>
#    include <sys/personality.h>
#    include <unistd.h>
#    include <valgrind/callgrind.h>

/* Tells the program under valgrind which descriptor the counts come to. */
#    define FD_NAME "XB_CALLGRIND_FD"

enum { DUMP_BYTES = 1 << 18 };

struct xb_counters {
    int fd;
    uint32_t set;
    char text[DUMP_BYTES]; /* callgrind's file */
};

/* ---- around the program ---- */

static int handed_down(void)
{
    const char *fd = getenv(FD_NAME);
    return fd && RUNNING_ON_VALGRIND ? atoi(fd) : -1;
}

static int probe(struct xb_reason *why)
{
    char path[PATH_MAX];
    if (handed_down() >= 0)
        return xb_because(why, 0, "this program runs under it");
    if (RUNNING_ON_VALGRIND)
        return xb_because(why, -EBUSY,
                          "this program runs under valgrind already; start it without");
    return xb_callgrind_find(path, why);
}

/* Whatever the CPU has: libc is to choose its plainest copy, set and compare, and by no cache but the
 * simulated one (glibc manual, "Hardware Capability Tunables"). Names that a libc does not know, it
 * ignores. Freed memory is not kept by size: rows are as long as the times in them, and what a later
 * cell allocates would lie on other lines (cpu/crc32c: 331 to 340 misses instead of the same). */
#    define HWCAPS                                                                            \
        "-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ,-AVX2,-AVX,-FMA,-FMA4,-BMI1,-BMI2," \
        "-ERMS,-FSRM,-RTM,-SSSE3,-SSE4_1,-SSE4_2,-LZCNT,-MOVBE,-POPCNT,-XSAVEC,"              \
        "-AVX_Fast_Unaligned_Load,-Prefer_ERMS,-Prefer_FSRM,Fast_Unaligned_Copy"
#    define TUNABLES                                                          \
        "GLIBC_TUNABLES=glibc.cpu.hwcaps=" HWCAPS                             \
        ":glibc.cpu.name=generic:glibc.cpu.x86_data_cache_size=32768"         \
        ":glibc.cpu.x86_shared_cache_size=1048576"                            \
        ":glibc.cpu.x86_non_temporal_threshold=786432"                        \
        ":glibc.cpu.x86_rep_movsb_threshold=1048576:glibc.malloc.arena_max=1" \
        ":glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"

enum { ARGUMENTS_MOST = 512, PAD_BYTES = 16 << 10 };

/* A command line with its environment, in one piece. */
struct command {
    const char *argv[ARGUMENTS_MOST + 1], *environment[16];
    char program[PATH_MAX], self[PATH_MAX];
    char out[XB_CALLGRIND_OPTION], i1[XB_CALLGRIND_OPTION], d1[XB_CALLGRIND_OPTION],
        ll[XB_CALLGRIND_OPTION];
    char fd[XB_CALLGRIND_OPTION], lib[PATH_MAX + XB_CALLGRIND_OPTION], pad[PAD_BYTES];
};

static int fill_caches(struct command *command, uint64_t l1_bytes, uint64_t ll_bytes,
                       struct xb_reason *why)
{
    int err = xb_callgrind_option(XB_CALLGRIND_I1, l1_bytes, command->i1, why);
    if (!err)
        err = xb_callgrind_option(XB_CALLGRIND_D1, l1_bytes, command->d1, why);
    return err ? err : xb_callgrind_option(XB_CALLGRIND_LL, ll_bytes, command->ll, why);
}

static int fill_arguments(struct command *command, char *const words[], struct xb_reason *why)
{
    /* Its log is left out: it warns of this machine's caches, which are not simulated. */
    const char *const options[] = {
        command->program,
        "--tool=callgrind",
        "--command-line-only=yes",
        "--instr-atstart=no",
        "--cache-sim=yes",
        "--main-stacksize=8388608",
        "--dump-line=no",
        "--combine-dumps=yes",
        "--log-file=/dev/null",
        command->out,
        command->i1,
        command->d1,
        command->ll,
        "--",
        command->self,
    };
    size_t n = sizeof options / sizeof options[0];
    memcpy(command->argv, options, sizeof options);
    for (size_t i = 0; words[i]; i++) {
        if (n == ARGUMENTS_MOST)
            return xb_because(why, -E2BIG, "a command line of more than %d words", ARGUMENTS_MOST);
        command->argv[n++] = words[i];
    }
    return 0;
}

/* The stack begins below the words of the command line: with padding its lines fall on the same sets
 * of the simulated caches, however long a path among them is. */
static void fill_pad(struct command *command, char *const words[])
{
    size_t bytes = PAD_BYTES - 1;
    for (size_t i = 0; words[i]; i++) {
        size_t taken = strlen(words[i]) + 1 + sizeof words[i];
        bytes = bytes > taken ? bytes - taken : 0;
    }
    memset(command->pad, 'x', bytes);
    command->pad[bytes] = '\0';
    memcpy(command->pad, "XB_PAD=", 8 < bytes ? 7 : 0);
}

/* Nothing of the user's, which differs from one machine and day to the next: libc's start reads it. */
static void fill_environment(struct command *command)
{
    const char *lib =
        getenv("VALGRIND_LIB"); /* where it was moved to from where it was built for */
    const char *const environment[] = {
        "PATH=/usr/bin:/bin",
        "LC_ALL=C",
        "LD_BIND_NOW=1",         /* lest the first call of a function looks it up */
        "HWLOC_COMPONENTS=-x86", /* CPUID is the simulated CPU's */
        TUNABLES,
        command->fd,
        command->pad,
        lib ? command->lib : NULL,
    };
    snprintf(command->lib, sizeof command->lib, "VALGRIND_LIB=%s", lib ? lib : "");
    memcpy(command->environment, environment, sizeof environment);
}

static int simulate(uint64_t l1_bytes, uint64_t ll_bytes, char *const argv[], struct xb_reason *why)
{
    if (handed_down() >= 0)
        return 0;
    int err = probe(why);
    if (err)
        return err;
    struct command *command = calloc(1, sizeof *command);
    int fd = memfd_create("callgrind", 0);
    if (!command || fd < 0 || xb_program_find("valgrind", command->program) != 0 ||
        readlink("/proc/self/exe", command->self, PATH_MAX - 1) < 0)
        err = xb_because(why, -errno, "cannot start valgrind: %s", strerror(errno));
    if (!err)
        err = fill_caches(command, l1_bytes, ll_bytes, why);
    if (!err)
        err = fill_arguments(command, argv, why);
    if (!err) {
        snprintf(command->out, XB_CALLGRIND_OPTION, "--callgrind-out-file=/proc/self/fd/%d", fd);
        snprintf(command->fd, XB_CALLGRIND_OPTION, FD_NAME "=%d", fd);
        fill_pad(command, argv);
        fill_environment(command);
        /* Addresses choose the sets of caches. Where this is refused, valgrind still lays out the
         * program's memory by itself. */
        personality(ADDR_NO_RANDOMIZE);
        execve(command->program, (char *const *)(uintptr_t)command->argv,
               (char *const *)(uintptr_t)command->environment);
        err = xb_because(why, -errno, "%s: %s", command->program, strerror(errno));
    }
    if (fd >= 0)
        close(fd);
    free(command);
    return err;
}

/* ---- counting ---- */

static const uint32_t counted =
    XB_METRIC_BIT(INSTRUCTIONS) | XB_METRIC_BIT(L1D_MISSES) | XB_METRIC_BIT(LLC_MISSES);

static int open_counters(const struct xb_events *wanted, uint32_t *granted,
                         struct xb_counters **out, struct xb_reason *why)
{
    *granted = 0;
    *out = NULL;
    if (handed_down() < 0) {
        xb_because(why, -ENODATA, "not under valgrind, as xbound run --counters callgrind is");
        return 0;
    }
    if (!(wanted->set & counted))
        return 0;
    struct xb_counters *counters = calloc(1, sizeof *counters);
    if (!counters)
        return xb_because(why, -ENOMEM, "callgrind: out of memory");
    counters->fd = handed_down();
    counters->set = *granted = wanted->set & counted;
    *out = counters;
    return 0;
}

static int start(struct xb_counters *counters)
{
    (void)counters;
    CALLGRIND_START_INSTRUMENTATION;
    return 0;
}

static int stop(struct xb_counters *counters, struct xb_reading *out)
{
    CALLGRIND_STOP_INSTRUMENTATION;
    /* Dumps are appended, and begin again from zero. */
    if (ftruncate(counters->fd, 0) != 0)
        return -errno;
    CALLGRIND_DUMP_STATS;
    ssize_t n = pread(counters->fd, counters->text, sizeof counters->text - 1, 0);
    if (n < 0)
        return -errno;
    struct xb_callgrind_sums sums = { 0 };
    FILE *in = n > 0 ? fmemopen(counters->text, (size_t)n, "r") : NULL;
    int err = in ? xb_callgrind_read(in, &sums) : -ENODATA;
    if (in)
        fclose(in);
    *out = (struct xb_reading){ .present = counters->set, .enabled_ns = 1, .running_ns = 1 };
    out->value[XB_METRIC_INSTRUCTIONS] = sums.instructions;
    out->value[XB_METRIC_L1D_MISSES] = sums.d1_misses;
    out->value[XB_METRIC_LLC_MISSES] = sums.ll_misses;
    return err;
}

static void close_counters(struct xb_counters *counters)
{
    free(counters);
}

#else

static int probe(struct xb_reason *why)
{
    return xb_because(why, -ENOSYS,
                      "built without valgrind's headers; install valgrind (Debian: valgrind), then "
                      "configure and build again");
}

static int simulate(uint64_t l1_bytes, uint64_t ll_bytes, char *const argv[], struct xb_reason *why)
{
    (void)l1_bytes;
    (void)ll_bytes;
    (void)argv;
    return probe(why);
}

static int open_counters(const struct xb_events *wanted, uint32_t *granted,
                         struct xb_counters **out, struct xb_reason *why)
{
    (void)wanted;
    *granted = 0;
    *out = NULL;
    probe(why);
    return 0;
}

static int start(struct xb_counters *counters)
{
    (void)counters;
    return -ENOSYS;
}

static int stop(struct xb_counters *counters, struct xb_reading *out)
{
    (void)counters;
    (void)out;
    return -ENOSYS;
}

static void close_counters(struct xb_counters *counters)
{
    (void)counters;
}

#endif

const struct xb_counter_source xb_source_callgrind = {
    .name = "callgrind",
    .summary = "valgrind's simulation: exact instructions and cache misses, and no times",
    .rank = -1, /* only where it is asked for */
    .probe = probe,
    .simulate = simulate,
    .open = open_counters,
    .start = start,
    .stop = stop,
    .close = close_counters,
};
