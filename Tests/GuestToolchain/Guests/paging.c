// Address translation: Sv39, Sv48 and Sv57 with all page sizes, permissions, A and D, memory types, NAPOT, fences
// (Privileged Architecture 10.3 to 10.6, Svnapot, Svpbmt, Svinval).
#include "guest.h"

enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128 };
#define ADUE (1ul << 61)
#define PBMTE (1ul << 62)
#define NAPOT (1ul << 63)

static u64 tables[6][512] __attribute__((aligned(4096)));
static u8 data[16 * 4096] __attribute__((aligned(65536)));
static int levels;

static u64 leaf(u64 physical, u64 flags) { return (physical >> 12) << 10 | flags; }
static u64 pointer(u64 *table) { return leaf((u64)table, V); }

// Where the page under test appears: in the second half of the lower gigabytes, 2 MiB page 0, page 5.
#define GIGABYTE 0x40000000ul
#define PAGE (GIGABYTE + 5 * 4096)
static u64 *giga_table(void) { return tables[levels - 3]; }
static u64 *mega_table(void) { return tables[levels - 2]; }
static u64 *page_table(void) { return tables[levels - 1]; }

static void build(int count) {
    levels = count;
    for (int table = 0; table < 6; table++) {
        for (int index = 0; index < 512; index++) tables[table][index] = 0;
    }
    for (int table = 0; table < levels - 3; table++) tables[table][0] = pointer(tables[table + 1]);
    // The program where it lies, for S-mode; the devices, too.
    giga_table()[2] = leaf(0x80000000, V | R | W | X | A | D);
    giga_table()[0] = leaf(0, V | R | W | A | D);
    giga_table()[1] = pointer(mega_table());
    mega_table()[0] = pointer(page_table());
    write_csr(satp, (u64)(levels + 5) << 60 | (u64)tables[0] >> 12);
    fence_all();
}

// Loads and stores of another privilege, through MPRV: 0 when they work, the cause otherwise.
static u64 load_as(u64 status, u64 address) {
    set_csr(mstatus, status);
    u64 value = 0, mprv = MPRV;
    me()->cause = NONE;
    asm volatile("csrs mstatus, %2\nlwu %0, 0(%1)\ncsrc mstatus, %2" : "+r"(value) : "r"(address), "r"(mprv) : "memory");
    clear_csr(mstatus, MPP | SUM | MXR | MPRV);
    return me()->cause == NONE ? 0 : me()->cause;
}
static u64 store_as(u64 status, u64 address) {
    set_csr(mstatus, status);
    u64 mprv = MPRV;
    me()->cause = NONE;
    asm volatile("csrs mstatus, %1\nsw x0, 0(%0)\ncsrc mstatus, %1" : : "r"(address), "r"(mprv) : "memory");
    clear_csr(mstatus, MPP | SUM | MXR | MPRV);
    return me()->cause == NONE ? 0 : me()->cause;
}
static u64 set_page(u64 entry) {
    page_table()[5] = entry;
    fence_all();
    return entry;
}
static long fetch(long address, long b) {
    (void)b;
    jump_to(address);
    return caught();
}

// Every combination of R, W, X and U against every privilege, SUM and MXR, by the rule.
static void permissions(void) {
    for (u64 bits = 0; bits < 16; bits++) {
        u64 rwx = bits & 7, user = bits >> 3;
        set_page(leaf((u64)data, V | rwx << 1 | user << 4 | A | D));
        int valid = rwx != 0 && (rwx & 3) != 2;
        for (u64 mode = 0; mode < 8; mode++) {
            u64 supervisor = mode & 1, sum = mode >> 1 & 1, mxr = mode >> 2 & 1;
            int open = supervisor ? !user || sum : user;
            u64 status = (supervisor ? SUPERVISOR : USER) | (sum ? SUM : 0) | (mxr ? MXR : 0);
            int readable = (rwx & 1) || (mxr && (rwx & 4));
            EXPECT(load_as(status, PAGE), valid && open && readable ? 0 : LOAD_PAGE);
            if (!(valid && open && readable)) EXPECT(me()->tval, PAGE);
            EXPECT(store_as(status, PAGE), valid && open && (rwx & 2) ? 0 : STORE_PAGE);
        }
    }
}

