/* Quantities as people read them. */
#ifndef XB_BASE_UNITS_H
#define XB_BASE_UNITS_H

#include <stdint.h>

#define XB_BYTES_TEXT 24

/* Writes like "48 KiB", "1.25 MiB", "0 bytes" to `out` and returns it. */
const char *xb_bytes_text(uint64_t bytes, char out[XB_BYTES_TEXT]);

#endif
