// Two-stage address translation: every pair of modes, permissions of both stages, A and D, faults with their guest-physical
// address and instruction, HLV, HLVX and HSV (Privileged Architecture, chapter "H").
#include "hypervisor.h"

enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128 };
#define ALL (V | R | W | X | U | A | D)

// The G-stage's root is four pages. Tables of a lower level are used by both stages' builders.
static u64 root[2048] __attribute__((aligned(16384)));
static u64 second[4][512] __attribute__((aligned(4096)));
static u64 first[6][512] __attribute__((aligned(4096)));
static u8 data[4 * 4096] __attribute__((aligned(4096)));
static int guest_levels, levels;

static u64 leaf(u64 physical, u64 flags) { return (physical >> 12) << 10 | flags; }
static u64 pointer(u64 *table) { return leaf((u64)table, V); }

// Guest-physical GIGABYTE + 5 pages is the page under test. Memory and devices are where they are.
#define GIGABYTE 0x40000000ul
#define PAGE (GIGABYTE + 5 * 4096)
// The guest's page tables reach it at this virtual address.
#define VIRTUAL_PAGE (3 * GIGABYTE + 7 * 4096)
static u64 *second_page(void) { return &second[3][5]; }
static u64 *first_page(void) { return &first[levels - 1][7]; }
// Where the guest's page tables are, guest-physically: 6 GiB on, so that they can be taken away.
#define TABLES (6 * GIGABYTE)
static u64 *tables_page(int table) { return &second[2][table]; }

static void build_second(int count) {
    guest_levels = count;
    for (int index = 0; index < 2048; index++) root[index] = 0;
    for (int table = 0; table < 4; table++) {
        for (int index = 0; index < 512; index++) second[table][index] = 0;
    }
    // Sv48x4 and Sv57x4 have tables above that of the gigabytes, which is in the root's other pages then.
    static u64 above[2][512] __attribute__((aligned(4096)));
    u64 *gigabytes = root;
    if (count > 3) gigabytes = above[0];
    for (int index = 0; index < 512; index++) above[0][index] = above[1][index] = 0;
    if (count == 4) root[0] = pointer(above[0]);
    if (count == 5) {
        root[0] = pointer(above[1]);
        above[1][0] = pointer(above[0]);
    }
    gigabytes[0] = leaf(0, ALL);
    gigabytes[2] = leaf(2 * GIGABYTE, ALL);
    gigabytes[1] = pointer(second[0]);
    second[0][0] = pointer(second[3]);
    gigabytes[6] = pointer(second[1]);
    second[1][0] = pointer(second[2]);
    for (int table = 0; table < 6; table++) *tables_page(table) = leaf((u64)first[table], ALL);
    *second_page() = leaf((u64)data, ALL);
    write_number(HGATP, (u64)(count + 5) << 60 | 1ul << 44 | (u64)root >> 12);
    fence_guests();
}

static u64 guest_pointer(int table) { return leaf(TABLES + 4096ul * table, V); }

static void build_first(int count) {
    levels = count;
    for (int table = 0; table < 6; table++) {
        for (int index = 0; index < 512; index++) first[table][index] = 0;
    }
    if (count == 0) {
        write_number(VSATP, 0);
        fence_guest();
        return;
    }
    for (int table = 0; table < count - 3; table++) first[table][0] = guest_pointer(table + 1);
    u64 *gigabytes = first[count - 3];
    gigabytes[0] = leaf(0, V | R | W | X | A | D);
    gigabytes[2] = leaf(2 * GIGABYTE, V | R | W | X | A | D);
    gigabytes[3] = guest_pointer(count - 2);
    first[count - 2][0] = guest_pointer(count - 1);
    *first_page() = leaf(PAGE, V | R | W | X | A | D);
    write_number(VSATP, (u64)(count + 5) << 60 | 1ul << 44 | TABLES >> 12);
    fence_guest();
}

static u64 set(u64 *entry, u64 value) {
    *entry = value;
    fence_guests();
    fence_guest();
    return value;
}

