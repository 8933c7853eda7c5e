/* SPDX-License-Identifier: BSD-3-Clause
 * Loads shared objects with kernels, and mistrusts them. */
#include "plugin.h"

#include "../../kernels/plugin.h"
#include "../base/fnv.h"
#include "isa.h"
#include "wire.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Of the file's bytes, not of the code alone: a constant is part of the work too. */
static int hash_file(const char *path, char out[20])
{
    unsigned char bytes[1 << 14];
    uint64_t hash = XB_FNV_BASIS;
    FILE *in = fopen(path, "re");
    if (!in)
        return -errno;
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
        hash = xb_fnv(hash, bytes, n);
    int err = ferror(in) ? -EIO : 0;
    fclose(in);
    snprintf(out, 20, "%016" PRIx64, hash);
    return err;
}

static int load(struct xb_plugin_file *file, const char *path, struct xb_reason *why)
{
    struct stat is;
    char *whole = realpath(path, NULL); /* dlopen() looks for a bare name elsewhere */
    int err = whole && stat(whole, &is) == 0 ? 0 : -errno;
    if (err)
        xb_because(why, err, "%s", strerror(-err));
    else if (!S_ISREG(is.st_mode))
        err = xb_because(why, -ENOEXEC, "is not a file");
    if (!err && (err = hash_file(whole, file->hash)) != 0)
        xb_because(why, err, "%s", strerror(-err));
    if (!err && !(file->handle = dlopen(whole, RTLD_NOW | RTLD_LOCAL))) {
        const char *said = dlerror(), *tail = said ? strstr(said, whole) : NULL;
        tail =
            tail == said && tail ? tail + strlen(whole) + strspn(tail + strlen(whole), ": ") : said;
        err = xb_because(why, -ENOEXEC, "is not a shared object that can be loaded: %.150s",
                         tail ? tail : "no reason given");
    }
    free(whole);
    return err;
}

/* What kernel.h calls required, and what a line of the protocol needs. */
static const char *lack_of(const struct xb_kernel *kernel)
{
    const char *name = kernel->name;
    if (!name || !name[0] || strlen(name) >= XB_NAME_BYTES ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_/")])
        return "has no name such as cpu/mine";
    if (!kernel->run)
        return "lacks run";
    if (!kernel->verify)
        return "lacks verify: a kernel that cannot check itself is not measured";
    if (!kernel->item || !kernel->summary)
        return "lacks item or summary";
    if ((unsigned)kernel->bound >= XB_CLASSES || (unsigned)kernel->fit > XB_FIT_DRAM)
        return "has a class or fit that there is not";
    if (kernel->fit == XB_FIT_OWN && kernel->own_bytes == 0)
        return "lacks own_bytes, which XB_FIT_OWN needs";
    if (kernel->isas >> XB_ISAS)
        return "has an instruction set variant that there is not";
    if (kernel->n_claims && !kernel->claims)
        return "lacks the claims that it counts";
    return NULL;
}

static int check(const struct xb_plugin *plugin, struct xb_reason *why)
{
    static const uint32_t sizes[] = XB_PLUGIN_SIZES;
    if (plugin->abi != XB_PLUGIN_ABI)
        return xb_because(why, -EPROTO,
                          "has kernel ABI %u, and this xbound %d: compile it with this kernels/",
                          plugin->abi, XB_PLUGIN_ABI);
    if (memcmp(plugin->sizes, sizes, sizeof sizes) != 0)
        return xb_because(why, -EPROTO,
                          "has structs of other sizes than this xbound (xb_kernel: %u bytes, here "
                          "%u): compile it with this kernels/",
                          plugin->sizes[0], sizes[0]);
    if (plugin->n_kernels == 0 || !plugin->kernels)
        return xb_because(why, -EINVAL, "has no kernel");
    for (size_t i = 0; i < plugin->n_kernels; i++) {
        const struct xb_kernel *kernel = plugin->kernels[i];
        const char *lack = kernel ? lack_of(kernel) : "is NULL";
        if (lack)
            return xb_because(why, -EINVAL, "kernel %zu (%.63s) %s", i + 1,
                              kernel && kernel->name ? kernel->name : "no name", lack);
        for (size_t j = 0; j < i; j++)
            if (strcmp(kernel->name, plugin->kernels[j]->name) == 0)
                return xb_because(why, -EINVAL, "has two kernels %s", kernel->name);
    }
    return 0;
}

/* Of the code's place these addresses are what can be seen. By chance, at the usual boundaries of 16
 * bytes, four of them look so in one build of 256. Teardowns are left out: many are free(3). */
static bool all_aligned(const struct xb_plugin *plugin)
{
    uintptr_t low = 0;
    for (size_t i = 0; i < plugin->n_kernels; i++) {
        const struct xb_kernel *kernel = plugin->kernels[i];
        low |= (uintptr_t)kernel->run | (uintptr_t)kernel->verify | (uintptr_t)kernel->setup |
               (uintptr_t)kernel->begin;
    }
    return low % 64 == 0;
}

int xb_plugin_open(struct xb_plugin_file *file, const char *path, const struct xb_registry *build,
                   struct xb_reason *why)
{
    *file = (struct xb_plugin_file){ .registry = *build };
    int err = load(file, path, why);
    if (err)
        return err;
    const struct xb_plugin *plugin = dlsym(file->handle, XB_PLUGIN_SYMBOL);
    if (!plugin)
        return xb_because(why, -EPROTO, "has no symbol " XB_PLUGIN_SYMBOL ": see kernels/plugin.h");
    err = check(plugin, why);
    if (err)
        return err;
    file->registry.kernels = plugin->kernels;
    file->registry.n_kernels = plugin->n_kernels;
    file->aligned = all_aligned(plugin);
    return 0;
}

void xb_plugin_close(struct xb_plugin_file *file)
{
    if (file->handle)
        dlclose(file->handle);
    file->handle = NULL;
}
