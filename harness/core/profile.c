/* SPDX-License-Identifier: BSD-3-Clause
 * Keeps a machine's profile in a small CSV file. */
#include "profile.h"

#include "../base/clock.h"
#include "../base/fnv.h"
#include "../base/parse.h"
#include "../base/skid.h"
#include "machine.h"
#include "picture.h"
#include "provenance.h"
#include "row.h"
#include "rows.h"
#include "sample.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert((int)XB_LEVEL_DRAM - (int)XB_LEVEL_L1 == (int)XB_PICTURE_DRAM, "the same levels");

struct field {
    char key[32];
    double *value;
};

enum { FIELDS = XB_LEVEL_DRAM - XB_LEVEL_L1 + 2 * (XB_LEVEL_DRAM - XB_LEVEL_L1 + 1) + 4 };

/* The table that reading and writing share. */
static void list_fields(struct xb_profile *profile, struct field fields[FIELDS])
{
    struct xb_capacity *capacity = &profile->capacity;
    size_t n = 0;
    for (int level = XB_LEVEL_L1; level <= XB_LEVEL_DRAM; level++) {
        const char *name = xb_level_key(level - XB_LEVEL_L1);
        if (level < XB_LEVEL_DRAM) {
            fields[n].value = &capacity->bytes[level];
            snprintf(fields[n++].key, sizeof fields->key, "%s_bytes", name);
        }
        fields[n].value = &capacity->latency_ns[level];
        snprintf(fields[n++].key, sizeof fields->key, "%s_latency_ns", name);
        fields[n].value = &capacity->load_gb_per_s[level];
        snprintf(fields[n++].key, sizeof fields->key, "%s_load_gb_per_s", name);
    }
    fields[n].value = &capacity->skid;
    snprintf(fields[n++].key, sizeof fields->key, "skid");
    fields[n].value = &capacity->sample_ns;
    snprintf(fields[n++].key, sizeof fields->key, "sample_ns");
    fields[n].value = &profile->took_s;
    snprintf(fields[n++].key, sizeof fields->key, "took_s");
    fields[n].value = &profile->others_cpus;
    snprintf(fields[n].key, sizeof fields->key, "others_cpus");
}

void xb_profile_clear(struct xb_profile *profile)
{
    struct field fields[FIELDS];
    *profile = (struct xb_profile){ .took_s = NAN, .others_cpus = NAN };
    profile->capacity.bytes[XB_LEVEL_NONE] = profile->capacity.latency_ns[XB_LEVEL_NONE] =
        profile->capacity.load_gb_per_s[XB_LEVEL_NONE] = NAN;
    list_fields(profile, fields);
    for (size_t i = 0; i < FIELDS; i++)
        *fields[i].value = NAN;
}

int xb_profile_path(const struct xb_topology *topology, char path[PATH_MAX], struct xb_reason *why)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool own = cache && cache[0] == '/'; /* the specification has relative ones ignored */
    if (!own && (!home || home[0] != '/'))
        return xb_because(why, -ENOENT, "neither XDG_CACHE_HOME nor HOME is set to a folder");
    char host[64] = "", claims[128 + XB_FACT_BYTES];
    gethostname(host, sizeof host - 1);
    for (char *at = host; *at; at++)
        if (*at == '/' || (unsigned char)*at <= ' ')
            *at = '_';
    struct xb_machine machine;
    xb_machine_read("", &machine);
    snprintf(claims, sizeof claims, "%zu %zu %zu %u %s",
             xb_topology_cache_bytes(topology, XB_CACHE_L1D),
             xb_topology_cache_bytes(topology, XB_CACHE_L2),
             xb_topology_cache_bytes(topology, XB_CACHE_LLC), xb_topology_pus(topology),
             machine.microcode);
    /* A name that differs where the machine does, no more. */
    uint64_t hash = xb_fnv(XB_FNV_BASIS, machine.cpu_model, strlen(machine.cpu_model));
    hash = xb_fnv(hash, claims, strlen(claims));
    int n = snprintf(path, PATH_MAX, "%s%s/xbound/%s-%016llx.csv", own ? cache : home,
                     own ? "" : "/.cache", host[0] ? host : "machine", (unsigned long long)hash);
    return n < PATH_MAX ? 0 : xb_because(why, -ENAMETOOLONG, "the path of the cache is too long");
}

int xb_profile_load(const char *path, struct xb_profile *profile, struct xb_reason *why)
{
    struct field fields[FIELDS];
    struct xb_facts facts = { 0 };
    xb_profile_clear(profile);
    list_fields(profile, fields);
    int err = access(path, R_OK) == 0
                  ? xb_facts_open(&facts, path, why)
                  : xb_because(why, -errno, "%.180s: %s", path, strerror(errno));
    for (size_t i = 0; i < FIELDS && !err; i++) {
        const char *text = xb_facts_get(&facts, fields[i].key);
        if (text[0] && (xb_parse_real(text, fields[i].value) != 0 || !(*fields[i].value > 0)))
            err = xb_because(why, -EBADMSG, "%.180s: %s: '%.20s' is not a positive number", path,
                             fields[i].key, text);
    }
    xb_facts_close(&facts);
    if (err)
        xb_profile_clear(profile);
    return err;
}