#define HYPERVISOR_LOAD(name, bits) \
    __attribute__((unused)) static u64 name(u64 address) { register u64 a0 asm("a0") = address; me()->cause = NONE; \
        asm volatile(".word %1" : "+r"(a0) : "i"(bits) : "memory"); return me()->cause == NONE ? 0 : me()->cause; } \
    __attribute__((unused)) static u64 name##_value(u64 address) { register u64 a0 asm("a0") = address; me()->cause = NONE; \
        asm volatile(".word %1" : "+r"(a0) : "i"(bits) : "memory"); return a0; }
HYPERVISOR_LOAD(hlv_b, HLV_B) HYPERVISOR_LOAD(hlv_bu, HLV_BU) HYPERVISOR_LOAD(hlv_h, HLV_H)
HYPERVISOR_LOAD(hlv_hu, HLV_HU) HYPERVISOR_LOAD(hlv_w, HLV_W) HYPERVISOR_LOAD(hlv_wu, HLV_WU)
HYPERVISOR_LOAD(hlv_d, HLV_D) HYPERVISOR_LOAD(hlvx_hu, HLVX_HU) HYPERVISOR_LOAD(hlvx_wu, HLVX_WU)
#define HYPERVISOR_STORE(name, bits) \
    static u64 name(u64 address, u64 value) { \
        register u64 a0 asm("a0") = address; register u64 a1 asm("a1") = value; me()->cause = NONE; \
        asm volatile(".word %2" : : "r"(a0), "r"(a1), "i"((bits) | 11 << 20) : "memory"); \
        return me()->cause == NONE ? 0 : me()->cause; }
HYPERVISOR_STORE(hsv_b, HSV_B) HYPERVISOR_STORE(hsv_h, HSV_H) HYPERVISOR_STORE(hsv_w, HSV_W)
HYPERVISOR_STORE(hsv_d, HSV_D)

// Loads and stores of a guest through MPRV: 0 when they work, the cause otherwise. QEMU 7.2 reports wrong causes for them.
static u64 select_privilege(u64 privilege) {
    u64 status = read_number(HSTATUS);
    write_number(HSTATUS, (status & ~SPVP) | (privilege == SUPERVISOR ? SPVP : 0));
    return status;
}
static u64 load_as(u64 privilege, u64 address) {
    if (is_qemu()) {
        u64 status = select_privilege(privilege), cause = hlv_w(address);
        write_number(HSTATUS, status);
        return cause;
    }
    clear_csr(mstatus, MPP | MPV);
    set_csr(mstatus, privilege | MPV);
    u64 value = 0, mprv = MPRV;
    me()->cause = NONE;
    asm volatile(".option push\n.option norvc\ncsrs mstatus, %2\nlwu %0, 0(%1)\ncsrc mstatus, %2\n.option pop"
        : "+r"(value) : "r"(address), "r"(mprv) : "memory");
    clear_csr(mstatus, MPP | MPV | MPRV);
    return me()->cause == NONE ? 0 : me()->cause;
}
static u64 store_as(u64 privilege, u64 address) {
    if (is_qemu()) {
        u64 status = select_privilege(privilege), cause = hsv_w(address, 0);
        write_number(HSTATUS, status);
        return cause;
    }
    clear_csr(mstatus, MPP | MPV);
    set_csr(mstatus, privilege | MPV);
    u64 mprv = MPRV;
    me()->cause = NONE;
    asm volatile(".option push\n.option norvc\ncsrs mstatus, %1\nsw x0, 0(%0)\ncsrc mstatus, %1\n.option pop"
        : : "r"(address), "r"(mprv) : "memory");
    clear_csr(mstatus, MPP | MPV | MPRV);
    return me()->cause == NONE ? 0 : me()->cause;
}

static long run_load(long address, long b) { (void)b; load_64(address); return caught(); }
static long run_store(long address, long b) { (void)b; store_64(address, 0); return caught(); }
static long run_jump(long address, long b) { (void)b; return jump_to(address); }
static u64 guest_load(u64 mode, u64 address) { u64 cause = run_in(mode, run_load, address, 0); return cause == NONE ? 0 : cause; }
static u64 guest_store(u64 mode, u64 address) { u64 cause = run_in(mode, run_store, address, 0); return cause == NONE ? 0 : cause; }
static u64 guest_jump(u64 mode, u64 address) { u64 cause = run_in(mode, run_jump, address, 0); return cause == NONE ? 0 : cause; }

