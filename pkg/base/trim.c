/* Keeping the process small: glibc's heap, and the pages of the program's own files.
 *
 * Dropped are only segments that were mapped without the right to write (PT_LOAD without PF_W): their pages are those
 * of the file, byte for byte. Relocated data (RELRO) lies in writable segments and is never touched. */
#include "base/trim.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Free memory at the top of the heap beyond this goes back to the kernel at once. */
#define TOP_PAD_BYTES (128 << 10)
#define TRIM_THRESHOLD_BYTES (512 << 10)
/* Larger blocks are mapped on their own and leave no hole. Set, or glibc would raise it with the first one freed. */
#define MMAP_THRESHOLD_BYTES (128 << 10)

void memory_setup(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TOP_PAD, TOP_PAD_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);
}

static int drop_clean_pages(struct dl_phdr_info *info, size_t size, void *ctx)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)ctx;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) || segment->p_filesz != segment->p_memsz)
            continue;
        uintptr_t begin = (info->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = (info->dlpi_addr + segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED); /* a refusal (the vDSO) costs nothing */
    }
    return 0;
}

void memory_trim(void)
{
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(drop_clean_pages, NULL);
}
