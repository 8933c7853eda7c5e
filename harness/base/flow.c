/* SPDX-License-Identifier: BSD-3-Clause
 * Runs a loop's dependences, and adds up how far its addresses go. */
#include "flow.h"

#include <stdlib.h>
#include <string.h>

enum {
    WIDTH =
        6, /* instructions that a core takes in per cycle: 4 to 8; a compare and its jump are one */
    LINE = 64,
    SKIPS = 2, /* a line of so many that is used: prefetchers bring the next ones, not far ones */
    TURNS =
        48, /* of a chain: each half has a whole number of rounds of chains that take 2, 3, 4, 6, 8 */
    VALUES = 80, /* registers: 32 general, 32 vectors, flags and masks */
};

/* What a load in a chain takes from the first cache, and what it takes if it is far away. */
static const double NEAR_LOAD = 4, FAR_LOAD = 1004;

/* ---- how far addresses go ---------------------------------------------------------------------- */

/* A register as the loop goes on: how far it goes in a round, and which value it is, plus how much. */
struct place {
    bool is_known;
    int64_t rate, offset;
    uint32_t key;
};

/* One access: places with equal keys are the same but for the displacement. */
struct stream {
    uint32_t base, index;
    uint8_t scale;
    int64_t rate, displacement;
    uint32_t bytes;
    bool writes;
};

struct walk {
    struct place place[XB_REGISTERS];
    uint32_t keys;
    struct stream stream[XB_LOOP_INSNS];
    size_t n;
};

/* Whether an instruction adds a constant to a register and does nothing else with it. */
static bool adds_constant(const struct xb_insn *insn, uint8_t reg, int64_t *by)
{
    const struct xb_step *step = &insn->step;
    if (insn->has_memory && insn->memory.writeback && insn->memory.base == reg) {
        *by = insn->memory.writeback;
        return true;
    }
    if (step->to != reg)
        return false;
    if (step->op == XB_STEP_LEA && insn->memory.base == reg && insn->memory.index == XB_REG_NONE) {
        *by = insn->memory.displacement;
        return true;
    }
    bool is_sum = step->op == XB_STEP_ADD || step->op == XB_STEP_SUBTRACT;
    if (!is_sum || step->left != reg || step->right != XB_REG_NONE)
        return false;
    *by = step->op == XB_STEP_ADD ? step->immediate : -step->immediate;
    return true;
}

/* What registers hold at the top: those to which only constants are added go on by their sum. */
static void find_places(const struct xb_insn *insn, uint32_t n, struct place *place)
{
    for (uint8_t reg = 0; reg < XB_REGISTERS; reg++)
        place[reg] = (struct place){ .is_known = true, .key = reg };
    for (uint32_t i = 0; i < n; i++)
        for (uint8_t reg = 0; reg < XB_REGISTERS; reg++) {
            int64_t by;
            if (!(insn[i].written >> reg & 1))
                continue;
            if (adds_constant(&insn[i], reg, &by))
                place[reg].rate += by;
            else
                place[reg].is_known = false;
        }
}

/* The place that an operand in memory means. False: not known. */
static bool locate(const struct walk *walk, const struct xb_operand *memory, struct stream *out)
{
    static const struct place none = { .is_known = true, .key = UINT32_MAX };
    if (memory->base == XB_REG_OTHER || memory->index == XB_REG_OTHER)
        return false;
    const struct place *base = memory->base < XB_REGISTERS ? &walk->place[memory->base] : &none;
    const struct place *index = memory->index < XB_REGISTERS ? &walk->place[memory->index] : &none;
    *out = (struct stream){
        .base = base->key,
        .index = index->key,
        .scale = memory->scale,
        .rate = base->rate + memory->scale * index->rate,
        .displacement = memory->displacement + base->offset + memory->scale * index->offset,
        .bytes = memory->bytes ? memory->bytes : 1,
    };
    return base->is_known && index->is_known;
}