// The registers of a guest-page fault.
#define EXPECT_GUEST(physical, pseudo, address) do { \
    EXPECT(me()->tval, address); EXPECT(TRAP_VALUE2, (physical) >> 2); if (!is_qemu()) EXPECT(me()->status & GVA, GVA); \
    if (pseudo) EXPECT(TRAP_INSTRUCTION, pseudo); } while (0)

// Every combination of the G-stage's R, W, X and U against loads, stores, fetches, MXR and HLVX.
static void second_permissions(void) {
    volatile u32 *code = (volatile u32 *)data;
    code[0] = 0x00008067;
    fence_code();
    write_number(HSTATUS, SPVP);
    for (u64 bits = 0; bits < 16; bits++) {
        u64 rwx = bits & 7, user = bits >> 3;
        set(second_page(), leaf((u64)data, V | rwx << 1 | user << 4 | A | D));
        int valid = rwx != 0 && (rwx & 3) != 2 && user;
        int readable = valid && (rwx & 1), executable = valid && (rwx & 4), writable = valid && (rwx & 2);
        u64 address = levels ? VIRTUAL_PAGE : PAGE;
        EXPECT(load_as(SUPERVISOR, address), readable ? 0 : LOAD_GUEST_PAGE);
        if (!readable) EXPECT_GUEST(PAGE, 0, address);
        EXPECT(hlv_w(address), readable ? 0 : LOAD_GUEST_PAGE);
        if (!readable) EXPECT_GUEST(PAGE, 0, address);
        // QEMU 7.2 loads by HLVX what may be read.
        if (!is_qemu()) {
            EXPECT(hlvx_wu(address), executable ? 0 : LOAD_GUEST_PAGE);
            if (!executable) EXPECT_GUEST(PAGE, 0, address);
        }
        EXPECT(guest_load(IN_VS, address), readable ? 0 : LOAD_GUEST_PAGE);
        if (!readable) EXPECT_GUEST(PAGE, 0, address);
        if (!readable && !is_qemu()) EXPECT(TRAP_INSTRUCTION & ~0xf80ul, 0x3003);
        // MXR of HS-mode counts for both stages, the guest's not for the G-stage. QEMU 7.2 has it the other way round.
        if (!is_qemu()) {
            write_number(VSSTATUS, MXR);
            EXPECT(load_as(SUPERVISOR, address), readable ? 0 : LOAD_GUEST_PAGE);
            write_number(VSSTATUS, 0);
            set_csr(mstatus, MXR);
            EXPECT(load_as(SUPERVISOR, address), readable || executable ? 0 : LOAD_GUEST_PAGE);
            EXPECT(hlv_w(address), readable || executable ? 0 : LOAD_GUEST_PAGE);
            clear_csr(mstatus, MXR);
        }
        EXPECT(guest_jump(IN_VS, address), executable ? 0 : FETCH_GUEST_PAGE);
        if (!executable) {
            EXPECT_GUEST(PAGE, 0, address);
            EXPECT(me()->epc, address);
        }
        EXPECT(store_as(SUPERVISOR, address), writable ? 0 : STORE_GUEST_PAGE);
        if (!writable) EXPECT_GUEST(PAGE, 0, address);
        EXPECT(hsv_w(address, 0), writable ? 0 : STORE_GUEST_PAGE);
        EXPECT(guest_store(IN_VS, address), writable ? 0 : STORE_GUEST_PAGE);
        if (!writable && !is_qemu()) EXPECT(TRAP_INSTRUCTION & ~0x1f00000ul, 0x3023);
        code[0] = 0x00008067;
        fence_code();
    }
    set(second_page(), leaf((u64)data, ALL));
}

