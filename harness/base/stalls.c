/* SPDX-License-Identifier: BSD-3-Clause
 * Takes samples in: looks each place up in the code once, computes each address. */
#include "stalls.h"

#include "fnv.h"
#include "pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLES_MAX = 2000000,
    SLOTS_MIN = 1024,
    HUGE_PAGE = 2 << 20,
    WORKS = 256,  /* calls whose file is known; looking one up takes 5 to 50 us */
    LIKES = 1024, /* pieces of code that are known wherever they lie; a power of 2 */
};

_Static_assert(XB_STALL_BEHIND + XB_STALL_AHEAD <= 2 * XB_LOOP_BYTES, "what `room` has to hold");

/* What a call on a file works for, as it was when it was looked up in this burst. */
struct work {
    pid_t pid;
    int call;
    uint64_t argument; /* the first */
    uint32_t burst;    /* 0: none */
    enum xb_wait wait;
};

struct xb_stalls {
    enum xb_skid skid;
    struct xb_decoder *decoder;
    struct xb_pages *code;
    struct xb_maps maps;
    uint32_t burst;
    unsigned turn;
    bool maps_are_old; /* an address was in none of them */
    struct xb_stall_site *site;
    size_t n_sites, site_room;
    uint32_t *slot; /* a hash table of 1 + index into site; twice as long as that has room */
    struct xb_stalled *sample;
    size_t n_samples, sample_room, forgotten;
    pid_t *pid; /* that were seen */
    size_t n_pids, pid_room;
    struct work work[WORKS];
    uint32_t like[LIKES]; /* 1 + index into site, by its code's sum; 0: none */
    uint8_t room[2 * XB_LOOP_BYTES];
};

int xb_stalls_open(enum xb_skid skid, struct xb_stalls **out, struct xb_reason *why)
{
    struct xb_stalls *stalls = calloc(1, sizeof *stalls);
    if (!stalls)
        return xb_because(why, -ENOMEM, "stalls: out of memory");
    stalls->skid = skid;
    int err = xb_decoder_open(XB_CODE_HERE, &stalls->decoder, why);
    if (!err && xb_pages_open(&stalls->code) != 0)
        err = xb_because(why, -ENOMEM, "stalls: out of memory");
    if (err) {
        xb_stalls_close(stalls);
        return err;
    }
    *out = stalls;
    return 0;
}

void xb_stalls_close(struct xb_stalls *stalls)
{
    if (!stalls)
        return;
    xb_decoder_close(stalls->decoder);
    xb_pages_close(stalls->code);
    xb_maps_forget(&stalls->maps);
    free(stalls->site);
    free(stalls->slot);
    free(stalls->sample);
    free(stalls->pid);
    free(stalls);
}

void xb_stalls_begin(struct xb_stalls *stalls)
{
    stalls->burst++;
    xb_pages_forget(stalls->code);
    for (size_t i = 0; i < stalls->n_pids; i++)
        xb_maps_read(&stalls->maps, stalls->pid[i]); /* of one that is gone the old ones stay */
}

static bool grow(void **array, size_t n, size_t *room, size_t bytes)
{
    if (n < *room)
        return true;
    size_t more = *room ? 2 * *room : SLOTS_MIN;
    void *grown = realloc(*array, more * bytes);
    if (!grown)
        return false;
    *array = grown;
    *room = more;
    return true;
}

static size_t slot_of(const struct xb_stalls *stalls, pid_t pid, uint64_t ip)
{
    size_t slots = 2 * stalls->site_room;
    return (((ip ^ (uint64_t)pid << 48) * 0x9e3779b97f4a7c15ull) >> 20) & (slots - 1);
}

static void insert(struct xb_stalls *stalls, size_t index)
{
    size_t slots = 2 * stalls->site_room;
    const struct xb_stall_site *site = &stalls->site[index];
    size_t slot = slot_of(stalls, site->pid, site->ip);
    /* One that stands for other code at the same place, by now, is replaced. */
    while (stalls->slot[slot] && (stalls->site[stalls->slot[slot] - 1].pid != site->pid ||
                                  stalls->site[stalls->slot[slot] - 1].ip != site->ip))
        slot = (slot + 1) & (slots - 1);
    stalls->slot[slot] = (uint32_t)index + 1;
}