/* What a step makes of registers that are known. */
static struct place apply(struct walk *walk, const struct xb_insn *insn)
{
    const struct xb_step *step = &insn->step;
    const struct place unknown = { 0 };
    struct stream at;
    struct place left = step->left < XB_REGISTERS ? walk->place[step->left] : unknown;
    struct place right = step->right < XB_REGISTERS ? walk->place[step->right] : unknown;
    bool is_immediate = step->right == XB_REG_NONE;
    int64_t by = 0;
    struct place out = { .is_known = true, .key = walk->keys++ };
    switch (step->op) {
    case XB_STEP_MOVE:
        if (is_immediate)
            return out;
        out.rate = right.rate;
        out.is_known = right.is_known;
        return step->bytes == 8 && step->source_bytes == 8 ? right : out;
    case XB_STEP_LEA:
        out.is_known = locate(walk, &insn->memory, &at);
        out.rate = at.rate;
        return out;
    case XB_STEP_ADD:
    case XB_STEP_SUBTRACT:
        by = step->op == XB_STEP_ADD ? 1 : -1;
        if (is_immediate) {
            left.offset += by * step->immediate;
            return left;
        }
        out.is_known = left.is_known && right.is_known && step->shift < 32;
        out.rate = left.rate + by * right.rate * (int64_t)(1ull << (step->shift & 31));
        return out;
    case XB_STEP_SHIFT_LEFT:
        out.is_known =
            is_immediate && left.is_known && step->immediate >= 0 && step->immediate < 32;
        out.rate = left.rate * (int64_t)(1ull << (step->immediate & 31));
        return out;
    default:
        return unknown;
    }
}

/* One instruction's effect on places. */
static void write_places(struct walk *walk, const struct xb_insn *insn)
{
    for (uint8_t reg = 0; reg < XB_REGISTERS; reg++) {
        int64_t by;
        if (!(insn->written >> reg & 1))
            continue;
        if (adds_constant(insn, reg, &by))
            walk->place[reg].offset += by;
        else if (insn->step.to == reg && insn->step.op != XB_STEP_NONE &&
                 insn->step.op != XB_STEP_COMPARE)
            walk->place[reg] = apply(walk, insn);
        else
            walk->place[reg] = (struct place){ 0 };
    }
}

/* Follows all addresses once around. False: one does not go on by a constant. */
static bool walk_around(const struct xb_insn *insn, uint32_t n, struct walk *walk)
{
    walk->keys = XB_REGISTERS;
    walk->n = 0;
    find_places(insn, n, walk->place);
    for (uint32_t i = 0; i < n; i++) {
        if (insn[i].has_memory && !insn[i].memory.is_thread_local) {
            struct stream *stream = &walk->stream[walk->n];
            if (!locate(walk, &insn[i].memory, stream))
                return false;
            stream->writes = insn[i].writes;
            walk->n++;
        }
        write_places(walk, &insn[i]);
    }
    return true;
}

static int64_t magnitude(int64_t value)
{
    return value < 0 ? -value : value;
}

static int by_place(const void *a, const void *b)
{
    const struct stream *x = a, *y = b;
    if (x->base != y->base)
        return (x->base > y->base) - (x->base < y->base);
    if (x->index != y->index)
        return (x->index > y->index) - (x->index < y->index);
    if (x->scale != y->scale)
        return x->scale - y->scale;
    return (x->displacement > y->displacement) - (x->displacement < y->displacement);
}

/* Whether `next` lies in lines that the stream through `last` has used, or is about to use. */
static bool is_same_stream(const struct stream *last, const struct stream *next)
{
    int64_t reach = magnitude(last->rate) > LINE ? magnitude(last->rate) : LINE;
    return next->base == last->base && next->index == last->index && next->scale == last->scale &&
           next->displacement - last->displacement <= reach;
}

static int64_t line_of(int64_t displacement)
{
    return displacement >> 6;
}

