/* SPDX-License-Identifier: BSD-3-Clause
 * xbound doctor: tells whether this machine is fit to measure on, and what would make it fitter. */
#include "command.h"

#include "../base/clock.h"
#include "../core/audit.h"
#include "../core/fitness.h"
#include "../core/limit.h"
#include "../core/machine.h"
#include "../core/picture.h"
#include "../core/registry.h"
#include "../core/row.h"
#include "../core/topdown.h"
#include "../core/topology.h"
#include "../counters/source.h"
#include "../models/model.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: xbound doctor [--counters] [--csv]\n"
    "Says whether this machine is fit to measure on. Every finding that is not fine has its\n"
    "remedy below it:\n"
    "  ok    nothing to do\n"
    "  note  know this when you read the figures\n"
    "  warn  figures taken now mislead\n"
    "For the memory picture it measures for some seconds: capacity, latency and bandwidth of each\n"
    "level, beside what the machine claims.\n"
    "\n"
    "      --counters  the counters alone, each held against work of known counts\n"
    "      --csv       write finding,state,value,remedy (RFC 4180) instead\n"
    "      --help      show this text\n"
    "\n"
    "Exit code: 0 whatever was found, 2 usage. NO_COLOR switches colour off.\n";

/* Of events that are told apart, and how many sources there can be. */
enum { NAMES = 128, SOURCES_MOST = 8 };

static const char *const states[] = { "ok", "note", "warn" };

/* Says what would let a plug-in work whose probe failed. */
static void advise_plugin(struct xb_finding *f, const struct xb_reason *why, const char *otherwise)
{
    if (strstr(why->text, "built without"))
        xb_finding_advise(f, XB_FITNESS_NOTE,
                          "scripts/install-deps.sh, then configure and build again");
    else if (why->code == -EPERM || why->code == -EACCES)
        xb_finding_advise(f, XB_FITNESS_NOTE, "sudo sysctl kernel.%s; in a container also %s",
                          strcmp(f->group, "engines") == 0 ? "io_uring_disabled=0"
                                                           : "perf_event_paranoid=2",
                          strcmp(f->group, "engines") == 0 ? "--security-opt seccomp=unconfined"
                                                           : "--cap-add=PERFMON");
    else
        xb_finding_advise(f, XB_FITNESS_NOTE, "%s", otherwise);
}

/* Adds a plug-in whose probe returned rc; one that works may still have something to say. */
static void add_plugin(struct xb_findings *out, const char *group, const char *name,
                       const char *value, int rc, const struct xb_reason *why,
                       const char *otherwise)
{
    const char *text = why->text[0] ? why->text : rc ? strerror(-rc) : "";
    struct xb_finding *f =
        xb_finding_add(out, group, name, "%s%s%s", value, value[0] && text[0] ? "; " : "", text);
    if (text[0])
        advise_plugin(f, why, otherwise);
}

/* What the user can do about a counter that is not fine; `absent`: where it cannot be had. */
static void advise_counter(struct xb_finding *f, const struct xb_audited *one, const char *absent)
{
    switch (one->trust) {
    case XB_TRUST_OK:
        break;
    case XB_TRUST_LIES:
        xb_finding_advise(f, XB_FITNESS_NOTE,
                          "left out, its column stays empty; ask the host for a whole PMU, or "
                          "measure on real hardware");
        break;
    case XB_TRUST_UNPROVEN:
        xb_finding_advise(
            f, XB_FITNESS_NOTE,
            "its column is written, but nothing follows from it: hold it against work "
            "that you know");
        break;
    case XB_TRUST_SCALED:
        xb_finding_advise(f, XB_FITNESS_NOTE, "ask for fewer at once: --events");
        break;
    case XB_TRUST_STARVED:
        xb_finding_advise(f, XB_FITNESS_NOTE,
                          "others hold the counters: ask for fewer with --events; sudo sysctl "
                          "kernel.nmi_watchdog=0");
        break;
    case XB_TRUST_ABSENT:
        advise_plugin(f, &one->why, absent);
        break;
    }
}

static void tell_counter(struct xb_findings *out, const char *group, const char *name,
                         const struct xb_audited *one, const char *absent)
{
    if (one->trust == XB_TRUST_ABSENT && !one->why.text[0])
        return; /* not this source's business */
    advise_counter(
        xb_finding_add(out, group, name, "%s: %s", xb_trust_name(one->trust), one->why.text), one,
        absent);
}

/* How each counter of a source stands: metrics, and the events that the source lists. `by_name`: some
 * source has events by name. */