static bool make_room(struct xb_stalls *stalls)
{
    size_t before = stalls->site_room;
    if (!grow((void **)&stalls->site, stalls->n_sites, &stalls->site_room, sizeof *stalls->site))
        return false;
    if (stalls->site_room == before)
        return true;
    uint32_t *slot = calloc(2 * stalls->site_room, sizeof *slot);
    if (!slot) {
        stalls->site_room = before;
        return false;
    }
    free(stalls->slot);
    stalls->slot = slot;
    for (size_t i = 0; i < stalls->n_sites; i++)
        insert(stalls, i);
    return true;
}

static struct xb_stall_site *look_up(struct xb_stalls *stalls, pid_t pid, uint64_t ip)
{
    if (!stalls->site_room)
        return NULL;
    size_t slots = 2 * stalls->site_room;
    for (size_t slot = slot_of(stalls, pid, ip); stalls->slot[slot];
         slot = (slot + 1) & (slots - 1)) {
        struct xb_stall_site *site = &stalls->site[stalls->slot[slot] - 1];
        if (site->pid == pid && site->ip == ip)
            return site;
    }
    return NULL;
}

/* What the sample stood at: as another site of the same code has it, or found by decoding. A program that starts
 * processes all day would have the C library's code decoded anew in each. */
static void find_stall(struct xb_stalls *stalls, const struct xb_window *window, uint64_t ip,
                       uint64_t code, struct xb_stall *out)
{
    uint32_t like = stalls->like[code % LIKES];
    if (like && stalls->site[like - 1].code == code) {
        *out = stalls->site[like - 1].stall;
        if (xb_stall_move(out, ip - stalls->site[like - 1].ip))
            return;
    }
    xb_stall_find(stalls->decoder, window, ip, stalls->skid, out);
}

/* The site of a sample: known, or found in its code. `window`: NULL to read that. NULL: no memory. */
static struct xb_stall_site *site_of(struct xb_stalls *stalls, const struct xb_sample *sample,
                                     const struct xb_window *window)
{
    struct xb_stall_site *site = look_up(stalls, sample->pid, sample->ip);
    if (site && site->burst == stalls->burst)
        return site;
    struct xb_window read;
    if (!window) {
        xb_pages_window(stalls->code, &stalls->maps, sample->pid, sample->ip, XB_STALL_BEHIND,
                        XB_STALL_AHEAD, stalls->room, &read);
        window = &read;
    }
    /* The same bytes say the same, and decoding them again would be most of what watching costs us. */
    uint64_t code = xb_fnv(XB_FNV_BASIS ^ (sample->ip - window->first), window->code, window->n);
    if (site && code == site->code) {
        site->burst = stalls->burst;
        return site;
    }
    struct xb_stall stall;
    find_stall(stalls, window, sample->ip, code, &stall);
    if (site && (stall.kind == XB_STALL_NO_CODE ||
                 (stall.at == site->stall.at && strcmp(stall.text, site->stall.text) == 0))) {
        site->burst = stalls->burst;
        site->code = stall.kind == XB_STALL_NO_CODE ? site->code : code;
        return site;
    }
    if (!make_room(stalls))
        return NULL;
    site = &stalls->site[stalls->n_sites++];
    *site = (struct xb_stall_site){
        .stall = stall, .pid = sample->pid, .ip = sample->ip, .burst = stalls->burst, .code = code
    };
    insert(stalls, stalls->n_sites - 1);
    if (stall.kind != XB_STALL_NO_CODE)
        stalls->like[code % LIKES] = (uint32_t)stalls->n_sites;
    return site;
}

