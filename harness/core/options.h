/* The options that say what to measure and how long, read into a spec; for every command that
 * measures. One line of the table in options.c is one option: its name, help and reader. */
#ifndef XB_CORE_OPTIONS_H
#define XB_CORE_OPTIONS_H

#include "../counters/source.h"
#include "spec.h"

/* The longest list that an option takes, with its end. */
enum { XB_OPTION_BYTES = 1024 };

struct xb_request {
    struct xb_spec spec;
    const struct xb_registry *registry;
    const struct xb_counter_source *source; /* NULL: the best that works here */
    struct xb_events events;                /* what to count; points into `names` */
    int topdown;                            /* level that --events asks for; 0: none */
    bool min_time_given, max_time_given, caches_measured;
    char names[XB_OPTION_BYTES]; /* of events, in pieces */
};

struct xb_option {
    const char *group; /* heading in the help */
    const char *name;  /* without the dashes */
    const char *value; /* what the help calls its value; NULL: it takes none */
    const char *help;  /* one or more lines, parted by \n */
    /* Takes the value over. 0, or -EINVAL with `why`. */
    int (*read)(struct xb_request *request, const char *text, struct xb_reason *why);
};

extern const struct xb_option xb_options[];
extern const size_t xb_n_options;

/* Defaults, and where plug-ins are looked up. */
void xb_request_init(struct xb_request *request, const struct xb_registry *registry);

/* After all options: fills in what --quick means and checks what depends on several. 0 or -EINVAL
 * with `why`. */
int xb_request_finish(struct xb_request *request, struct xb_reason *why);

/* An option that no chosen kernel obeys is a mistake, not a wish. 0 or -EINVAL with `why`. */
int xb_request_check(const struct xb_request *request, const struct xb_cell *cells, size_t n,
                     struct xb_reason *why);

/* request->source, or the source of the highest rank that works here. Never NULL with the built-in
 * registry, since "none" always works. */
const struct xb_counter_source *xb_request_source(const struct xb_request *request);

#endif