// The VS-stage's permissions against privilege, SUM and MXR.
static void first_permissions(void) {
    for (u64 bits = 0; bits < 16; bits++) {
        u64 rwx = bits & 7, user = bits >> 3;
        set(first_page(), leaf(PAGE, V | rwx << 1 | user << 4 | A | D));
        int valid = rwx != 0 && (rwx & 3) != 2;
        for (u64 mode = 0; mode < 16; mode++) {
            u64 supervisor = mode & 1, sum = mode >> 1 & 1, mxr = mode >> 2 & 1, outer = mode >> 3 & 1;
            int open = supervisor ? !user || sum : user;
            write_number(VSSTATUS, (sum ? SUM : 0) | (mxr ? MXR : 0));
            write_number(HSTATUS, supervisor ? SPVP : 0);
            // HS-mode's SUM means nothing to the guest.
            // QEMU 7.2 has its own ideas of MXR, and of SUM for HLV.
            if (is_qemu() && (mxr != outer || !sum)) continue;
            set_csr(mstatus, SUM | (outer ? MXR : 0));
            int readable = valid && open && ((rwx & 1) || ((mxr || outer) && (rwx & 4)));
            int writable = valid && open && (rwx & 2);
            u64 privilege = supervisor ? SUPERVISOR : USER;
            EXPECT(load_as(privilege, VIRTUAL_PAGE), readable ? 0 : LOAD_PAGE);
            if (!readable) {
                EXPECT(me()->tval, VIRTUAL_PAGE);
                EXPECT(TRAP_VALUE2, 0);
                if (!is_qemu()) EXPECT(me()->status & GVA, GVA);
            }
            EXPECT(store_as(privilege, VIRTUAL_PAGE), writable ? 0 : STORE_PAGE);
            EXPECT(hlv_d(VIRTUAL_PAGE), readable ? 0 : LOAD_PAGE);
            EXPECT(hsv_d(VIRTUAL_PAGE, 0), writable ? 0 : STORE_PAGE);
            if (!is_qemu()) EXPECT(hlvx_wu(VIRTUAL_PAGE), valid && open && (rwx & 4) ? 0 : LOAD_PAGE);
            clear_csr(mstatus, SUM | MXR);
        }
        write_number(VSSTATUS, 0);
    }
    set(first_page(), leaf(PAGE, V | R | W | X | A | D));
}

// A and D bits of both stages, by hardware or by a fault.
static void used_bits(void) {
    // QEMU 7.2 marks the G-stage's entries at other times.
    if (is_qemu()) return;
    write_number(HSTATUS, SPVP);
    write_number(HENVCFG, -1);
    u64 first_entry = set(first_page(), leaf(PAGE, V | R | W)), second_entry = set(second_page(), leaf((u64)data, V | R | W | U));
    EXPECT(hlv_d(VIRTUAL_PAGE), 0);
    EXPECT(*first_page(), first_entry | A);
    EXPECT(*second_page(), second_entry | A);
    EXPECT(hsv_d(VIRTUAL_PAGE, 0), 0);
    EXPECT(*first_page(), first_entry | A | D);
    EXPECT(*second_page(), second_entry | A | D);
    // The guest's tables are read, and written where A or D is set: their G-stage pages are marked alike.
    set(first_page(), first_entry);
    set(tables_page(levels - 1), leaf((u64)first[levels - 1], V | R | W | U));
    EXPECT(hlv_d(VIRTUAL_PAGE), 0);
    EXPECT(*first_page(), first_entry | A);
    EXPECT(*tables_page(levels - 1), leaf((u64)first[levels - 1], V | R | W | U | A | D));
    set(tables_page(levels - 1), leaf((u64)first[levels - 1], V | R | W | U));
    EXPECT(hlv_d(VIRTUAL_PAGE), 0);
    EXPECT(*tables_page(levels - 1), leaf((u64)first[levels - 1], V | R | W | U | A));
    // Without the guest's ADUE its entries fault, in the guest's own way; without M-mode's the G-stage's.
    write_number(HENVCFG, ~ADUE);
    set(first_page(), first_entry);
    EXPECT(hlv_d(VIRTUAL_PAGE), LOAD_PAGE);
    set(first_page(), first_entry | A);
    EXPECT(hlv_d(VIRTUAL_PAGE), 0);
    EXPECT(hsv_d(VIRTUAL_PAGE, 0), STORE_PAGE);
    set(first_page(), first_entry | A | D);
    set(second_page(), second_entry);
    EXPECT(hsv_d(VIRTUAL_PAGE, 0), 0);
    EXPECT(*second_page(), second_entry | A | D);
    write_number(MENVCFG, ~ADUE);
    set(second_page(), second_entry);
    EXPECT(hlv_d(VIRTUAL_PAGE), LOAD_GUEST_PAGE);
    EXPECT_GUEST(PAGE, 0, VIRTUAL_PAGE);
    set(second_page(), second_entry | A);
    EXPECT(hlv_d(VIRTUAL_PAGE), 0);
    EXPECT(hsv_d(VIRTUAL_PAGE, 0), STORE_GUEST_PAGE);
    EXPECT_GUEST(PAGE, 0, VIRTUAL_PAGE);
    write_number(MENVCFG, -1);
    write_number(HENVCFG, -1);
    set(first_page(), leaf(PAGE, V | R | W | X | A | D));
    set(second_page(), leaf((u64)data, ALL));
}

