/* SPDX-License-Identifier: BSD-3-Clause
 * Reads /proc/PID/maps, proc(5). */
#include "maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int xb_maps_add(struct xb_maps *maps, const struct xb_mapping *mapping)
{
    if (maps->n == maps->room) {
        size_t room = maps->room ? 2 * maps->room : 64;
        struct xb_mapping *more = realloc(maps->mapping, room * sizeof *more);
        if (!more)
            return -ENOMEM;
        maps->mapping = more;
        maps->room = room;
    }
    struct xb_mapping *added = &maps->mapping[maps->n];
    *added = *mapping;
    added->name = strdup(mapping->name ? mapping->name : "");
    if (!added->name)
        return -ENOMEM;
    maps->n++;
    return 0;
}

static void drop(struct xb_maps *maps, pid_t pid)
{
    size_t kept = 0;
    for (size_t i = 0; i < maps->n; i++)
        if (maps->mapping[i].pid == pid)
            free(maps->mapping[i].name);
        else
            maps->mapping[kept++] = maps->mapping[i];
    maps->n = kept;
}

int xb_maps_read(struct xb_maps *maps, pid_t pid)
{
    char path[64], *line = NULL;
    size_t room = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    int err = 0;
    bool first = true; /* a zombie's is empty */
    while (!err && getline(&line, &room, file) > 0) {
        struct xb_mapping mapping = { .pid = pid };
        char access[5];
        int name = 0;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &mapping.start,
                   &mapping.end, access, &mapping.offset, &name) != 4)
            continue;
        if (first)
            drop(maps, pid);
        first = false;
        mapping.is_writable = access[1] == 'w';
        mapping.is_executable = access[2] == 'x';
        mapping.is_shared = access[3] == 's';
        line[strcspn(line, "\n")] = 0;
        mapping.name = line + name;
        err = xb_maps_add(maps, &mapping);
    }
    free(line);
    fclose(file);
    return err ? err : first ? -ENOENT : 0;
}

const struct xb_mapping *xb_maps_find(const struct xb_maps *maps, pid_t pid, uint64_t address)
{
    /* The last one added is the one that is there. */
    for (size_t i = maps->n; i-- > 0;) {
        const struct xb_mapping *mapping = &maps->mapping[i];
        if (mapping->pid == pid && mapping->start <= address && address < mapping->end)
            return mapping;
    }
    return NULL;
}

bool xb_maps_know(const struct xb_maps *maps, pid_t pid)
{
    for (size_t i = 0; i < maps->n; i++)
        if (maps->mapping[i].pid == pid)
            return true;
    return false;
}

void xb_maps_forget(struct xb_maps *maps)
{
    for (size_t i = 0; i < maps->n; i++)
        free(maps->mapping[i].name);
    free(maps->mapping);
    *maps = (struct xb_maps){ 0 };
}
