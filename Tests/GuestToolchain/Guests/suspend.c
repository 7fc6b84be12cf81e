// Suspension of harts and of the system by SBI (SBI 2.0, chapters 9 and 13), from a kernel on two harts.
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

struct result { long error; u64 value; };
static struct result call(u64 extension, u64 function, u64 a, u64 b, u64 c) {
    register u64 a0 asm("a0") = a;
    register u64 a1 asm("a1") = b;
    register u64 a2 asm("a2") = c;
    register u64 a6 asm("a6") = function;
    register u64 a7 asm("a7") = extension;
    asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (struct result){(long)a0, a1};
}
#define HSM 0x48534d
#define IPI 0x735049
#define TIME 0x54494d45
#define SUSPEND 0x53555350
#define RESET 0x53525354
enum { STARTED, STOPPED, SUSPENDED = 4 };
#define NON_RETENTIVE 0x80000000ul
#define CLOCK ((volatile u32 *)0x101000ul)
#define SOFTWARE (1ul << 1)
#define TIMER (1ul << 5)

static void print(const char *text) {
    for (; *text; text++) *(volatile u8 *)0x10000000ul = *text;
}
static void fail(u32 line, u64 found) {
    print("line ");
    for (u32 digit = 1000; digit; digit /= 10) {
        char text[2] = {'0' + line / digit % 10, 0};
        print(text);
    }
    print(": ");
    for (int shift = 60; shift >= 0; shift -= 4) {
        char text[2] = {"0123456789abcdef"[found >> shift & 15], 0};
        print(text);
    }
    print("\n");
    *(volatile u32 *)0x100000ul = 0x3333 | 1 << 16;
    for (;;) {}
}
#define EXPECT(found, wanted) do { u64 found_ = (u64)(found); if (found_ != (u64)(wanted)) fail(__LINE__, found_); } while (0)
#define LOAD(place) __atomic_load_n(&(place), __ATOMIC_SEQ_CST)
#define STORE(place, value) __atomic_store_n(&(place), value, __ATOMIC_SEQ_CST)
#define read_csr(name) ({ u64 value_; asm volatile("csrr %0, " #name : "=r"(value_)); value_; })
#define write_csr(name, value) asm volatile("csrw " #name ", %0" : : "r"((u64)(value)) : "memory")

extern char secondary_start[];
static u64 stage, entries, first;
static u64 deadline;

static u64 state_of(u64 hart) { return call(HSM, 2, hart, 0, 0).value; }
static void wait_for(u64 *place, u64 value) { while (LOAD(*place) != value) asm volatile("pause"); }
static void wait_for_state(u64 hart, u64 state) { while (state_of(hart) != state) asm volatile("pause"); }

// The second hart comes here when it is started, and after each non-retentive suspension.
void secondary_main(u64 hart, u64 opaque) {
    switch (entries++) {
    case 0: {
        EXPECT(opaque, 11);
        // Retentive: registers stay, and the call returns when an enabled interrupt is pending.
        write_csr(sie, SOFTWARE);
        register u64 kept asm("s7") = 0x1234567;
        asm volatile("" : "+r"(kept));
        EXPECT(call(HSM, 3, 0, 0, 0).error, 0);
        asm volatile("" : "+r"(kept));
        EXPECT(kept, 0x1234567);
        EXPECT(read_csr(sip) & SOFTWARE, SOFTWARE);
        asm volatile("csrc sip, %0" : : "r"(SOFTWARE));
        STORE(stage, 1);
        wait_for(&stage, 2);
        // Non-retentive, with translation and interrupts on and a timer armed: it is the timer that ends it.
        static u64 table[512] __attribute__((aligned(4096)));
        table[0] = 0xc7;
        table[2] = 0x80000000ul >> 12 << 10 | 0xcf;
        write_csr(satp, 8ul << 60 | (u64)table >> 12);
        asm volatile("sfence.vma");
        deadline = read_csr(time) + 200000;
        EXPECT(call(TIME, 0, deadline, 0, 0).error, 0);
        write_csr(sie, TIMER);
        call(HSM, 3, NON_RETENTIVE, (u64)secondary_start, 22);
        fail(__LINE__, 0);
        break;
    }
    case 1:
        EXPECT(opaque, 22);
        EXPECT(read_csr(satp), 0);
        EXPECT(read_csr(sstatus) & 2, 0);
        EXPECT(read_csr(time) >= deadline, 1);
        EXPECT(read_csr(sip) & TIMER, TIMER);
        STORE(stage, 3);
        // The next ends with an interrupt from the other hart.
        call(TIME, 0, -1ul, 0, 0);
        write_csr(sie, SOFTWARE);
        call(HSM, 3, NON_RETENTIVE, (u64)secondary_start, 33);
        fail(__LINE__, 0);
        break;
    case 2:
        EXPECT(opaque, 33);
        EXPECT(read_csr(sip) & SOFTWARE, SOFTWARE);
        STORE(stage, 4);
        call(HSM, 1, 0, 0, 0);
        fail(__LINE__, 0);
        break;
    case 3:
        // The first hart, after the suspension of the system. The next one ends with the clock's alarm, though no interrupt
        // is enabled: 100 ms from now, with the time's upper half kept by the read of the lower one.
        EXPECT(hart, first);
        EXPECT(opaque, 44);
        EXPECT(read_csr(sip) & TIMER, TIMER);
        write_csr(sie, 0);
        u64 now = CLOCK[0];
        now |= (u64)CLOCK[1] << 32;
        now += 100000000;
        CLOCK[3] = (u32)(now >> 32);
        CLOCK[2] = (u32)now;
        CLOCK[4] = 1;
        call(SUSPEND, 0, 0, (u64)secondary_start, 55);
        fail(__LINE__, 0);
        break;
    default:
        EXPECT(opaque, 55);
        // The alarm has fired.
        EXPECT(CLOCK[6], 0);
        CLOCK[7] = 1;
        print("all suspensions ended\n");
        call(RESET, 0, 0, 0, 0);
        fail(__LINE__, 0);
    }
}

void first_main(u64 self) {
    u64 other = 1 - self;
    first = self;
    EXPECT(call(HSM, 0, other, (u64)secondary_start, 11).error, 0);
    wait_for_state(other, SUSPENDED);
    EXPECT(call(HSM, 0, other, (u64)secondary_start, 11).error, -6);
    EXPECT(call(IPI, 0, 1, other, 0).error, 0);
    wait_for(&stage, 1);
    EXPECT(state_of(other), STARTED);
    // The system can only be suspended when all others are stopped.
    EXPECT(call(SUSPEND, 0, 0, (u64)secondary_start, 0).error, -4);
    STORE(stage, 2);
    wait_for_state(other, SUSPENDED);
    wait_for(&stage, 3);
    wait_for_state(other, SUSPENDED);
    EXPECT(call(IPI, 0, 1, other, 0).error, 0);
    wait_for(&stage, 4);
    wait_for_state(other, STOPPED);
    EXPECT(call(TIME, 0, read_csr(time) + 100000, 0, 0).error, 0);
    write_csr(sie, TIMER);
    call(SUSPEND, 0, 0, (u64)secondary_start, 44);
    fail(__LINE__, 0);
}
