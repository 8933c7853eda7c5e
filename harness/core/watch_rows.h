/* What a watch came to, for programs: JSON, and a folder of CSV files. */
#ifndef XB_CORE_WATCH_ROWS_H
#define XB_CORE_WATCH_ROWS_H

#include "../base/reason.h"
#include "json.h"
#include "topology.h"
#include "watch.h"

enum { XB_WATCH_SCHEMA = 1 };

/* One object; whoever knows more (advice) adds members. For xb_json_write(). */
struct xb_json *xb_watch_json(const struct xb_watching *asked, const struct xb_watched *watched);

/* Writes into an empty folder, see xb_sink_prepare(): phases.csv, evidence.csv, and provenance.csv with
 * the verdict behind what it says of the machine. 0, or -errno with `why`. */
int xb_watch_write(const char *directory, const struct xb_topology *topology,
                   const struct xb_watching *asked, const struct xb_watched *watched,
                   struct xb_reason *why);

#endif
