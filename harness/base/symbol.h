/* The function that a place in an ELF file belongs to. */
#ifndef XB_BASE_SYMBOL_H
#define XB_BASE_SYMBOL_H

#include <stddef.h>
#include <stdint.h>

/* Finds the function that the byte at `offset` of the file `path` lies in, and writes "name+0x1c" to
 * `text` (n bytes, cut where it is longer). From the file's full table of symbols, or where it is
 * stripped of that, from the one for dynamic linking.
 * 0, or -ENOENT: in none that has a name; -ENOEXEC: no 64-bit ELF file of this machine's byte order; or
 * another -errno. Then text is "". */
int xb_symbol_find(const char *path, uint64_t offset, char *text, size_t n);

#endif