// Faults of the G-stage for the guest's page tables: the cause is the access's, the address the entry's.
static void tables(void) {
    write_number(HSTATUS, SPVP);
    for (int table = 0; table < levels; table++) {
        u64 index = table == levels - 1 ? 7 : table == levels - 3 ? 3 : 0;
        u64 place = TABLES + 4096ul * table + 8 * index;
        set(tables_page(table), 0);
        EXPECT(hlv_d(VIRTUAL_PAGE), LOAD_GUEST_PAGE);
        EXPECT_GUEST(place, 0x3000, VIRTUAL_PAGE);
        // QEMU 7.2 reports a load for whatever needed the entry.
        EXPECT(hsv_d(VIRTUAL_PAGE, 0), is_qemu() ? LOAD_GUEST_PAGE : STORE_GUEST_PAGE);
        EXPECT_GUEST(place, 0x3000, VIRTUAL_PAGE);
        // Executable is not readable for page tables, MXR or not.
        if (!is_qemu()) {
            set(tables_page(table), leaf((u64)first[table], V | X | U | A | D));
            set_csr(mstatus, MXR);
            EXPECT(hlv_d(VIRTUAL_PAGE), LOAD_GUEST_PAGE);
            clear_csr(mstatus, MXR);
            EXPECT(hlvx_wu(VIRTUAL_PAGE), LOAD_GUEST_PAGE);
            EXPECT_GUEST(place, 0x3000, VIRTUAL_PAGE);
        }
        set(tables_page(table), leaf((u64)first[table], ALL));
    }
    EXPECT(hlv_d(VIRTUAL_PAGE), 0);
    // A fetch of the guest. Its code is mapped by the first table of gigabytes, so only the last table goes.
    set(tables_page(levels - 1), 0);
    if (!is_qemu()) EXPECT(guest_jump(IN_VS, VIRTUAL_PAGE), FETCH_GUEST_PAGE);
    if (!is_qemu()) EXPECT_GUEST(TABLES + 4096ul * (levels - 1) + 8 * 7, 0x3000, VIRTUAL_PAGE);
    // Readable tables that A and D cannot be written to.
    if (!is_qemu()) {
        set(tables_page(levels - 1), leaf((u64)first[levels - 1], V | R | U | A | D));
        set(first_page(), leaf(PAGE, V | R | W | X));
        EXPECT(hlv_d(VIRTUAL_PAGE), LOAD_GUEST_PAGE);
        EXPECT_GUEST(TABLES + 4096ul * (levels - 1) + 8 * 7, 0x3020, VIRTUAL_PAGE);
        EXPECT(*first_page(), leaf(PAGE, V | R | W | X));
    }
    set(tables_page(levels - 1), leaf((u64)first[levels - 1], ALL));
    set(first_page(), leaf(PAGE, V | R | W | X | A | D));
    // A root that the G-stage does not map.
    u64 satp = read_number(VSATP);
    write_number(VSATP, (satp & ~((1ul << 44) - 1)) | (7 * GIGABYTE) >> 12);
    fence_guest();
    EXPECT(load_as(SUPERVISOR, VIRTUAL_PAGE), LOAD_GUEST_PAGE);
    EXPECT(TRAP_VALUE2 << 2 & ~0xffful, 7 * GIGABYTE);
    write_number(VSATP, satp);
    fence_guest();
}

