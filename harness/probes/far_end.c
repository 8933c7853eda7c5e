/* SPDX-License-Identifier: BSD-3-Clause
 * The probe of whom a program waits for over the network, where that runs on this machine: what CPU time
 * the processes take that listen at the other end of its TCP connections.
 *
 * A far end elsewhere cannot be seen from here. One that is here is found by who listens on the port that
 * a connection goes to: /proc/<pid>/net/tcp has both, and /proc/<pid>/fd whose sockets they are. By the
 * listening socket rather than the other end of the connection, since connections come and go between two
 * looks, and processes that are forked to serve share the one that listens. Unix sockets are left out:
 * /proc does not tell who is at their other end. */
#include "probe.h"

#include "../base/clock.h"
#include "../base/procfs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LOOK_NS = 50 * 1000 * 1000, /* between looks: a look reads a link for each file that is open */
    PROCESSES_MAX = 16,         /* of the program, whose files are looked at */
    SOCKETS_MAX = 256,
    PORTS_MAX = 16,
    OWNERS_MAX = 64
};

/* One that did less than this share of what the busiest did serves nobody. */
#define TOOK_PART (1.0 / 20)

enum { TCP_OPEN = 1, TCP_OPENING = 2, TCP_LISTENS = 10 }; /* include/net/tcp_states.h */

struct owner {
    pid_t pid;
    uint64_t since_ns, before_ns; /* when its CPU time was so much */
};

struct far_end {
    const struct xb_scene *scene;
    uint64_t looked_ns, looks, cpu_ns;
    unsigned port[PORTS_MAX]; /* that were looked for */
    size_t n_ports;
    struct owner owner[OWNERS_MAX];
    size_t n_owners;
};

/* A line of /proc/net/tcp or tcp6; see proc_pid_net(5). */
struct entry {
    char local[33], remote[33];
    unsigned local_port, remote_port, state;
    unsigned long inode;
};

static bool parse(const char *line, struct entry *out)
{
    return sscanf(line, "%*d: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*s %*s %*s %*u %*u %lu", out->local,
                  &out->local_port, out->remote, &out->remote_port, &out->state, &out->inode) == 6;
}

/* To 127.0.0.0/8, ::1 or the former in the latter's form, or to the address that it comes from. */
static bool stays_here(const struct entry *entry)
{
    const char *address = entry->remote;
    size_t length = strlen(address);
    return strcmp(address, entry->local) == 0 || (length == 8 && strcmp(address + 6, "7F") == 0) ||
           strcmp(address, "00000000000000000000000001000000") == 0 ||
           (length == 32 && strncmp(address, "0000000000000000FFFF0000", 24) == 0 &&
            strcmp(address + 30, "7F") == 0);
}

/* Calls `use` for each entry of both tables, as the process `pid` sees them. */
static void walk(pid_t pid, void (*use)(void *context, const struct entry *entry), void *context)
{
    static const char *const names[] = { "tcp", "tcp6" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64], line[512];
        struct entry entry;
        snprintf(path, sizeof path, "/proc/%d/net/%s", (int)pid, names[i]);
        FILE *file = fopen(path, "re");
        while (file && fgets(line, sizeof line, file))
            if (parse(line, &entry))
                use(context, &entry);
        if (file)
            fclose(file);
    }
}

/* Inodes of the sockets that a process has open, added to `n`. Returns the new number. */
static size_t add_sockets(pid_t pid, unsigned long *inode, size_t n, size_t room)
{
    char path[64], link[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && n < room && (entry = readdir(folder));) {
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);
        link[length > 0 ? length : 0] = '\0';
        if (sscanf(link, "socket:[%lu]", &inode[n]) == 1)
            n++;
    }
    if (folder)
        closedir(folder);
    return n;
}

static bool is_among(const unsigned long *inode, size_t n, unsigned long wanted)
{
    for (size_t i = 0; i < n; i++)
        if (inode[i] == wanted)
            return true;
    return false;
}

/* ---- a look ---- */

struct asked {
    unsigned long inode[SOCKETS_MAX]; /* the program's sockets, then those that listen */
    size_t n;
    unsigned port[PORTS_MAX];
    size_t n_ports;
};

static bool is_port(const unsigned *port, size_t n, unsigned wanted)
{
    for (size_t i = 0; i < n; i++)
        if (port[i] == wanted)
            return true;
    return false;
}

static void find_port(void *context, const struct entry *entry)
{
    struct asked *asked = context;
    if ((entry->state == TCP_OPEN || entry->state == TCP_OPENING) && stays_here(entry) &&
        is_among(asked->inode, asked->n, entry->inode) && asked->n_ports < PORTS_MAX &&
        !is_port(asked->port, asked->n_ports, entry->remote_port))
        asked->port[asked->n_ports++] = entry->remote_port;
}

static void find_listener(void *context, const struct entry *entry)
{
    struct asked *asked = context;
    if (entry->state == TCP_LISTENS && is_port(asked->port, asked->n_ports, entry->local_port) &&
        asked->n < SOCKETS_MAX)
        asked->inode[asked->n++] = entry->inode;
}

static bool is_own(const struct xb_scene *scene, pid_t pid)
{
    for (size_t i = 0; i < scene->n_tasks; i++)
        if (scene->tasks[i].pid == pid)
            return true;
    return false;
}

