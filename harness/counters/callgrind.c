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

enum { LINE = 64, L1_WAYS = 8, LL_WAYS = 16, WAYS_MOST = 64, DUMP_BYTES = 1 << 18 };

/* What callgrind's events add up to. Fetches of instructions miss the last level like data. */
static const struct {
    const char *event;
    enum xb_metric metric;
} events[] = {
    { "Ir", XB_METRIC_INSTRUCTIONS }, { "D1mr", XB_METRIC_L1D_MISSES },
    { "D1mw", XB_METRIC_L1D_MISSES }, { "ILmr", XB_METRIC_LLC_MISSES },
    { "DLmr", XB_METRIC_LLC_MISSES }, { "DLmw", XB_METRIC_LLC_MISSES },
};

enum { EVENTS = sizeof events / sizeof events[0] };

struct xb_counters {
    int fd;
    uint32_t set;
    char text[DUMP_BYTES]; /* callgrind's file */
};

/* ---- around the program ---- */

/* The absolute path of a program that PATH leads to. 0 or -ENOENT. */
static int find_program(const char *name, char path[static PATH_MAX])
{
    const char *at = getenv("PATH");
    while (at && *at) {
        size_t length = strcspn(at, ":");
        int n = snprintf(path, PATH_MAX, "%.*s/%s", (int)length, at, name);
        if (length && n < PATH_MAX && access(path, X_OK) == 0)
            return 0;
        at += length + (at[length] == ':');
    }
    return -ENOENT;
}

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
    if (find_program("valgrind", path) != 0)
        return xb_because(why, -ENOENT,
                          "no valgrind in PATH; install it (Debian: valgrind), or run "
                          "scripts/install-deps.sh");
    return 0;
}

/* Valgrind wants a power of two of sets; what is odd of a size is ways: 48 KiB have 12. */
static uint64_t ways_of(uint64_t bytes, uint64_t least)
{
    uint64_t ways = bytes / LINE;
    while (ways % 2 == 0 && ways / 2 >= least)
        ways /= 2;
    return bytes < LINE || bytes % LINE ? WAYS_MOST + 1 : ways;
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

enum { ARGUMENTS_MOST = 512, PAD_BYTES = 16 << 10, OPTION_BYTES = 96 };

/* A command line with its environment, in one piece. */
struct command {
    const char *argv[ARGUMENTS_MOST + 1], *environment[16];
    char program[PATH_MAX], self[PATH_MAX];
    char out[OPTION_BYTES], i1[OPTION_BYTES], d1[OPTION_BYTES], ll[OPTION_BYTES];
    char fd[OPTION_BYTES], lib[PATH_MAX + OPTION_BYTES], pad[PAD_BYTES];
};

static int fill_caches(struct command *command, uint64_t l1_bytes, uint64_t ll_bytes,
                       struct xb_reason *why)
{
    uint64_t l1_ways = ways_of(l1_bytes, L1_WAYS), ll_ways = ways_of(ll_bytes, LL_WAYS);
    if (l1_ways > WAYS_MOST || ll_ways > WAYS_MOST)
        return xb_because(why, -EINVAL,
                          "valgrind cannot simulate a cache of %" PRIu64
                          " bytes: only 1 to %d ways of a power of two of lines, as in 32K or 48K",
                          l1_ways > WAYS_MOST ? l1_bytes : ll_bytes, WAYS_MOST);
    snprintf(command->i1, OPTION_BYTES, "--I1=%" PRIu64 ",%" PRIu64 ",%d", l1_bytes, l1_ways, LINE);
    snprintf(command->d1, OPTION_BYTES, "--D1=%" PRIu64 ",%" PRIu64 ",%d", l1_bytes, l1_ways, LINE);
    snprintf(command->ll, OPTION_BYTES, "--LL=%" PRIu64 ",%" PRIu64 ",%d", ll_bytes, ll_ways, LINE);
    return 0;
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
    if (!command || fd < 0 || find_program("valgrind", command->program) != 0 ||
        readlink("/proc/self/exe", command->self, PATH_MAX - 1) < 0)
        err = xb_because(why, -errno, "cannot start valgrind: %s", strerror(errno));
    if (!err)
        err = fill_caches(command, l1_bytes, ll_bytes, why);
    if (!err)
        err = fill_arguments(command, argv, why);
    if (!err) {
        snprintf(command->out, OPTION_BYTES, "--callgrind-out-file=/proc/self/fd/%d", fd);
        snprintf(command->fd, OPTION_BYTES, FD_NAME "=%d", fd);
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

static int open_counters(const struct xb_events *wanted, uint32_t *granted,
                         struct xb_counters **out, struct xb_reason *why)
{
    uint32_t all = 0;
    *granted = 0;
    *out = NULL;
    if (handed_down() < 0) {
        xb_because(why, -ENODATA, "not under valgrind, as xbound run --counters callgrind is");
        return 0;
    }
    for (size_t i = 0; i < EVENTS; i++)
        all |= 1u << events[i].metric;
    if (!(wanted->set & all))
        return 0;
    struct xb_counters *counters = calloc(1, sizeof *counters);
    if (!counters)
        return xb_because(why, -ENOMEM, "callgrind: out of memory");
    counters->fd = handed_down();
    counters->set = *granted = wanted->set & all;
    *out = counters;
    return 0;
}

static int start(struct xb_counters *counters)
{
    (void)counters;
    CALLGRIND_START_INSTRUMENTATION;
    return 0;
}

/* Adds up what the file says: names of events in one line, their sums in another, where zeros at
 * the end are left out. 0, or -ENODATA where there is no sum. */
static int read_sums(char *text, struct xb_reading *out)
{
    char *names = strstr(text, "\nevents:"), *sums = strstr(text, "\ntotals:");
    if (!names || !sums || names > sums)
        return -ENODATA;
    names += strlen("\nevents:");
    sums += strlen("\ntotals:");
    names[strcspn(names, "\n")] = '\0';
    sums[strcspn(sums, "\n")] = '\0';
    char *rest;
    for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        uint64_t sum = strtoull(sums, &sums, 10);
        for (size_t i = 0; i < EVENTS; i++)
            if (strcmp(events[i].event, name) == 0)
                out->value[events[i].metric] += sum;
    }
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
    counters->text[n] = '\0';
    *out = (struct xb_reading){ .present = counters->set, .enabled_ns = 1, .running_ns = 1 };
    return read_sums(counters->text, out);
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