static void widths(void) {
    write_number(HSTATUS, SPVP);
    // The G-stage's addresses have two more bits than its tables' mode says; beyond them is nothing.
    u64 satp = read_number(VSATP);
    write_number(VSATP, 0);
    fence_guest();
    int width = 12 + 9 * guest_levels + 2;
    for (int bit = width; bit < 64; bit++) {
        EXPECT(hlv_d(PAGE | 1ul << bit), LOAD_GUEST_PAGE);
        if (!is_qemu()) EXPECT_GUEST(PAGE | 1ul << bit, 0, PAGE | 1ul << bit);
    }
    // The root's last entry is used. QEMU 7.2 takes addresses of its upper half for negative.
    u64 size = 1ul << (width - 11), last = is_qemu() ? 1023 : 2047;
    root[last] = leaf(0, ALL);
    fence_guests();
    EXPECT(hlv_d(last * size + MTIME), 0);
    root[last] = 0;
    fence_guests();
    EXPECT(hlv_d(last * size + MTIME), LOAD_GUEST_PAGE);
    EXPECT(TRAP_VALUE2, (last * size + MTIME) >> 2);
    write_number(VSATP, satp);
    fence_guest();
    // The VS-stage's addresses repeat their highest bit.
    if (levels) {
        for (int bit = 12 + 9 * levels; bit < 64; bit++) EXPECT(hlv_d(VIRTUAL_PAGE | 1ul << bit), LOAD_PAGE);
    }
    // No memory: an access fault, with a guest address.
    set(second_page(), leaf(HOLE, ALL));
    u64 address = levels ? VIRTUAL_PAGE : PAGE;
    EXPECT(hlv_d(address + 8), LOAD_ACCESS);
    EXPECT(me()->tval, address + 8);
    if (!is_qemu()) EXPECT(me()->status & GVA, GVA);
    EXPECT(hsv_b(address + 8, 0), STORE_ACCESS);
    set(second_page(), leaf((u64)data, ALL));
}

static void values(void) {
    u64 address = levels ? VIRTUAL_PAGE : PAGE;
    volatile u64 *words = (volatile u64 *)data;
    words[1] = 0x8182838485868788;
    EXPECT(hlv_b_value(address + 8), 0xffffffffffffff88);
    EXPECT(hlv_bu_value(address + 8), 0x88);
    EXPECT(hlv_h_value(address + 8), 0xffffffffffff8788);
    EXPECT(hlv_hu_value(address + 8), 0x8788);
    EXPECT(hlv_w_value(address + 8), 0xffffffff85868788);
    EXPECT(hlv_wu_value(address + 8), 0x85868788);
    EXPECT(hlv_d_value(address + 8), 0x8182838485868788);
    EXPECT(hlvx_hu_value(address + 10), 0x8586);
    EXPECT(hlvx_wu_value(address + 12), 0x81828384);
    EXPECT(hsv_b(address + 8, 0x11), 0);
    EXPECT(hsv_h(address + 10, 0x2222), 0);
    EXPECT(hsv_w(address + 12, 0x33333333), 0);
    EXPECT(words[1], 0x3333333322228711);
    EXPECT(hsv_d(address + 8, 0x1234), 0);
    EXPECT(words[1], 0x1234);
    words[0] = words[1] = 0;
}

// Code of one guest-physical place runs under two VMIDs and from two pages, and changes below what runs.
static u64 other_root[2048] __attribute__((aligned(16384)));
static u64 other[2][512] __attribute__((aligned(4096)));
static long call_page(long address, long b) {
    register long value asm("a0") = b;
    register long target asm("t3") = address;
    asm volatile("jalr ra, 0(t3)" : "+r"(value) : "r"(target) : "ra", "memory");
    return value;
}

