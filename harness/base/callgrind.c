/* SPDX-License-Identifier: BSD-3-Clause
 * Finds valgrind, describes caches to it, and reads the totals of callgrind's files. */
#include "callgrind.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 64, WAYS_MOST = 64 };

static const struct {
    const char *option;
    uint64_t ways; /* at least */
} caches[] = { [XB_CALLGRIND_I1] = { "--I1", 8 },
               [XB_CALLGRIND_D1] = { "--D1", 8 },
               [XB_CALLGRIND_LL] = { "--LL", 16 } };

static const struct {
    const char *event;
    size_t sum;
} events[] = {
    { "Ir", offsetof(struct xb_callgrind_sums, instructions) },
    { "D1mr", offsetof(struct xb_callgrind_sums, d1_misses) },
    { "D1mw", offsetof(struct xb_callgrind_sums, d1_misses) },
    { "ILmr", offsetof(struct xb_callgrind_sums, ll_misses) },
    { "DLmr", offsetof(struct xb_callgrind_sums, ll_misses) },
    { "DLmw", offsetof(struct xb_callgrind_sums, ll_misses) },
};

int xb_program_find(const char *name, char path[static PATH_MAX])
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

int xb_callgrind_find(char path[static PATH_MAX], struct xb_reason *why)
{
    if (xb_program_find("valgrind", path) != 0)
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

uint64_t xb_callgrind_fit(enum xb_callgrind_cache cache, double bytes)
{
    uint64_t least = caches[cache].ways, sets = 1;
    uint64_t lines = bytes >= 1e15 ? (uint64_t)(1e15 / LINE)
                     : bytes > 0   ? (uint64_t)bytes / LINE
                                   : 0;
    if (lines < least)
        return least * LINE;
    while (lines / sets >= 2 * least)
        sets *= 2;
    return lines / sets * sets * LINE;
}

int xb_callgrind_option(enum xb_callgrind_cache cache, uint64_t bytes,
                        char out[XB_CALLGRIND_OPTION], struct xb_reason *why)
{
    uint64_t ways = ways_of(bytes, caches[cache].ways);
    if (ways > WAYS_MOST)
        return xb_because(why, -EINVAL,
                          "valgrind cannot simulate a cache of %" PRIu64
                          " bytes: only 1 to %d ways of a power of two of lines, as in 32K or 48K",
                          bytes, WAYS_MOST);
    snprintf(out, XB_CALLGRIND_OPTION, "%s=%" PRIu64 ",%" PRIu64 ",%d", caches[cache].option, bytes,
             ways, LINE);
    return 0;
}

static void add(const char *names, const char *totals, struct xb_callgrind_sums *sums)
{
    for (names += strspn(names, " "); *names && *names != '\n'; names += strspn(names, " ")) {
        size_t length = strcspn(names, " \n");
        char *end;
        uint64_t total = strtoull(totals, &end, 10);
        totals = end;
        for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
            if (strlen(events[i].event) == length && strncmp(events[i].event, names, length) == 0)
                *(uint64_t *)(void *)((char *)sums + events[i].sum) += total;
        names += length;
    }
}

int xb_callgrind_read(FILE *in, struct xb_callgrind_sums *sums)
{
    static const char names_key[] = "events:", totals_key[] = "totals:";
    char *line = NULL, names[1024] = "";
    size_t room = 0;
    int err = -ENODATA;
    while (getline(&line, &room, in) > 0) {
        if (strncmp(line, names_key, sizeof names_key - 1) == 0)
            snprintf(names, sizeof names, "%s", line + sizeof names_key - 1);
        if (strncmp(line, totals_key, sizeof totals_key - 1) != 0 || !names[0])
            continue;
        add(names, line + sizeof totals_key - 1, sums);
        err = 0;
    }
    free(line);
    return err;
}
