/* SPDX-License-Identifier: BSD-3-Clause
 * Reads symbol tables, elf(5). Every offset in the file is mistrusted: it may be any file. */
#include "symbol.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
    const uint8_t *bytes;
    size_t n;
};

/* Copies `size` bytes at `at`. False: they are not all there. */
static bool get(const struct file *file, uint64_t at, void *out, size_t size)
{
    if (at > file->n || size > file->n - at)
        return false;
    memcpy(out, file->bytes + at, size);
    return true;
}

/* The address that the byte at `offset` is loaded to. */
static bool find_address(const struct file *file, const Elf64_Ehdr *head, uint64_t offset,
                         uint64_t *address)
{
    for (unsigned i = 0; i < head->e_phnum; i++) {
        Elf64_Phdr part;
        if (get(file, head->e_phoff + (uint64_t)i * sizeof part, &part, sizeof part) &&
            part.p_type == PT_LOAD && offset >= part.p_offset &&
            offset - part.p_offset < part.p_filesz) {
            *address = offset - part.p_offset + part.p_vaddr;
            return true;
        }
    }
    return false;
}

/* Looks for `address` in the table. True: found. */
static bool search(const struct file *file, const Elf64_Ehdr *head, const Elf64_Shdr *table,
                   uint64_t address, char *text, size_t n)
{
    Elf64_Shdr names;
    if (table->sh_link >= head->e_shnum ||
        !get(file, head->e_shoff + (uint64_t)table->sh_link * sizeof names, &names, sizeof names) ||
        names.sh_offset > file->n || names.sh_size > file->n - names.sh_offset)
        return false;
    for (uint64_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
        Elf64_Sym symbol;
        if (!get(file, table->sh_offset + i * sizeof symbol, &symbol, sizeof symbol))
            return false;
        unsigned type = ELF64_ST_TYPE(symbol.st_info);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol.st_shndx == SHN_UNDEF ||
            address < symbol.st_value || address - symbol.st_value >= symbol.st_size ||
            symbol.st_name >= names.sh_size)
            continue;
        const char *name = (const char *)file->bytes + names.sh_offset + symbol.st_name;
        size_t longest = names.sh_size - symbol.st_name;
        snprintf(text, n, "%.*s+0x%" PRIx64, (int)strnlen(name, longest < 256 ? longest : 256),
                 name, address - symbol.st_value);
        return true;
    }
    return false;
}

static int find(const struct file *file, uint64_t offset, char *text, size_t n)
{
    Elf64_Ehdr head;
    uint64_t address;
    if (!get(file, 0, &head, sizeof head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB ||
        head.e_phentsize != sizeof(Elf64_Phdr) || head.e_shentsize != sizeof(Elf64_Shdr))
        return -ENOEXEC;
    if (!find_address(file, &head, offset, &address))
        return -ENOENT;
    static const uint32_t tables[] = { SHT_SYMTAB, SHT_DYNSYM };
    for (int t = 0; t < 2; t++)
        for (unsigned i = 0; i < head.e_shnum; i++) {
            Elf64_Shdr section;
            if (get(file, head.e_shoff + (uint64_t)i * sizeof section, &section, sizeof section) &&
                section.sh_type == tables[t] && search(file, &head, &section, address, text, n))
                return 0;
        }
    return -ENOENT;
}

int xb_symbol_find(const char *path, uint64_t offset, char *text, size_t n)
{
    struct stat status;
    if (n)
        text[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int err = fstat(fd, &status) != 0                       ? -errno
              : !S_ISREG(status.st_mode) || !status.st_size ? -ENOEXEC
                                                            : 0;
    if (!err) {
        struct file file = { .n = (size_t)status.st_size };
        void *bytes = mmap(NULL, file.n, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            err = -errno;
        else {
            file.bytes = bytes;
            err = find(&file, offset, text, n);
            munmap(bytes, file.n);
        }
    }
    close(fd);
    return err;
}