static void tell_counters(struct xb_findings *out, const struct xb_counter_source *source,
                          const struct xb_audit *audit, bool by_name)
{
    static const struct xb_events none = { .set = 0 };
    char names[NAMES][XB_EVENT_BYTES];
    struct xb_audit more;
    struct xb_reason why;
    const uint32_t hardware = XB_METRIC_BIT(CYCLES) | XB_METRIC_BIT(INSTRUCTIONS);
    const char *absent =
        by_name ? "its column stays empty; see what papi_native_avail offers for --events"
        : audit->counted & hardware ? "its column stays empty: this PMU does not count it"
                                    : "its column stays empty; hardware events need a PMU";
    for (unsigned i = 0; i < XB_METRIC_COUNT; i++)
        tell_counter(out, source->name, xb_audit_column(i, &none), &audit->counter[i], absent);
    size_t n = source->list ? source->list(names, NAMES) : 0;
    for (size_t at = 0; at < n; at += XB_NAMED_MAX) {
        struct xb_events some = { .set = 0 };
        for (size_t i = 0; i < XB_NAMED_MAX && at + i < n; i++) {
            some.set |= 1u << (XB_METRIC_COUNT + i);
            some.name[i] = names[at + i];
        }
        if (xb_audit_run(source, &some, &more, &why) != 0)
            continue;
        for (size_t i = 0; i < XB_NAMED_MAX && some.name[i]; i++)
            tell_counter(out, source->name, some.name[i], &more.counter[XB_METRIC_COUNT + i],
                         absent);
    }
}

/* Adds a source and returns how many metrics it counts; negative when its probe fails. A probe says
 * that a source can work, only the audit says what it counts: PAPI, for one, trusts an AMD guest's
 * processor and reports six counters where the kernel has no PMU (PAPI 7.0).
 * `each`: its counters are told apart further on. */
static int add_source(struct xb_findings *out, const struct xb_counter_source *source,
                      struct xb_audit *audit, bool each)
{
    static const struct xb_events all = { .set = XB_METRICS_ALL };
    struct xb_reason why = { 0 };
    char value[96] = "";
    int metrics = -1, lies = 0, rc = source->probe(&why);
    *audit = (struct xb_audit){ 0 };
    if (source->simulate) { /* is audited where it simulates */
        add_plugin(out, "counters", source->name, rc ? "" : "where asked for: it simulates a CPU",
                   rc, &why, "run --counters callgrind needs it, and nothing else");
        return rc ? -1 : 0;
    }
    if (!rc) {
        rc = xb_audit_run(source, &all, audit, &why);
        for (int i = 0; i < XB_METRIC_COUNT; i++)
            lies += audit->counter[i].trust == XB_TRUST_LIES;
        metrics = __builtin_popcount(audit->counted);
        int n = snprintf(value, sizeof value, "%d of %d metrics", metrics, (int)XB_METRIC_COUNT);
        if (lies)
            n += snprintf(value + n, sizeof value - (size_t)n, ", %d that lie left out", lies);
        if (audit->cost_ns > 0)
            snprintf(value + n, sizeof value - (size_t)n, ", %.2g us to start and read",
                     audit->cost_ns / 1e3);
    }
    add_plugin(out, "counters", source->name, value, rc, &why,
               "hardware events need a PMU; the rest is counted without one");
    if (lies && out->n)
        xb_finding_advise(&out->list[out->n - 1], XB_FITNESS_NOTE, "%s",
                          each ? "each is told apart below"
                               : "which and why: xbound doctor --counters");
    return metrics;
}

/* Whether there are events to divide this CPU's slots by. `works`: what the source's probe says; where
 * it fails, that is why there are none. */
static void tell_topdown(struct xb_findings *out, const struct xb_counter_source *source,
                         bool works)
{
    struct xb_reason why = { 0 };
    const struct xb_topdown_family *family = xb_topdown_find(source, &why);
    struct xb_finding *f;
    if (!family && !works)
        return;
    if (!family) {
        f = xb_finding_add(out, "counters", "top-down", "%s", why.text);
        xb_finding_advise(f, XB_FITNESS_NOTE,
                          "its columns stay empty; a newer PAPI may know this CPU, and "
                          "stats/topdown.c takes another line");
    } else {
        f = xb_finding_add(out, "counters", "top-down", "PAPI has the events of %s for level 1%s",
                           family->pmu, family->n > family->level1 ? " and 2" : "");
        xb_finding_advise(f, XB_FITNESS_NOTE, "not counted unless asked for: run --events %s",
                          family->n > family->level1 ? "topdown2" : "topdown");
    }
}

