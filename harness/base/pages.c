/* SPDX-License-Identifier: BSD-3-Clause
 * Reads code pages of processes, each once. */
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PAGE = 4096, /* what is read at once, whatever the kernel's pages are */
    SLOTS =
        4096, /* a power of two: 16 MiB of code, from three quarters of which on all is forgotten */
};

struct page {
    pid_t pid;
    uint64_t at; /* 0: the slot is free */
    uint8_t *bytes;
};

struct xb_pages {
    size_t n;
    struct page page[SLOTS];
};

int xb_pages_open(struct xb_pages **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? 0 : -ENOMEM;
}

void xb_pages_forget(struct xb_pages *code)
{
    for (size_t i = 0; i < SLOTS; i++) {
        free(code->page[i].bytes);
        code->page[i] = (struct page){ 0 };
    }
    code->n = 0;
}

void xb_pages_close(struct xb_pages *code)
{
    if (!code)
        return;
    xb_pages_forget(code);
    free(code);
}

static bool read_file(const struct xb_maps *maps, pid_t pid, uint64_t at, uint8_t *bytes)
{
    const struct xb_mapping *mapping = maps ? xb_maps_find(maps, pid, at) : NULL;
    if (!mapping || mapping->name[0] != '/')
        return false;
    int fd = open(mapping->name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = pread(fd, bytes, PAGE, (off_t)(at - mapping->start + mapping->offset));
    close(fd);
    return n == PAGE;
}

static bool read_page(const struct xb_maps *maps, pid_t pid, uint64_t at, uint8_t *bytes)
{
    struct iovec to = { bytes, PAGE }, from = { (void *)(uintptr_t)at, PAGE };
    return process_vm_readv(pid, &to, 1, &from, 1, 0) == PAGE || read_file(maps, pid, at, bytes);
}

static const uint8_t *page_at(struct xb_pages *code, const struct xb_maps *maps, pid_t pid,
                              uint64_t at)
{
    size_t slot = ((at / PAGE + (uint64_t)pid * 0x10001) * 0x9e3779b97f4a7c15ull) >> 52;
    for (; code->page[slot].at; slot = (slot + 1) % SLOTS)
        if (code->page[slot].at == at && code->page[slot].pid == pid)
            return code->page[slot].bytes;
    if (code->n > SLOTS / 4 * 3) {
        xb_pages_forget(code);
        return page_at(code, maps, pid, at);
    }
    uint8_t *bytes = malloc(PAGE);
    if (bytes && !read_page(maps, pid, at, bytes)) {
        free(bytes);
        bytes = NULL;
    }
    code->page[slot] = (struct page){ .pid = pid, .at = at, .bytes = bytes };
    code->n++;
    return bytes;
}

void xb_pages_window(struct xb_pages *code, const struct xb_maps *maps, pid_t pid, uint64_t at,
                     size_t behind, size_t ahead, uint8_t *room, struct xb_window *out)
{
    *out = (struct xb_window){ .code = room, .first = at };
    if (at < PAGE || at > UINT64_MAX - ahead - PAGE)
        return;
    uint64_t from = at - (behind < at ? behind : 0), to = at + ahead;
    size_t n = 0;
    for (uint64_t page = from / PAGE * PAGE; page < to; page += PAGE) {
        const uint8_t *bytes = page ? page_at(code, maps, pid, page) : NULL;
        uint64_t first = page > from ? page : from, end = page + PAGE < to ? page + PAGE : to;
        if (!bytes) {
            if (page + PAGE > at) /* what comes after `at` ends here */
                break;
            n = 0; /* what came before it begins behind this */
            continue;
        }
        if (!n)
            out->first = first;
        memcpy(room + n, bytes + (first - page), end - first);
        n += end - first;
    }
    out->n = n;
    if (!n)
        out->first = at;
}