static int write_fields(FILE *out, const struct xb_profile *profile)
{
    struct field fields[FIELDS];
    struct xb_profile copy = *profile;
    struct xb_machine machine;
    xb_machine_read("", &machine);
    list_fields(&copy, fields);
    int err = fputs("key,value\n", out) == EOF ? -EIO : 0;
    if (!err)
        err = xb_provenance_add(out, "schema", "%d", XB_ROW_SCHEMA);
    if (!err)
        err = xb_provenance_add(out, "cpu_model", "%s", machine.cpu_model);
    for (size_t i = 0; i < FIELDS && !err; i++)
        err = isfinite(*fields[i].value)
                  ? xb_provenance_add(out, fields[i].key, "%.9g", *fields[i].value)
                  : xb_provenance_add(out, fields[i].key, "%s", "");
    return err;
}

/* Makes all folders on the way to a file. */
static void make_folders(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder, 0755); /* opening the file says what is wrong */
        *slash = '/';
    }
}

int xb_profile_save(const char *path, const struct xb_profile *profile, struct xb_reason *why)
{
    char draft[PATH_MAX];
    if (snprintf(draft, sizeof draft, "%s.XXXXXX", path) >= PATH_MAX)
        return xb_because(why, -ENAMETOOLONG, "the path of the cache is too long");
    make_folders(path);
    int fd = mkstemp(draft);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (out)
        fchmod(fd, 0644); /* no secret, and what users share is measured once */
    int err = out ? 0 : -errno;
    if (!err)
        err = write_fields(out, profile);
    if (out && fclose(out) != 0 && !err)
        err = -errno;
    if (!err && rename(draft, path) != 0)
        err = -errno;
    if (err && fd >= 0)
        unlink(draft);
    return err ? xb_because(why, err, "%.180s: %s", path, strerror(-err)) : 0;
}

/* CPU time of this process and of its children that were waited for. */
static uint64_t own_ns(void)
{
    uint64_t ns = 0;
    for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
        struct rusage used;
        if (getrusage(who, &used) == 0)
            ns += xb_usage_cpu_ns(&used);
    }
    return ns;
}

static int measure(const struct xb_registry *registry, const struct xb_topology *topology,
                   const volatile sig_atomic_t *stop, struct xb_profile *profile,
                   struct xb_reason *why)
{
    struct xb_picture picture;
    xb_profile_clear(profile);
    int err = xb_picture_measure(registry, topology, XB_BIND_NONE, false, stop, &picture, why);
    if (err)
        return err;
    double reach = NAN;
    struct xb_reason why_not = { 0 };
    err = xb_picture_reach(registry, topology, stop, &picture, &reach, &why_not);
    if (err == -EINTR)
        return err;
    for (int level = 0; level < XB_PICTURE_LEVELS; level++) {
        if (level < XB_PICTURE_DRAM)
            profile->capacity.bytes[XB_LEVEL_L1 + level] = picture.capacity[level];
        profile->capacity.latency_ns[XB_LEVEL_L1 + level] = picture.latency_ns[level];
        profile->capacity.load_gb_per_s[XB_LEVEL_L1 + level] = picture.load_gb_per_s[level];
    }
    if (reach > 0)
        profile->capacity.bytes[XB_LEVEL_LLC] = reach;
    struct xb_skid_report skid;
    if (xb_skid_calibrate(&skid, &why_not) == 0) {
        profile->capacity.skid = skid.skid == XB_SKID_NEXT ? 1 : 2;
        /* below 0 is noise, and the file has none that are not above it */
        profile->capacity.sample_ns = fmax(fmin(skid.chase.cost_ns, skid.stream.cost_ns), 1);
    }
    if (!why->code && why_not.code)
        *why = why_not;
    profile->took_s = picture.took_s;
    return 0;
}

int xb_profile_measure(const struct xb_registry *registry, const struct xb_topology *topology,
                       const volatile sig_atomic_t *stop, struct xb_profile *profile,
                       struct xb_reason *why)
{
    uint64_t begin_ns = xb_now_ns(), busy_ns = xb_busy_ns(), used_ns = own_ns();
    int err = measure(registry, topology, stop, profile, why);
    if (!err && busy_ns) {
        double busy = (double)(xb_busy_ns() - busy_ns), own = (double)(own_ns() - used_ns);
        /* the file has none that are not above 0 */
        profile->others_cpus = fmax((busy - own) / (double)(xb_now_ns() - begin_ns), 1e-3);
    }
    return err;
}

void xb_profile_get(enum xb_profile_use use, const struct xb_registry *registry,
                    const struct xb_topology *topology, const volatile sig_atomic_t *stop,
                    void (*measuring)(void), struct xb_profile *profile, struct xb_reason *why)
{
    char path[PATH_MAX];
    struct xb_reason unkept = { 0 };
    struct sigaction by_default = { .sa_handler = SIG_DFL }, before;
    bool keep = use != XB_PROFILE_APART && xb_profile_path(topology, path, &unkept) == 0;
    *why = (struct xb_reason){ 0 };
    if (keep && use == XB_PROFILE_KEPT && xb_profile_load(path, profile, &unkept) == 0)
        return;
    if (measuring)
        measuring();
    sigaction(SIGCHLD, &by_default, &before); /* where it is ignored, no cell could be reaped */
    int err = xb_profile_measure(registry, topology, stop, profile, why);
    sigaction(SIGCHLD, &before, NULL);
    if (why->code == -ERANGE) /* a last level larger than any set that fits: nothing is amiss */
        *why = (struct xb_reason){ 0 };
    if (!err && keep && xb_profile_save(path, profile, &unkept) != 0 && !why->code)
        xb_because(why, unkept.code, "what was measured is not kept: %s", unkept.text);
}
