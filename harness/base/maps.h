/* What processes have mapped where: to name the module of an address, and to doubt an address. */
#ifndef XB_BASE_MAPS_H
#define XB_BASE_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct xb_mapping {
    pid_t pid;
    uint64_t start, end; /* end: the first address behind it */
    uint64_t offset;     /* in the file, of `start` */
    char *name;          /* the file, "[heap]", or "" */
    bool is_writable, is_executable;
    bool
        is_shared; /* with other processes, which have it at the same address if they were forked */
};

/* All zero: nothing is known. Give back with xb_maps_forget(). */
struct xb_maps {
    struct xb_mapping *mapping;
    size_t n, room;
};

/* Reads what `pid` has mapped now, in place of what was known of it. 0 or -errno: -ENOENT when it is
 * gone, -EACCES when it is another user's; then what was known stays. */
int xb_maps_read(struct xb_maps *maps, pid_t pid);

/* Adds one, whose name is copied; it covers what was there before. 0 or -ENOMEM. */
int xb_maps_add(struct xb_maps *maps, const struct xb_mapping *mapping);

/* The mapping that holds `address`, or NULL; valid until the maps change. */
const struct xb_mapping *xb_maps_find(const struct xb_maps *maps, pid_t pid, uint64_t address);

/* Whether anything is known of `pid`. */
bool xb_maps_know(const struct xb_maps *maps, pid_t pid);

void xb_maps_forget(struct xb_maps *maps);

#endif