/* `each`: tell each counter apart. */
static void judge_sources(const struct xb_registry *registry, struct xb_findings *out, bool each)
{
    const struct xb_counter_source *chosen = NULL, *richest = NULL;
    int chosen_metrics = 0, most = 0;
    struct xb_audit audits[SOURCES_MOST];
    size_t n = registry->n_sources < SOURCES_MOST ? registry->n_sources : SOURCES_MOST;
    for (size_t i = 0; i < n; i++) {
        const struct xb_counter_source *source = registry->sources[i];
        int metrics = add_source(out, source, &audits[i], each);
        if (metrics >= 0 && (!chosen || source->rank > chosen->rank)) {
            chosen = source;
            chosen_metrics = metrics;
        }
        if (metrics > most) {
            richest = source;
            most = metrics;
        }
    }
    struct xb_finding *f = xb_finding_add(out, "counters", "chosen by default", "%s",
                                          chosen ? chosen->name : "no source");
    if (richest && chosen_metrics == 0)
        xb_finding_advise(f, XB_FITNESS_NOTE, "it counts nothing here: run with --counters %s",
                          richest->name);
    bool by_name = false;
    for (size_t i = 0; i < n; i++)
        by_name |= registry->sources[i]->find && audits[i].wanted;
    for (size_t i = 0; i < n; i++)
        if (registry->sources[i]->find)
            tell_topdown(out, registry->sources[i], audits[i].wanted);
    for (size_t i = 0; i < n && each; i++)
        if (audits[i].wanted)
            tell_counters(out, registry->sources[i], &audits[i], by_name);
}

static void judge_engines_and_models(const struct xb_registry *registry, struct xb_findings *out)
{
    for (size_t i = 0; i < registry->n_engines; i++) {
        const struct xb_io_engine *engine = registry->engines[i];
        struct xb_reason why = { 0 };
        int rc = engine->probe ? engine->probe(&why) : 0;
        add_plugin(out, "engines", engine->name, rc ? "" : engine->summary, rc, &why,
                   "its cells are skipped; use another engine");
    }
    for (size_t i = 0; i < registry->n_models; i++) {
        const struct xb_model *model = registry->models[i];
        struct xb_reason why = { 0 };
        int rc = model->probe ? model->probe(&why) : 0;
        add_plugin(out, "models", model->name, rc ? "" : model->summary, rc, &why,
                   "its cells are skipped; use another model");
    }
}

/* Whether --memory-limit would work, and how well; the least of limits stands for all. */
static void judge_limit(struct xb_findings *out)
{
    static struct xb_limit limit;
    struct xb_reason why = { 0 };
    int err = xb_limit_open(&limit, 8 << 20, XB_LIMIT_ANY, &why);
    struct xb_finding *f = xb_finding_add(out, "memory", "--memory-limit", "%s",
                                          err ? why.text : xb_limit_way_name(limit.by));
    if (err)
        xb_finding_advise(f, XB_FITNESS_NOTE, "cells under a limit are skipped; run as root");
    else if (limit.by == XB_LIMIT_RLIMIT_AS)
        xb_finding_advise(f, XB_FITNESS_NOTE,
                          "counts addresses, not memory, and each process by itself; run as root");
}

static void judge_clock(struct xb_findings *out)
{
    double cost_ns = xb_clock_cost_ns();
    uint64_t step_ns = xb_clock_step_ns();
    struct xb_finding *f = xb_finding_add(out, "clock", "cost", "%.1f ns a reading", cost_ns);
    /* Through the vDSO it is 15 to 60 ns; a system call is several hundred. */
    if (cost_ns > 150)
        xb_finding_advise(f, XB_FITNESS_NOTE,
                          "the kernel is entered for each reading: see the clock source above");
    f = xb_finding_add(out, "clock", "smallest step", "%llu ns", (unsigned long long)step_ns);
    if (step_ns > 1000)
        xb_finding_advise(f, XB_FITNESS_WARN,
                          "too coarse for short samples: see the clock source above");
}

