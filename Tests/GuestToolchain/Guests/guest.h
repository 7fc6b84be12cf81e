// What the bare-metal programs share: checks, CSRs, traps. See runtime.S.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

// One hart's data; the assembler knows the offsets.
struct hart {
    u64 machine_sp;
    u64 registers[32];
    u64 traps, cause, epc, tval, status, id, level;
    u64 saved[14];
    u64 room[74];
};
_Static_assert(sizeof(struct hart) == 1024, "runtime.S knows the size");
extern struct hart harts[8];
static inline struct hart *me(void) {
    struct hart *hart;
    asm volatile("mv %0, tp" : "=r"(hart));
    return hart;
}

// Privileges as values of mstatus.MPP.
enum { USER = 0, SUPERVISOR = 1 << 11, MACHINE = 3 << 11 };
long run_at(long status, long (*function)(long, long), long a, long b);
extern char supervisor_trap[], machine_trap[], leave[];

// Exception causes.
enum {
    FETCH_MISALIGNED, FETCH_ACCESS, ILLEGAL, BREAKPOINT, LOAD_MISALIGNED, LOAD_ACCESS, STORE_MISALIGNED, STORE_ACCESS,
    CALL_USER, CALL_SUPERVISOR, CALL_GUEST, CALL_MACHINE, FETCH_PAGE, LOAD_PAGE, STORE_PAGE = 15,
    FETCH_GUEST_PAGE = 20, LOAD_GUEST_PAGE, VIRTUAL, STORE_GUEST_PAGE,
    NONE = 99
};

// mstatus.
#define SIE (1ul << 1)
#define MIE (1ul << 3)
#define SPIE (1ul << 5)
#define MPIE (1ul << 7)
#define SPP (1ul << 8)
#define MPP (3ul << 11)
#define FS (3ul << 13)
#define MPRV (1ul << 17)
#define SUM (1ul << 18)
#define MXR (1ul << 19)
#define TVM (1ul << 20)
#define TW (1ul << 21)
#define TSR (1ul << 22)

#define read_csr(name) ({ u64 value_; asm volatile("csrr %0, " #name : "=r"(value_)); value_; })
#define write_csr(name, value) asm volatile("csrw " #name ", %0" : : "r"((u64)(value)) : "memory")
#define set_csr(name, value) asm volatile("csrs " #name ", %0" : : "r"((u64)(value)) : "memory")
#define clear_csr(name, value) asm volatile("csrc " #name ", %0" : : "r"((u64)(value)) : "memory")

// Runs assembly that may trap; `caught` is the cause afterwards, NONE without a trap.
#define TRY(text, ...) do { me()->cause = NONE; asm volatile(text __VA_ARGS__); } while (0)
static inline u64 caught(void) { return me()->cause; }

// Reads or writes a CSR by number, which must be a constant; the cause is in caught().
#define try_read(number) ({ u64 value_ = 0; me()->cause = NONE; \
    asm volatile("csrrs %0, %1, x0" : "+r"(value_) : "i"(number) : "memory"); value_; })
#define try_write(number, value) ({ me()->cause = NONE; \
    asm volatile("csrrw x0, %0, %1" : : "i"(number), "r"((u64)(value)) : "memory"); caught(); })

// Accesses that may trap. A failed load gives 0xbad.
#define ACCESS(name, type, instruction) \
    static inline u64 load_##name(u64 address) { u64 value = 0xbad; me()->cause = NONE; \
        asm volatile(".option push\n.option norvc\n" instruction " %0, 0(%1)\n.option pop" \
            : "+r"(value) : "r"(address) : "memory"); return value; }
ACCESS(8, u8, "lbu") ACCESS(16, u16, "lhu") ACCESS(32, u32, "lwu") ACCESS(64, u64, "ld")
#undef ACCESS
#define ACCESS(name, instruction) \
    static inline u64 store_##name(u64 address, u64 value) { me()->cause = NONE; \
        asm volatile(".option push\n.option norvc\n" instruction " %1, 0(%0)\n.option pop" \
            : : "r"(address), "r"(value) : "memory"); return caught(); }
ACCESS(8, "sb") ACCESS(16, "sh") ACCESS(32, "sw") ACCESS(64, "sd")
#undef ACCESS
// Calls code at an address; a failed fetch returns at once.
static inline u64 jump_to(u64 address) {
    me()->cause = NONE;
    register u64 target asm("t3") = address;
    asm volatile("jalr ra, 0(t3)" : : "r"(target) : "ra", "memory", "a0", "t0", "t1", "t2", "t4", "t5", "t6");
    return caught();
}

static inline void fence_all(void) { asm volatile("sfence.vma" : : : "memory"); }
static inline void fence_code(void) { asm volatile("fence.i" : : : "memory"); }

// Console and end.
void print(const char *text);
void print_hex(u64 value);
void pass(void) __attribute__((noreturn));
void fail(int number, const char *file, int line, u64 found, u64 expected) __attribute__((noreturn));

// Checks are numbered in the order of the source; the number is the exit code of the first that fails.
#define EXPECT(found, expected) do { \
    u64 found_ = (u64)(found), expected_ = (u64)(expected); \
    if (found_ != expected_) fail(__COUNTER__ + 1, __FILE__, __LINE__, found_, expected_); } while (0)
#define EXPECT_TRAP(expected_cause, expected_epc, expected_tval) do { \
    EXPECT(me()->cause, expected_cause); EXPECT(me()->epc, expected_epc); EXPECT(me()->tval, expected_tval); } while (0)

// Said of a check that this machine cannot answer.
#define SKIP(text) print("skipped: " text "\n")

// QEMU names its version in marchid, where we have 0. Asked only where it breaks a rule that cannot be probed otherwise.
static inline int is_qemu(void) { return read_csr(marchid) != 0; }

// Physical places.
#define UART 0x10000000ul
#define FINISHER 0x100000ul
#define CLINT 0x2000000ul
#define PLIC 0xc000000ul
#define MTIME (CLINT + 0xbff8)
#define MTIMECMP(hart) (CLINT + 0x4000 + 8 * (hart))
#define MSIP(hart) (CLINT + 4 * (hart))
// Nothing answers there.
#define HOLE 0x100000000ul

static inline u8 get8(u64 address) { return *(volatile u8 *)address; }
static inline u64 get64(u64 address) { return *(volatile u64 *)address; }
static inline void put64(u64 address, u64 value) { *(volatile u64 *)address = value; }
static inline u32 get32(u64 address) { return *(volatile u32 *)address; }
static inline void put32(u64 address, u32 value) { *(volatile u32 *)address = value; }

// Whether the host has told the guest to end: a byte on the serial port. A load goes on until then, so that no test has to
// be faster than it.
static inline int is_told_to_end(void) {
    if (!(get8(UART + 5) & 1) && !(get8(UART + 5) & 1)) return 0;
    (void)get8(UART);
    return 1;
}

// All memory open to S- and U-mode, through the last PMP entry.
static inline void open_memory(void) {
    write_csr(pmpaddr15, -1);
    set_csr(pmpcfg2, 0x1ful << 56);
}

void secondary_main(void);
