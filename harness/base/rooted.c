/* SPDX-License-Identifier: BSD-3-Clause
 * Reads small text files below a root folder. */
#include "rooted.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

FILE *xb_rooted_open(const char *root, const char *path)
{
    char full[PATH_MAX];
    int length = snprintf(full, sizeof full, "%s%s", root, path);
    if (length < 0 || (size_t)length >= sizeof full) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return fopen(full, "re");
}

int xb_rooted_text(const char *root, const char *path, char *out, size_t bytes)
{
    out[0] = 0;
    FILE *file = xb_rooted_open(root, path);
    if (!file)
        return -errno;
    size_t length = fread(out, 1, bytes - 1, file);
    /* A sysfs attribute may open and then refuse the read. */
    int rc = ferror(file) ? -EIO : 0;
    fclose(file);
    while (length > 0 && isspace((unsigned char)out[length - 1]))
        length--;
    out[rc ? 0 : length] = 0;
    return rc ? rc : (int)length;
}

long long xb_rooted_integer(const char *root, const char *path, long long missing)
{
    char text[64], *end;
    if (xb_rooted_text(root, path, text, sizeof text) <= 0)
        return missing;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno || end == text || *end ? missing : value;
}

bool xb_rooted_value(const char *root, const char *path, const char *key, char separator, char *out,
                     size_t bytes)
{
    size_t length = strlen(key), room = 0;
    char *line = NULL;
    bool found = false;
    FILE *file = xb_rooted_open(root, path);
    while (file && !found && getline(&line, &room, file) > 0) {
        if (strncmp(line, key, length) != 0)
            continue;
        char *at = line + length + strspn(line + length, " \t");
        if (*at != separator)
            continue;
        at += 1 + strspn(at + 1, " \t\"");
        at[strcspn(at, "\"\n")] = 0;
        snprintf(out, bytes, "%s", at);
        found = true;
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}