/* Adds up what each stream brings in a round. False: one of them leaves out too many lines. */
static bool add_up(struct walk *walk, struct xb_flow *out)
{
    struct stream *stream = walk->stream;
    int64_t in = 0, back = 0;
    qsort(stream, walk->n, sizeof *stream, by_place);
    for (size_t i = 0, next; i < walk->n; i = next) {
        bool writes = false;
        int64_t lines = 0, last = line_of(stream[i].displacement) - 1;
        for (next = i;
             next < walk->n && (next == i || is_same_stream(&stream[next - 1], &stream[next]));
             next++) {
            int64_t from = line_of(stream[next].displacement);
            int64_t to = line_of(stream[next].displacement + stream[next].bytes - 1);
            writes |= stream[next].writes;
            lines += to > last ? to - (from > last ? from - 1 : last) : 0;
            last = to > last ? to : last;
        }
        int64_t rate = magnitude(stream[i].rate);
        if (rate > SKIPS * LINE * lines)
            return false;
        int64_t bytes = rate < LINE * lines ? rate : LINE * lines;
        out->streams += bytes > 0;
        in += bytes;
        back += writes ? bytes : 0;
    }
    out->in_bytes = (uint32_t)in;
    out->out_bytes = (uint32_t)back;
    return true;
}

/* ---- the longest chain --------------------------------------------------------------------------- */

/* One instruction of it: bit sets over VALUES, in two words. */
struct link {
    uint64_t in[2], out[2];
    uint32_t address; /* that a load waits for */
    uint8_t moved;    /* the base that write-back moves, or XB_REG_NONE */
    bool loads;
    double latency;
};

static void pack(const struct xb_register_set *set, uint64_t *out)
{
    out[0] = set->general | (uint64_t)set->vector << 32;
    out[1] = set->other;
}

static void make_links(const struct xb_insn *insn, uint32_t n, const double *latency,
                       struct link *link)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct xb_operand *memory = &insn[i].memory;
        link[i] = (struct link){ .loads = insn[i].has_memory && insn[i].reads,
                                 .moved = XB_REG_NONE,
                                 .latency = latency[xb_latency_of(insn[i].text)] };
        pack(&insn[i].inputs, link[i].in);
        pack(&insn[i].outputs, link[i].out);
        if (insn[i].has_memory && memory->base < XB_REGISTERS)
            link[i].address |= 1u << memory->base;
        if (insn[i].has_memory && memory->index < XB_REGISTERS)
            link[i].address |= 1u << memory->index;
        if (insn[i].has_memory && memory->writeback && memory->base < XB_REGISTERS) {
            link[i].moved = memory->base;
            link[i].out[0] &= ~(1ull << memory->base);
        }
    }
}

static double latest(const double *ready, const uint64_t *set)
{
    double out = 0;
    for (int i = 0; i < VALUES; i++)
        if (set[i / 64] >> (i % 64) & 1 && ready[i] > out)
            out = ready[i];
    return out;
}

/* When everything is ready that a round hands on, after each of TURNS rounds on a machine without limits but
 * latencies; per round, in the second half. */
static double run_chain(const struct link *link, uint32_t n, double load)
{
    double ready[VALUES] = { 0 }, half = 0, all = 0;
    for (int turn = 1; turn <= TURNS; turn++) {
        for (uint32_t i = 0; i < n; i++) {
            double start = latest(ready, link[i].in);
            if (link[i].loads) {
                double there = latest(ready, (uint64_t[]){ link[i].address, 0 }) + load;
                start = there > start ? there : start;
            }
            for (int k = 0; k < VALUES; k++)
                if (link[i].out[k / 64] >> (k % 64) & 1)
                    ready[k] = start + link[i].latency;
            if (link[i].moved < XB_REGISTERS)
                ready[link[i].moved] += 1;
        }
        if (turn == TURNS / 2)
            half = latest(ready, (uint64_t[]){ UINT64_MAX, UINT64_MAX });
    }
    all = latest(ready, (uint64_t[]){ UINT64_MAX, UINT64_MAX });
    return (all - half) / (TURNS - TURNS / 2);
}

/* ---- how many rounds ------------------------------------------------------------------------------- */

