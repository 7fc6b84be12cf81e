// The agent's heap. Memory comes from the kernel in spans that begin at multiples of 64 KB, so that a block's span is
// found from its address. A span holds blocks of one size class, or one large block. Spans without a used block go back
// to the kernel at the end of each session: a large session leaves nothing behind. Of each class of small blocks, one span
// stays of which a page was used at most: the next session has its memory without asking the kernel.
//
// The agent has one thread: there are no locks.
#include "include/Support.h"

#if defined(__x86_64__)
enum { call_mmap = 9, call_munmap = 11 };
#else
enum { call_mmap = 222, call_munmap = 215 };
#endif

enum {
    span_size = 65536,
    header_size = 64,
    smallest = 32,
    classes = 10,       // 32 bytes to 16 KB
    large = 255,
    page = 4096,
    most_cached = 1 << 20,
};

struct span {
    struct span *next;
    struct span *previous;
    size_t size;        // bytes mapped
    void *free;         // blocks that were used before
    uint32_t fresh;     // offset of the first block that was never used
    uint32_t used;      // blocks
    uint8_t class;
};

// Per class, the spans with a free block. Large blocks that nothing uses wait in `cached`.
static struct span *open_spans[classes];
static struct span *cached;
static size_t cached_bytes;
static size_t mapped_bytes;
static size_t limit_bytes = 64u << 20;
// The lowest address of a span that was mapped last. The kernel maps downwards.
static uintptr_t last_span;

static void link_span(struct span **list, struct span *span) {
    span->previous = NULL;
    span->next = *list;
    if (*list) (*list)->previous = span;
    *list = span;
}

static void unlink_span(struct span **list, struct span *span) {
    if (span->previous) span->previous->next = span->next; else *list = span->next;
    if (span->next) span->next->previous = span->previous;
}

// Private memory, if possible at an address; 0 where there is none.
static uintptr_t map(uintptr_t address, size_t size) {
    const int access = 3, flags = 0x22;  // read and write; private, anonymous
    long result = aerie_call(call_mmap, (long)address, (long)size, access, flags, -1, 0);
    return result < 0 && result > -4096 ? 0 : (uintptr_t)result;
}

static void unmap(uintptr_t start, uintptr_t end) {
    if (end > start) aerie_call(call_munmap, (long)start, (long)(end - start), 0, 0, 0, 0);
}

static struct span *map_span(size_t size) {
    if (size > limit_bytes || mapped_bytes > limit_bytes - size) return NULL;
    const uintptr_t rest = span_size - 1;
    uintptr_t wish = last_span > size ? (last_span - size) & ~rest : 0;
    uintptr_t start = wish ? map(wish, size) : 0;
    if (!start || (start & rest)) {
        if (start) unmap(start, start + size);
        // One span more than needed holds an aligned one; the rest goes back.
        uintptr_t whole = map(0, size + span_size);
        if (!whole) return NULL;
        start = (whole + rest) & ~rest;
        unmap(whole, start);
        unmap(start + size, whole + size + span_size);
    }
    last_span = start;
    mapped_bytes += size;
    struct span *span = (struct span *)start;
    span->size = size;
    return span;
}

static void unmap_span(struct span *span) {
    mapped_bytes -= span->size;
    unmap((uintptr_t)span, (uintptr_t)span + span->size);
}

static void *allocate_large(size_t size) {
    size_t needed = (size + header_size + page - 1) & ~(size_t)(page - 1);
    struct span *span = NULL;
    for (struct span *candidate = cached; candidate; candidate = candidate->next) {
        if (candidate->size >= needed && candidate->size <= 2 * needed) { span = candidate; break; }
    }
    if (span) {
        unlink_span(&cached, span);
        cached_bytes -= span->size;
    } else {
        span = map_span(needed);
        if (!span) return NULL;
        span->class = large;
    }
    return (uint8_t *)span + header_size;
}

void *malloc(size_t size) {
    if (size > limit_bytes) return NULL;
    unsigned class = 0;
    size_t block = smallest;
    while (block < size) { block *= 2; class++; }
    if (class >= classes) return allocate_large(size);
    struct span *span = open_spans[class];
    if (!span) {
        span = map_span(span_size);
        if (!span) return NULL;
        span->class = (uint8_t)class;
        span->free = NULL;
        span->fresh = header_size;
        span->used = 0;
        link_span(&open_spans[class], span);
    }
    void *result = span->free;
    if (result) {
        span->free = *(void **)result;
    } else {
        result = (uint8_t *)span + span->fresh;
        span->fresh += (uint32_t)block;
    }
    span->used++;
    if (!span->free && span->fresh + block > span_size) unlink_span(&open_spans[class], span);
    return result;
}

void free(void *memory) {
    if (!memory) return;
    struct span *span = (struct span *)((uintptr_t)memory & ~(uintptr_t)(span_size - 1));
    if (span->class == large) {
        if (cached_bytes + span->size > most_cached) { unmap_span(span); return; }
        cached_bytes += span->size;
        link_span(&cached, span);
        return;
    }
    size_t block = (size_t)smallest << span->class;
    int was_full = !span->free && span->fresh + block > span_size;
    *(void **)memory = span->free;
    span->free = memory;
    span->used--;
    if (was_full) link_span(&open_spans[span->class], span);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    // Small blocks of power-of-two sizes begin 64 bytes behind a multiple of 64 KB.
    if (alignment > 64) return 22;
    *result = malloc(size < alignment ? alignment : size);
    return *result ? 0 : 12;
}

void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    uint8_t *result = malloc(bytes);
    for (size_t index = 0; result && index < bytes; index++) result[index] = 0;
    return result;
}

size_t aerie_heap_available(void) { return limit_bytes - mapped_bytes + cached_bytes; }

void aerie_heap_limit(size_t bytes) { limit_bytes = bytes > mapped_bytes ? bytes : mapped_bytes; }

void aerie_heap_trim(void) {
    while (cached) {
        struct span *span = cached;
        unlink_span(&cached, span);
        cached_bytes -= span->size;
        unmap_span(span);
    }
    for (unsigned class = 0; class < classes; class++) {
        struct span *span = open_spans[class];
        int has_unused = 0;
        while (span) {
            struct span *next = span->next;
            if (span->used == 0 && !has_unused && span->fresh <= page) {
                has_unused = 1;
            } else if (span->used == 0) {
                unlink_span(&open_spans[class], span);
                unmap_span(span);
            }
            span = next;
        }
    }
}