static void identifiers(void) {
    volatile u32 *one = (volatile u32 *)data, *two = (volatile u32 *)(data + 4096);
    one[0] = 0x00150513;    // addi a0, a0, 1
    one[1] = two[1] = 0x00008067;
    two[0] = 0x06450513;    // addi a0, a0, 100
    fence_code();
    for (int index = 0; index < 2048; index++) other_root[index] = root[index];
    other_root[1] = pointer(other[0]);
    for (int index = 0; index < 512; index++) other[0][index] = other[1][index] = 0;
    other[0][0] = pointer(other[1]);
    other[1][5] = leaf((u64)two, ALL);
    set(second_page(), leaf((u64)one, ALL));
    u64 first_guest = read_number(HGATP);
    u64 second_guest = 8ul << 60 | 2ul << 44 | (u64)other_root >> 12;
    u64 value = 0;
    // The same guest-virtual address is other code in the other guest, without a fence in between.
    for (int round = 0; round < 200; round++) {
        write_number(HGATP, round & 1 ? second_guest : first_guest);
        value = run_in(round & 2 ? IN_VS : IN_VU, call_page, PAGE, value);
    }
    EXPECT(value, 100 * 1 + 100 * 100);
    // The same code in both.
    other[1][5] = leaf((u64)one, ALL);
    fence_guests();
    value = 0;
    for (int round = 0; round < 200; round++) {
        write_number(HGATP, round & 1 ? second_guest : first_guest);
        value = run_in(IN_VS, call_page, PAGE, value);
    }
    EXPECT(value, 200);
    // Changed code, which the guest itself fences.
    one[0] = 0x00250513;
    fence_code();
    EXPECT(run_in(IN_VS, call_page, PAGE, 0), 2);
    // Another page at the same guest-physical address: HFENCE.GVMA of the VMID.
    write_number(HGATP, first_guest);
    EXPECT(run_in(IN_VS, call_page, PAGE, 0), 2);
    *second_page() = leaf((u64)two, ALL);
    register u64 identifier asm("a1") = 1;
    asm volatile(".word 0x62b00073" : : "r"(identifier) : "memory");    // hfence.gvma x0, a1
    EXPECT(run_in(IN_VS, call_page, PAGE, 0), 100);
    EXPECT(hlv_wu_value(PAGE), 0x06450513);
    write_number(HGATP, second_guest);
    EXPECT(run_in(IN_VS, call_page, PAGE, 0), 2);
    write_number(HGATP, first_guest);
    // A guest of its own five address spaces and more than a hart remembers guests: each load is its own page's.
    for (int round = 0; round < 60; round++) {
        u64 number = round % 6;
        write_number(HGATP, (number & 1 ? second_guest : first_guest) | (4 + number) << 44);
        // QEMU 7.2 has no VMIDs in its TLB.
        if (is_qemu()) fence_guests();
        EXPECT(hlv_wu_value(PAGE), number & 1 ? 0x00250513 : 0x06450513);
    }
    write_number(HGATP, first_guest);
    *second_page() = leaf((u64)data, ALL);
    fence_guests();
}

// The guest changes its page tables and fences, by itself and through the hypervisor.
static long remap(long physical, long fence) {
    *first_page() = leaf(physical, V | R | W | X | A | D);
    if (fence == 0) asm volatile("sfence.vma" : : : "memory");
    if (fence == 1) asm volatile("sfence.vma %0" : : "r"(VIRTUAL_PAGE) : "memory");
    if (fence == 2) asm volatile("sfence.vma x0, %0" : : "r"(1) : "memory");
    if (fence == 3) asm volatile("sinval.vma %0, %1" : : "r"(VIRTUAL_PAGE), "r"(1) : "memory");
    return get64(VIRTUAL_PAGE);
}

