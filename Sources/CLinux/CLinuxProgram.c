#include "CLinux.h"

#include <elf.h>
#include <link.h>
#include <string.h>

int aerie_duplicate_mapping(void *address, size_t count, void *target) {
    // With an old size of 0, the old mapping stays.
    return mremap(address, 0, count, MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED ? -1 : 0;
}

static int release_program(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    (void)context;
    for (int index = 0; index < info->dlpi_phnum; index++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[index];
        // Pages that can be written may differ from the file.
        if (header->p_type != PT_LOAD || (header->p_flags & PF_W) != 0) continue;
        uintptr_t start = (info->dlpi_addr + header->p_vaddr + 4095) & ~(uintptr_t)4095;
        uintptr_t end = (info->dlpi_addr + header->p_vaddr + header->p_filesz) & ~(uintptr_t)4095;
        if (start < end) madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void aerie_release_program(void) { dl_iterate_phdr(release_program, NULL); }

struct search {
    uintptr_t address;
    uint8_t *buffer;
    size_t count;
    size_t found;
};

// Names and descriptions of notes are padded to words.
static size_t padded(size_t count) { return (count + 3) & ~(size_t)3; }

static size_t build_id_in(const uint8_t *notes, size_t size, uint8_t *buffer, size_t count) {
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)notes;
        size_t name = padded(note->n_namesz), description = padded(note->n_descsz);
        size_t whole = sizeof *note + name + description;
        if (whole > size) return 0;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(notes + sizeof *note, "GNU", 4) == 0) {
            size_t found = note->n_descsz < count ? note->n_descsz : count;
            memcpy(buffer, notes + sizeof *note + name, found);
            return found;
        }
        notes += whole;
        size -= whole;
    }
    return 0;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct search *search = context;
    int contains = 0;
    for (int index = 0; index < info->dlpi_phnum; index++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[index];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && search->address - start < header->p_memsz) contains = 1;
    }
    if (!contains) return 0;
    for (int index = 0; index < info->dlpi_phnum && search->found == 0; index++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[index];
        if (header->p_type != PT_NOTE) continue;
        const uint8_t *notes = (const uint8_t *)(info->dlpi_addr + header->p_vaddr);
        search->found = build_id_in(notes, header->p_memsz, search->buffer, search->count);
    }
    return 1;
}

size_t aerie_build_id(const void *address, uint8_t *buffer, size_t count) {
    struct search search = {(uintptr_t)address, buffer, count, 0};
    dl_iterate_phdr(look_at, &search);
    return search.found;
}