/* What decides on another round: the last instruction that sets flags, or the jump by itself. */
static bool find_count(const struct xb_insn *insn, uint32_t n, const struct place *top,
                       struct xb_flow_count *out)
{
    uint32_t i = n - 1;
    bool compares_itself = insn[i].step.op == XB_STEP_COMPARE; /* cbz */
    if (!compares_itself && !(insn[i].inputs.other & XB_SET_FLAGS))
        return false; /* tbz, jrcxz */
    if (!compares_itself)
        do {
            if (!i--)
                return false;
        } while (!(insn[i].outputs.other & XB_SET_FLAGS));
    const struct xb_step *step = &insn[i].step;
    bool compares = step->op == XB_STEP_COMPARE;
    bool counts = (step->op == XB_STEP_ADD || step->op == XB_STEP_SUBTRACT) &&
                  step->right == XB_REG_NONE && step->left == step->to;
    if (!compares && !counts)
        return false;
    *out = (struct xb_flow_count){ .counter = step->left,
                                   .bound = compares ? step->right : XB_REG_NONE,
                                   .bytes = step->bytes,
                                   .immediate = compares ? step->immediate : 0 };
    /* Which of the two goes on is not said by their order. */
    if (out->bound < XB_REGISTERS && top[out->counter].rate == 0) {
        out->counter = step->right;
        out->bound = step->left;
    }
    out->step = top[out->counter].rate;
    bool stands =
        out->bound >= XB_REGISTERS || (top[out->bound].is_known && top[out->bound].rate == 0);
    return top[out->counter].is_known && out->step && stands;
}

static uint64_t truncate_to(uint64_t value, unsigned bytes)
{
    return bytes >= 8 ? value : (uint64_t)(int64_t)(int32_t)value;
}

double xb_flow_rounds_left(const struct xb_flow_count *count, const struct xb_registers *registers)
{
    if (!count->step || count->counter >= XB_REGISTERS)
        return 0;
    uint64_t now = truncate_to(registers->value[count->counter], count->bytes);
    uint64_t end = count->bound < XB_REGISTERS
                       ? truncate_to(registers->value[count->bound], count->bytes)
                       : (uint64_t)count->immediate;
    double left = (double)(int64_t)(end - now) / (double)count->step;
    return left > 0 ? left : 0;
}

/* ---- all together ---------------------------------------------------------------------------------- */

/* Decodes it. False: there is a jump other than that at its end, or what cannot be followed. */
static bool decode(struct xb_decoder *decoder, const struct xb_window *window,
                   const struct xb_loop *loop, struct xb_insn *insn)
{
    for (uint32_t i = 0; i < loop->n; i++) {
        if (!xb_insn_at(decoder, window, loop->start + loop->at[i], &insn[i]) ||
            !insn[i].knows_registers)
            return false;
        bool is_last = i + 1 == loop->n;
        bool jumps = insn[i].kind == XB_INSN_JUMP;
        bool computes = insn[i].kind == XB_INSN_ALU || insn[i].kind == XB_INSN_LOAD ||
                        insn[i].kind == XB_INSN_STORE || insn[i].kind == XB_INSN_DIVIDE;
        if (is_last ? !jumps || !insn[i].is_conditional : !computes)
            return false;
    }
    return loop->n > 0;
}

static enum xb_flow_kind follow(const struct xb_insn *insn, uint32_t n, const double *latency,
                                struct xb_flow *out)
{
    struct link link[XB_LOOP_INSNS];
    make_links(insn, n, latency, link);
    out->chain_cycles = run_chain(link, n, NEAR_LOAD);
    if (run_chain(link, n, FAR_LOAD) > out->chain_cycles + 1)
        return XB_FLOW_CHASE;
    double width = (double)(n - 1) / WIDTH;
    out->core_cycles = out->chain_cycles > width ? out->chain_cycles : width;
    struct walk walk;
    if (!walk_around(insn, n, &walk) || !add_up(&walk, out))
        return XB_FLOW_SCATTER;
    struct place top[XB_REGISTERS];
    find_places(insn, n, top);
    return find_count(insn, n, top, &out->count) ? XB_FLOW_STREAM : XB_FLOW_UNKNOWN;
}

void xb_flow_find(struct xb_decoder *decoder, const struct xb_window *window,
                  const struct xb_loop *loop, const double *latency, struct xb_flow *out)
{
    struct xb_insn insn[XB_LOOP_INSNS];
    *out = (struct xb_flow){ .kind = XB_FLOW_UNKNOWN };
    if (!decode(decoder, window, loop, insn))
        return;
    enum xb_flow_kind kind = follow(insn, loop->n, latency, out);
    if (kind != XB_FLOW_STREAM)
        *out = (struct xb_flow){ 0 };
    out->kind = kind;
}