static void remapping(void) {
    volatile u64 *words = (volatile u64 *)data;
    words[0] = 11;
    words[512] = 22;
    second[3][6] = leaf((u64)data + 4096, ALL);
    fence_guests();
    for (int fence = 0; fence < 4; fence++) {
        for (int round = 0; round < 20; round++) {
            u64 page = PAGE + (round & 1) * 4096;
            EXPECT(run_in(IN_VS, remap, page, fence), round & 1 ? 22 : 11);
        }
    }
    for (int round = 0; round < 20; round++) {
        *first_page() = leaf(PAGE + (round & 1) * 4096, V | R | W | X | A | D);
        register u64 address asm("a0") = VIRTUAL_PAGE;
        register u64 identifier asm("a1") = 1;
        if (round % 3 == 0) asm volatile(".word 0x22050073" : : "r"(address) : "memory");       // hfence.vvma a0
        if (round % 3 == 1) asm volatile(".word 0x22b00073" : : "r"(identifier) : "memory");    // hfence.vvma x0, a1
        if (round % 3 == 2) fence_guest();
        EXPECT(hlv_d_value(VIRTUAL_PAGE), round & 1 ? 22 : 11);
        EXPECT(guest_load(IN_VS, VIRTUAL_PAGE), 0);
    }
    set(first_page(), leaf(PAGE, V | R | W | X | A | D));
    words[0] = words[512] = 0;
}

// The same in HS-mode: htval, htinst, hstatus, and stval.
static void delegated(void) {
    write_csr(medeleg, 1 << LOAD_GUEST_PAGE | 1 << STORE_GUEST_PAGE);
    write_csr(stvec, supervisor_trap);
    write_csr(sscratch, me());
    write_csr(satp, 0);
    set(second_page(), 0);
    EXPECT(guest_load(IN_VS, VIRTUAL_PAGE + 16), LOAD_GUEST_PAGE);
    EXPECT(me()->level, 1);
    EXPECT(me()->tval, VIRTUAL_PAGE + 16);
    EXPECT(read_number(HTVAL), (PAGE + 16) >> 2);
    EXPECT(read_number(HSTATUS) & (SPV | SPVP | H_GVA), SPVP | H_GVA);
    if (!is_qemu()) EXPECT(read_number(HTINST) & ~0xf80ul, 0x3003);
    // It crosses into the page: the distance is in the instruction.
    if (!is_qemu()) {
        EXPECT(guest_store(IN_VS, VIRTUAL_PAGE - 4), STORE_PAGE);
        *(first_page() - 1) = leaf((u64)data, V | R | W | A | D);
        EXPECT(guest_store(IN_VS, VIRTUAL_PAGE - 4), STORE_GUEST_PAGE);
        EXPECT(me()->tval, VIRTUAL_PAGE);
        EXPECT(read_number(HTVAL), PAGE >> 2);
        EXPECT(read_number(HTINST) & ~0x1f00000ul, 0x3023 | 4 << 15);
        *(first_page() - 1) = 0;
    }
    set(tables_page(levels - 1), 0);
    EXPECT(guest_store(IN_VS, VIRTUAL_PAGE + 16), is_qemu() ? LOAD_GUEST_PAGE : STORE_GUEST_PAGE);
    EXPECT(read_number(HTVAL), (TABLES + 4096ul * (levels - 1) + 8 * 7) >> 2);
    EXPECT(read_number(HTINST), 0x3000);
    set(tables_page(levels - 1), leaf((u64)first[levels - 1], ALL));
    set(second_page(), leaf((u64)data, ALL));
    write_csr(medeleg, 0);
    if (is_qemu()) write_csr(satp, 8ul << 60);
}

int main(void) {
    open_memory();
    write_csr(mtvec, recording_trap);
    write_number(MENVCFG, -1);
    write_number(HENVCFG, -1);
    write_csr(mcounteren, -1);
    write_number(HSTATUS, SPVP);
    // QEMU 7.2 looks at HS-mode's paging to tell page faults of guests from access faults. M-mode has none.
    if (is_qemu()) write_csr(satp, 8ul << 60);
    for (int outer = 3; outer <= 5; outer++) {
        build_second(outer);
        build_first(0);
        second_permissions();
        values();
        widths();
        for (int inner = 3; inner <= 5; inner++) {
            build_first(inner);
            second_permissions();
            first_permissions();
            used_bits();
            build_second(outer);
            build_first(inner);
            tables();
            values();
            widths();
            remapping();
            delegated();
        }
    }
    build_second(3);
    build_first(0);
    identifiers();
    // Without a G-stage the guest's addresses are physical, and its own tables work.
    write_number(HGATP, 0);
    fence_guests();
    EXPECT(hlv_d((u64)data), 0);
    EXPECT(hlv_d(HOLE), LOAD_ACCESS);
    return 0;
}