static void used_bits(void) {
    set_page(leaf((u64)data, V | R | W));
    write_csr(0x30a, ADUE | PBMTE);
    if (!(read_csr(0x30a) & ADUE)) {
        SKIP("ADUE");
    } else {
        write_csr(0x30a, PBMTE);
        EXPECT(load_as(SUPERVISOR, PAGE), LOAD_PAGE);
        EXPECT(store_as(SUPERVISOR, PAGE), STORE_PAGE);
        set_page(leaf((u64)data, V | R | W | A));
        EXPECT(load_as(SUPERVISOR, PAGE), 0);
        EXPECT(store_as(SUPERVISOR, PAGE), STORE_PAGE);
        EXPECT(page_table()[5], leaf((u64)data, V | R | W | A));
        set_page(leaf((u64)data, V | R | W | D));
        EXPECT(store_as(SUPERVISOR, PAGE), STORE_PAGE);
        write_csr(0x30a, ADUE | PBMTE);
    }
    u64 entry = set_page(leaf((u64)data, V | R | W));
    EXPECT(load_as(SUPERVISOR, PAGE), 0);
    EXPECT(page_table()[5], entry | A);
    EXPECT(store_as(SUPERVISOR, PAGE), 0);
    EXPECT(page_table()[5], entry | A | D);
    entry = set_page(leaf((u64)data, V | R | W));
    EXPECT(store_as(SUPERVISOR, PAGE), 0);
    EXPECT(page_table()[5], entry | A | D);
    // A store that is not allowed marks nothing.
    entry = set_page(leaf((u64)data, V | R));
    EXPECT(store_as(SUPERVISOR, PAGE), STORE_PAGE);
    EXPECT(page_table()[5] & D, 0);
}

static void encodings(void) {
    u64 good = leaf((u64)data, V | R | W | A | D);
    set_page(good);
    EXPECT(load_as(SUPERVISOR, PAGE), 0);
    set_page(good & ~(u64)V);
    EXPECT(load_as(SUPERVISOR, PAGE), LOAD_PAGE);
    if (is_qemu()) {
        SKIP("reserved bits of entries");
    } else {
        for (int bit = 54; bit < 61; bit++) {
            set_page(good | 1ul << bit);
            EXPECT(load_as(SUPERVISOR, PAGE), LOAD_PAGE);
        }
        set_page(good | 3ul << 61);
        EXPECT(load_as(SUPERVISOR, PAGE), LOAD_PAGE);
    }
    // RSW and G mean nothing to the hart.
    set_page(good | 3ul << 8 | G);
    EXPECT(load_as(SUPERVISOR, PAGE), 0);
    // Memory types only with PBMTE.
    for (u64 type = 1; type < 3; type++) {
        set_page(good | type << 61);
        EXPECT(load_as(SUPERVISOR, PAGE), 0);
    }
    write_csr(0x30a, ADUE);
    set_page(good | 1ul << 61);
    if (is_qemu()) SKIP("PBMTE off");
    else EXPECT(load_as(SUPERVISOR, PAGE), LOAD_PAGE);
    write_csr(0x30a, ADUE | PBMTE);
    // NAPOT: 64 KiB, page number ending in 1000, and the address supplies the low bits.
    *(volatile u32 *)(data + 5 * 4096) = 0x55;
    set_page(leaf((u64)data + 0x8000, V | R | W | A | D) | NAPOT);
    EXPECT(load_as(SUPERVISOR, PAGE), 0);
    EXPECT(store_as(SUPERVISOR, PAGE), 0);
    EXPECT(*(volatile u32 *)(data + 5 * 4096), 0);
    static const u64 wrong[] = {0, 0x1000, 0x2000, 0x4000, 0xc000, 0x9000};
    for (int index = 0; index < 6; index++) {
        set_page(leaf((u64)data + wrong[index], V | R | W | A | D) | NAPOT);
        if (index == 5 && is_qemu()) SKIP("NAPOT with a low bit");
        else EXPECT(load_as(SUPERVISOR, PAGE), LOAD_PAGE);
    }
    // Pointers with bits of leaves.
    static const u64 reserved[] = {U, A, D, NAPOT, 1ul << 61, 1ul << 62};
    for (int index = 0; index < 6; index++) {
        mega_table()[0] = pointer(page_table()) | reserved[index];
        set_page(good);
        EXPECT(load_as(SUPERVISOR, PAGE), LOAD_PAGE);
    }
    mega_table()[0] = pointer(page_table());
    // A pointer in the last level.
    set_page(leaf((u64)data, V));
    EXPECT(load_as(SUPERVISOR, PAGE), LOAD_PAGE);
    // A table or a page where there is no memory.
    set_page(leaf(HOLE, V | R | W | A | D));
    EXPECT(load_as(SUPERVISOR, PAGE), LOAD_ACCESS);
    EXPECT(store_as(SUPERVISOR, PAGE), STORE_ACCESS);
    mega_table()[0] = leaf(HOLE, V);
    fence_all();
    if (is_qemu()) {
        SKIP("tables outside of memory");
    } else {
        EXPECT(load_as(SUPERVISOR, PAGE), LOAD_ACCESS);
        EXPECT(store_as(SUPERVISOR, PAGE), STORE_ACCESS);
        EXPECT(me()->tval, PAGE);
    }
    mega_table()[0] = pointer(page_table());
    set_page(good);
}