/* Latency, bandwidth and capacity of each level, measured. */
static void judge_picture(const struct xb_topology *topology, struct xb_findings *out)
{
    struct xb_picture picture;
    struct xb_reason why;
    int err =
        xb_picture_measure(&xb_builtin, topology, XB_BIND_SCATTER, false, NULL, &picture, &why);
    if (why.code) {
        struct xb_finding *f = xb_finding_add(out, "memory picture", "gaps", "%s", why.text);
        xb_finding_advise(f, XB_FITNESS_NOTE, "sizes follow the claimed caches where it has gaps");
    }
    if (err)
        return;
    struct xb_caches used = xb_picture_caches(&picture, topology);
    struct xb_spec spec;
    xb_spec_init(&spec);
    spec.caches = used;
    used = xb_caches_of(&spec, topology);
    xb_fitness_judge_picture(&picture, &used, topology, out);
}

static int print_csv(const struct xb_findings *findings)
{
    int rc = fputs("finding,state,value,remedy\n", stdout) < 0 ? -EIO : 0;
    for (size_t i = 0; i < findings->n && !rc; i++) {
        const struct xb_finding *f = &findings->list[i];
        char finding[96];
        snprintf(finding, sizeof finding, "%s: %s", f->group, f->name);
        const char *const fields[] = { finding, states[f->state], f->value, f->remedy };
        for (size_t k = 0; k < 4 && !rc; k++) {
            rc = xb_csv_text(stdout, fields[k]);
            putchar(k < 3 ? ',' : '\n');
        }
    }
    return rc;
}

static void print_text(const struct xb_findings *findings)
{
    static const char *const colours[] = { "\033[32m", "\033[33m", "\033[31m" };
    size_t counts[3] = { 0 };
    bool colour = xb_wants_colour(stdout);
    for (size_t i = 0; i < findings->n; i++) {
        const struct xb_finding *f = &findings->list[i];
        if (i == 0 || strcmp(f->group, f[-1].group) != 0)
            printf("%s%s\n", i ? "\n" : "", f->group);
        printf("  %s%-4s%s  %-20s %s\n", colour ? colours[f->state] : "", states[f->state],
               colour ? "\033[0m" : "", f->name, f->value);
        if (f->remedy[0])
            printf("        %s\n", f->remedy);
        counts[f->state]++;
    }
    printf("\n%zu ok, %zu note%s, %zu warning%s\n", counts[0], counts[1], counts[1] == 1 ? "" : "s",
           counts[2], counts[2] == 1 ? "" : "s");
}

static int refuse(const char *what, const char *argument)
{
    fprintf(stderr, "xbound doctor: %s '%s'; see xbound doctor --help\n", what, argument);
    return XB_EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = { { "csv", no_argument, NULL, 'c' },
                                             { "counters", no_argument, NULL, 'k' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    bool csv = false, counters = false;
    opterr = 0; /* one line of ours instead of getopt's */
    optind = 0; /* main or a test may have parsed before; 0 starts over (getopt(3), glibc) */
    for (int option, at = 1; (option = getopt_long(argc, argv, "+h", options, NULL)) != -1;
         at = optind) {
        if (option == 'h') {
            fputs(help, stdout);
            return fflush(stdout) ? XB_EXIT_FAILED : XB_EXIT_OK;
        }
        if (option == '?')
            return refuse("unknown option", argv[at]);
        csv |= option == 'c';
        counters |= option == 'k';
    }
    if (optind < argc)
        return refuse("unexpected argument", argv[optind]);

    struct xb_reason why;
    struct xb_topology *topology;
    if (xb_topology_open(NULL, &topology, &why)) {
        fprintf(stderr, "xbound doctor: %s\n", why.text);
        return XB_EXIT_FAILED;
    }
    struct xb_machine machine;
    struct xb_findings findings = { 0 };
    xb_machine_read("", &machine);
    if (counters) {
        xb_fitness_judge_counters(&machine, &findings);
        judge_sources(&xb_builtin, &findings, true);
    } else {
        xb_fitness_judge(&machine, topology, &findings);
        judge_sources(&xb_builtin, &findings, false);
        judge_engines_and_models(&xb_builtin, &findings);
        judge_limit(&findings);
        judge_clock(&findings);
        judge_picture(topology, &findings);
    }
    xb_topology_close(topology);

    if (csv)
        print_csv(&findings);
    else
        print_text(&findings);
    /* What was lost on the way to a full disk may show only here. */
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "xbound doctor: cannot write: %s\n", strerror(errno));
        return XB_EXIT_FAILED;
    }
    return XB_EXIT_OK;
}

const struct xb_command xb_command_doctor = {
    .name = "doctor",
    .arguments = "[--counters] [--csv]",
    .summary = "is this machine fit to measure on? each finding with its remedy",
    .run = run,
};