/* Whether something is mapped there, as far as is known. */
static bool is_mapped(struct xb_stalls *stalls, pid_t pid, uint64_t address)
{
    if (xb_maps_find(&stalls->maps, pid, address) || !xb_maps_know(&stalls->maps, pid))
        return true;
    /* Mapped since? Once for each drain, as a program whose pointers are none would ask all the time. */
    if (stalls->maps_are_old)
        return false;
    stalls->maps_are_old = true;
    xb_maps_read(&stalls->maps, pid);
    return xb_maps_find(&stalls->maps, pid, address);
}

/* How large the anonymous mapping is that a lost address' base points into. Below a huge page with what
 * follows without a gap: who asks for huge pages (numpy) does so from the first whole one on, and that makes
 * two mappings of an array. The heap and files hold too many things to tell which. */
static uint64_t within(const struct xb_stalls *stalls, const struct xb_stall *stall,
                       const struct xb_sample *sample)
{
    if (!stall->keeps_base || !sample->has_registers)
        return 0;
    uint64_t base = sample->registers.value[stall->memory.base], bytes = 0;
    const struct xb_mapping *mapping = xb_maps_find(&stalls->maps, sample->pid, base);
    while (mapping && !mapping->name[0] && bytes < HUGE_PAGE) {
        bytes += mapping->end - mapping->start;
        mapping = xb_maps_find(&stalls->maps, sample->pid, mapping->end);
    }
    return bytes;
}

static void know_pid(struct xb_stalls *stalls, pid_t pid)
{
    for (size_t i = stalls->n_pids; i-- > 0;)
        if (stalls->pid[i] == pid)
            return;
    if (!grow((void **)&stalls->pid, stalls->n_pids, &stalls->pid_room, sizeof *stalls->pid))
        return;
    stalls->pid[stalls->n_pids++] = pid;
    xb_maps_read(&stalls->maps, pid);
}

/* What the call works for that the sample stands behind. Calls leave all registers alone but that of the
 * result (x86-64: ax, cx and r11; aarch64: x0, the first argument, so that files stay unknown there). */
static enum xb_wait work_of(struct xb_stalls *stalls, const struct xb_sample *sample, int call)
{
    uint64_t argument[XB_CALL_ARGUMENTS] = { UINT64_MAX };
    if (!sample->has_registers)
        return XB_WAIT_UNKNOWN;
#if defined(__aarch64__)
    for (int i = 1; i < XB_CALL_ARGUMENTS; i++)
        argument[i] = sample->registers.value[i];
#else
    static const uint8_t order[XB_CALL_ARGUMENTS] = { XB_X86_DI, XB_X86_SI, XB_X86_DX,
                                                      XB_X86_R8 + 2, XB_X86_R8 };
    for (int i = 0; i < XB_CALL_ARGUMENTS; i++)
        argument[i] = sample->registers.value[order[i]];
#endif
    uint64_t hash =
        ((uint64_t)sample->pid << 32 ^ (uint64_t)call << 20 ^ argument[0]) * 0x9e3779b97f4a7c15ull;
    struct work *work = &stalls->work[hash >> 56];
    if (work->burst != stalls->burst || work->pid != sample->pid || work->call != call ||
        work->argument != argument[0])
        *work = (struct work){ sample->pid, call, argument[0], stalls->burst,
                               xb_work_of_call(sample->pid, call, argument) };
    return work->wait;
}