static void add_owner(struct far_end *far, pid_t pid)
{
    for (size_t i = 0; i < far->n_owners; i++)
        if (far->owner[i].pid == pid)
            return;
    if (far->n_owners < OWNERS_MAX)
        far->owner[far->n_owners++] =
            (struct owner){ .pid = pid, .since_ns = xb_now_ns(), .before_ns = xb_proc_cpu_ns(pid) };
}

/* Who has one of the sockets that listen open; files of other users' processes cannot be seen. */
static void find_owners(struct far_end *far, const struct asked *listening)
{
    DIR *folder = opendir("/proc");
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        unsigned long inode[SOCKETS_MAX];
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (is_own(far->scene, pid))
            continue;
        size_t n = add_sockets(pid, inode, 0, SOCKETS_MAX);
        for (size_t i = 0; i < n; i++)
            if (is_among(listening->inode, listening->n, inode[i]))
                add_owner(far, pid);
    }
    if (folder)
        closedir(folder);
}

static void look(struct far_end *far)
{
    const struct xb_scene *scene = far->scene;
    struct asked asked = { .n = 0 };
    size_t processes = 0;
    for (size_t i = 0; i < scene->n_tasks && processes < PROCESSES_MAX; i++)
        if (scene->tasks[i].tid == scene->tasks[i].pid) {
            asked.n = add_sockets(scene->tasks[i].pid, asked.inode, asked.n, SOCKETS_MAX);
            processes++;
        }
    far->looks++;
    if (!asked.n)
        return;
    walk(scene->root, find_port, &asked);
    size_t fresh = 0;
    for (size_t i = 0; i < asked.n_ports; i++)
        if (!is_port(far->port, far->n_ports, asked.port[i]) && far->n_ports < PORTS_MAX)
            asked.port[fresh++] = far->port[far->n_ports++] = asked.port[i];
    asked.n_ports = fresh;
    asked.n = 0;
    if (fresh)
        walk(scene->root, find_listener, &asked);
    if (asked.n)
        find_owners(far, &asked);
}

/* ---- the probe ---- */

static int probe(struct xb_reason *why)
{
    if (access("/proc/self/net/tcp", R_OK) != 0)
        return xb_because(why, -errno, "/proc/self/net/tcp cannot be read: mount /proc");
    return 0;
}

static int open_probe(const struct xb_scene *scene, void **out, struct xb_reason *why)
{
    struct far_end *far = calloc(1, sizeof *far);
    if (!far)
        return xb_because(why, -ENOMEM, "no memory for a table of processes");
    far->scene = scene;
    *out = far;
    return 0;
}

static int begin(void *self, uint64_t now_ns)
{
    struct far_end *far = self;
    for (size_t i = 0; i < far->n_owners; i++) {
        far->owner[i].since_ns = now_ns;
        far->owner[i].before_ns = xb_proc_cpu_ns(far->owner[i].pid);
    }
    far->looks = far->cpu_ns = 0;
    return 0;
}

static int poll(void *self, uint64_t now_ns)
{
    struct far_end *far = self;
    if (now_ns - far->looked_ns < LOOK_NS)
        return 0;
    uint64_t cpu_ns = xb_thread_cpu_ns();
    far->looked_ns = now_ns;
    look(far);
    far->cpu_ns += xb_thread_cpu_ns() - cpu_ns;
    return 0;
}

static size_t count_threads(pid_t pid)
{
    char path[64];
    size_t n = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        n += isdigit((unsigned char)entry->d_name[0]) != 0;
    if (folder)
        closedir(folder);
    return n;
}

static int end(void *self, uint64_t now_ns, struct xb_findings *out, struct xb_reason *why)
{
    struct far_end *far = self;
    (void)why;
    double share[OWNERS_MAX], sum = 0, busiest = 0;
    for (size_t i = 0; i < far->n_owners; i++) {
        const struct owner *owner = &far->owner[i];
        uint64_t after_ns = xb_proc_cpu_ns(owner->pid);
        share[i] = now_ns > owner->since_ns && after_ns > owner->before_ns
                       ? (double)(after_ns - owner->before_ns) / (double)(now_ns - owner->since_ns)
                       : 0;
        sum += share[i];
        busiest = fmax(busiest, share[i]);
    }
    out->samples = far->looks;
    out->overhead = NAN;
    if (!(sum > 0))
        return 0;
    size_t processes = 0, threads = 0;
    for (size_t i = 0; i < far->n_owners; i++)
        if (share[i] >= TOOK_PART * busiest) {
            processes++;
            threads += count_threads(far->owner[i].pid);
        }
    xb_add_clue(out, "far_end_cpus", sum,
                "whom it is connected to on this machine used %.3f CPUs meanwhile", sum);
    xb_add_clue(out, "far_end_threads", (double)threads, "in %zu threads of %zu processes", threads,
                processes);
    return 0;
}

const struct xb_probe xb_probe_far_end = {
    .name = "far_end",
    .summary = "CPU time of whom it waits for over TCP, where they run on this machine",
    .on_request = true,
    .probe = probe,
    .open = open_probe,
    .begin = begin,
    .poll = poll,
    .end = end,
    .close = free,
};