static void superpages(void) {
    u64 flags = V | R | W | A | D;
    // Every level above the last; a misaligned one faults at each of its low bits.
    for (int level = 1; level < levels; level++) {
        u64 *table = tables[levels - 1 - level];
        int index = level == 1 ? 8 : 3;
        u64 size = 4096ul << 9 * level;
        u64 address = level == 1 ? GIGABYTE + 8 * size : 3 * size;
        u64 target = 0x80000000ul & ~(size - 1);
        table[index] = leaf(target, flags);
        fence_all();
        u64 offset = 0x80000000ul - target + 0x2000;
        if (level >= 2) {
            EXPECT(load_as(SUPERVISOR, address + offset), 0);
        } else {
            EXPECT(load_as(SUPERVISOR, address + 0x1ff000), 0);
        }
        for (int bit = 12; bit < 12 + 9 * level; bit += 4) {
            table[index] = leaf(target | 1ul << bit, flags);
            fence_all();
            EXPECT(load_as(SUPERVISOR, address + 0x1000), LOAD_PAGE);
        }
        table[index] = 0;
        fence_all();
    }
    // The bits above the virtual address must repeat its highest.
    int width = 12 + 9 * levels;
    for (int bit = width; bit < 64; bit++) {
        EXPECT(load_as(SUPERVISOR, PAGE | 1ul << bit), LOAD_PAGE);
        EXPECT(me()->tval, PAGE | 1ul << bit);
    }
    EXPECT(load_as(SUPERVISOR, PAGE | 1ul << (width - 1)), LOAD_PAGE);
    // The highest addresses.
    tables[0][511] = leaf(0, flags);
    fence_all();
    EXPECT(load_as(SUPERVISOR, 0ul - (4096ul << 9 * (levels - 1)) + CLINT), 0);
    tables[0][511] = 0;
    fence_all();
}

static void fetches(void) {
    static const u32 code[] = {0x00008067};  // ret
    volatile u32 *page = (volatile u32 *)data;
    page[0] = code[0];
    fence_code();
    set_page(leaf((u64)data, V | R | X | A));
    EXPECT(run_at(SUPERVISOR, fetch, PAGE, 0), NONE);
    set_page(leaf((u64)data, V | X | A));
    EXPECT(run_at(SUPERVISOR, fetch, PAGE, 0), NONE);
    set_page(leaf((u64)data, V | R | W | A | D));
    EXPECT(run_at(SUPERVISOR, fetch, PAGE, 0), FETCH_PAGE);
    EXPECT(me()->tval, PAGE);
    // A supervisor never executes a user's page, SUM or not.
    set_page(leaf((u64)data, V | R | X | U | A));
    EXPECT(run_at(SUPERVISOR, fetch, PAGE, 0), FETCH_PAGE);
    EXPECT(run_at(SUPERVISOR | SUM, fetch, PAGE, 0), FETCH_PAGE);
    clear_csr(mstatus, SUM);
    // An instruction across pages: the second half's page counts, and its address is the trap's value.
    *(volatile u16 *)(data + 4094) = 0x8067;
    *(volatile u16 *)(data + 4096) = 0x0000;
    fence_code();
    set_page(leaf((u64)data, V | R | X | A));
    page_table()[6] = leaf((u64)data + 4096, V | R | X | A);
    fence_all();
    EXPECT(run_at(SUPERVISOR, fetch, PAGE + 4094, 0), NONE);
    page_table()[6] = leaf((u64)data + 4096, V | R | W | A | D);
    fence_all();
    EXPECT(run_at(SUPERVISOR, fetch, PAGE + 4094, 0), FETCH_PAGE);
    EXPECT(me()->epc, PAGE + 4094);
    EXPECT(me()->tval, PAGE + 4096);
    page_table()[6] = 0;
    fence_all();
}

