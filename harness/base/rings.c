/* SPDX-License-Identifier: BSD-3-Clause */
#include "rings.h"

#include "procfs.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char RING[] = "anon_inode:[io_uring]";
static const char TAKEN[] = "\nCachedSqHead:";

static bool is_ring(DIR *folder, const char *name)
{
    char link[sizeof RING];
    ssize_t length = readlinkat(dirfd(folder), name, link, sizeof link);
    return length == sizeof RING - 1 && memcmp(link, RING, sizeof RING - 1) == 0;
}

/* The list of operations in flight comes behind what is wanted, and is cut off. */
static void look_at(pid_t pid, const char *descriptor, struct xb_rings *rings)
{
    char name[32], text[512];
    snprintf(name, sizeof name, "fdinfo/%.12s", descriptor);
    if (xb_proc_text(pid, 0, name, text, sizeof text) <= 0)
        return;
    const char *at = strstr(text, TAKEN);
    rings->found++;
    rings->busy += !at;
    rings->taken += at ? strtoull(at + sizeof TAKEN - 1, NULL, 10) : 0;
}

void xb_rings_look(pid_t pid, unsigned *links, struct xb_rings *rings)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = *links ? opendir(path) : NULL;
    if (!folder)
        return;
    const struct dirent *entry;
    while (*links && (entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        (*links)--;
        if (is_ring(folder, entry->d_name))
            look_at(pid, entry->d_name, rings);
    }
    closedir(folder);
}