void xb_stalls_add(struct xb_stalls *stalls, const struct xb_sample *sample,
                   const struct xb_window *window)
{
    if (stalls->n_samples >= SAMPLES_MAX || !grow((void **)&stalls->sample, stalls->n_samples,
                                                  &stalls->sample_room, sizeof *stalls->sample)) {
        stalls->forgotten++;
        return;
    }
    struct xb_stall_site *site = site_of(stalls, sample, window);
    if (!site) {
        stalls->forgotten++;
        return;
    }
    site->samples++;
    site->has_registers |= sample->has_registers;
    if (sample->has_registers)
        site->registers = sample->registers;
    struct xb_stalled stalled = {
        .time_ns = sample->time_ns,
        .site = (uint32_t)(site - stalls->site),
        .tid = sample->tid,
        .burst = stalls->burst,
        .fate = XB_FATE_NONE,
    };
    const struct xb_stall *stall = &site->stall;
    if (stall->kind == XB_STALL_SYSCALL)
        stalled.work = work_of(stalls, sample, stall->syscall);
    if (stall->from != XB_ADDRESS_NONE) {
        bool known =
            sample->has_registers &&
            xb_stall_address(stall, &sample->registers, stalls->turn++, &stalled.address) &&
            (stall->from == XB_ADDRESS_REGISTERS ||
             is_mapped(stalls, sample->pid, stalled.address));
        stalled.fate = known ? XB_FATE_KNOWN : XB_FATE_LOST;
        const struct xb_mapping *mapping =
            known ? xb_maps_find(&stalls->maps, sample->pid, stalled.address) : NULL;
        stalled.is_shared = mapping && mapping->is_shared;
        if (!known) {
            stalled.address = 0;
            stalled.within_bytes = within(stalls, stall, sample);
            if (stall->keeps_index && sample->has_registers) {
                stalled.fate = XB_FATE_OFFSET;
                stalled.address = xb_stall_offset(stall, &sample->registers);
            }
        }
    }
    stalls->sample[stalls->n_samples++] = stalled;
}

static void take_sample(void *context, const struct xb_sample *sample)
{
    struct xb_stalls *stalls = context;
    know_pid(stalls, sample->pid);
    xb_stalls_add(stalls, sample, NULL);
}

static void take_mapping(void *context, const struct xb_mapping *mapping)
{
    struct xb_stalls *stalls = context;
    xb_maps_add(&stalls->maps, mapping);
    /* A new program, or a library: what was read of such addresses is of the past. */
    xb_pages_forget(stalls->code);
}

void xb_stalls_drain(struct xb_stalls *stalls, struct xb_sampler *sampler)
{
    stalls->maps_are_old = false;
    xb_sampler_drain(sampler, &(struct xb_sampler_takers){ take_sample, take_mapping, stalls });
}

const struct xb_stalled *xb_stalls_samples(const struct xb_stalls *stalls, size_t *n)
{
    *n = stalls->n_samples;
    return stalls->sample;
}

const struct xb_stall_site *xb_stalls_sites(const struct xb_stalls *stalls, size_t *n)
{
    *n = stalls->n_sites;
    return stalls->site;
}

size_t xb_stalls_forgotten(const struct xb_stalls *stalls)
{
    return stalls->forgotten;
}

static void read_around(struct xb_stalls *stalls, const struct xb_stall_site *site,
                        struct xb_window *out)
{
    xb_pages_window(stalls->code, &stalls->maps, site->pid, site->ip, XB_LOOP_BYTES, XB_LOOP_BYTES,
                    stalls->room, out);
}

bool xb_stalls_loop(struct xb_stalls *stalls, const struct xb_stall_site *site, struct xb_loop *out)
{
    struct xb_window window;
    read_around(stalls, site, &window);
    return xb_loop_find(stalls->decoder, &window, site->ip, out);
}

void xb_stalls_flow(struct xb_stalls *stalls, const struct xb_stall_site *site,
                    const struct xb_loop *loop, const double *latency, struct xb_flow *out)
{
    struct xb_window window;
    read_around(stalls, site, &window);
    xb_flow_find(stalls->decoder, &window, loop, latency, out);
}

const struct xb_maps *xb_stalls_maps(const struct xb_stalls *stalls)
{
    return &stalls->maps;
}

struct xb_touch xb_stall_touch(const struct xb_stall_site *sites, const struct xb_stalled *stalled)
{
    /* The top byte of an address is free in user space on both architectures. */
    uint64_t process = stalled->is_shared ? 0 : (uint64_t)sites[stalled->site].pid & 0xff;
    return (struct xb_touch){
        .address = stalled->address ^ process << 56,
        .site = stalled->site,
        .thread = (uint32_t)stalled->tid,
    };
}
