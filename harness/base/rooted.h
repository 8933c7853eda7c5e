/* Reading the kernel's small text files, of this machine or of a recorded one. */
#ifndef XB_BASE_ROOTED_H
#define XB_BASE_ROOTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Every function takes `root`, which is put before the absolute `path`: "" for this machine, a
 * folder with recorded files in tests. */

/* Opens for reading. The caller closes with fclose(). NULL with errno set. */
FILE *xb_rooted_open(const char *root, const char *path);

/* Reads the first bytes-1 characters into `out`, without white space at their end, and ends them
 * with 0; `out` is "" on error. Returns the length or -errno. */
int xb_rooted_text(const char *root, const char *path, char *out, size_t bytes);

/* Reads one decimal integer. `missing` when the file is not there or holds something else. */
long long xb_rooted_integer(const char *root, const char *path, long long missing);

/* Finds the first line "KEY<blanks><separator> VALUE" and copies the value, without quotes, to
 * `out`; leaves `out` alone when there is none. */
bool xb_rooted_value(const char *root, const char *path, const char *key, char separator, char *out,
                     size_t bytes);

#endif