static void crossings(void) {
    // Loads and stores across pages: nothing is stored when the second page faults.
    set_page(leaf((u64)data, V | R | W | A | D));
    page_table()[6] = leaf((u64)data + 3 * 4096, V | R | W | A | D);
    fence_all();
    *(volatile u32 *)(data + 4092) = 0x11111111;
    *(volatile u32 *)(data + 3 * 4096) = 0x22222222;
    EXPECT(store_as(SUPERVISOR, PAGE + 4094), 0);
    EXPECT(*(volatile u32 *)(data + 4092), 0x1111);
    EXPECT(*(volatile u32 *)(data + 3 * 4096), 0x22220000);
    page_table()[6] = leaf((u64)data + 3 * 4096, V | R | A | D);
    fence_all();
    EXPECT(load_as(SUPERVISOR, PAGE + 4094), 0);
    *(volatile u32 *)(data + 4092) = 0x11111111;
    EXPECT(store_as(SUPERVISOR, PAGE + 4094), STORE_PAGE);
    EXPECT(me()->tval, PAGE + 4096);
    EXPECT(*(volatile u32 *)(data + 4092), 0x11111111);
    page_table()[6] = 0;
    fence_all();
    EXPECT(load_as(SUPERVISOR, PAGE + 4094), LOAD_PAGE);
    EXPECT(me()->tval, PAGE + 4096);
}

static void fences(void) {
    // After a fence of any form that covers it, a changed entry counts.
    u64 identifier = 7, address = PAGE;
    write_csr(satp, read_csr(satp) | identifier << 44);
    u64 good = leaf((u64)data, V | R | W | A | D);
    for (int form = 0; form < 6; form++) {
        set_page(good);
        EXPECT(load_as(SUPERVISOR, PAGE), 0);
        page_table()[5] = 0;
        switch (form) {
        case 0: asm volatile("sfence.vma x0, x0" : : : "memory"); break;
        case 1: asm volatile("sfence.vma %0, x0" : : "r"(address) : "memory"); break;
        case 2: asm volatile("sfence.vma x0, %0" : : "r"(identifier) : "memory"); break;
        case 3: asm volatile("sfence.vma %0, %1" : : "r"(address), "r"(identifier) : "memory"); break;
        case 4:
            asm volatile("sfence.w.inval\nsinval.vma %0, x0\nsfence.inval.ir" : : "r"(address) : "memory");
            break;
        default:
            asm volatile("sfence.w.inval\nsinval.vma %0, %1\nsfence.inval.ir" : : "r"(address), "r"(identifier) : "memory");
        }
        EXPECT(load_as(SUPERVISOR, PAGE), LOAD_PAGE);
    }
    // One address of a superpage stands for all of it.
    mega_table()[9] = leaf(0x80000000, V | R | W | A | D);
    fence_all();
    u64 first = GIGABYTE + 9 * 0x200000;
    EXPECT(load_as(SUPERVISOR, first + 0x3000), 0);
    mega_table()[9] = 0;
    asm volatile("sfence.vma %0, x0" : : "r"(first) : "memory");
    EXPECT(load_as(SUPERVISOR, first + 0x3000), LOAD_PAGE);
}

int main(void) {
    open_memory();
    write_csr(0x30a, ADUE | PBMTE);
    for (int count = 3; count <= 5; count++) {
        build(count);
        EXPECT(read_csr(satp) >> 60, count + 5);
        permissions();
        used_bits();
        encodings();
        superpages();
        fetches();
        crossings();
        fences();
    }
    // A mode that is not there leaves satp as it was.
    u64 before = read_csr(satp);
    write_csr(satp, 11ul << 60 | 1);
    EXPECT(read_csr(satp), before);
    write_csr(satp, 0);
    return 0;
}
