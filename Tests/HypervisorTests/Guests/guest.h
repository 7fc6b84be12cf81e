// What the test guests share: a console and power by SBI, on one page.
#ifndef GUEST_H
#define GUEST_H

typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;
struct result { long error; u64 value; };

static inline struct result sbi(u64 extension, u64 function, u64 x, u64 y, u64 z, u64 u) {
    register u64 a0 __asm__("a0") = x;
    register u64 a1 __asm__("a1") = y;
    register u64 a2 __asm__("a2") = z;
    register u64 a3 __asm__("a3") = u;
    register u64 a6 __asm__("a6") = function;
    register u64 a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
    return (struct result){(long)a0, a1};
}

#define TIME 0x54494d45
#define IPI 0x735049
#define RFENCE 0x52464e43
#define HSM 0x48534d
#define SRST 0x53525354
#define DBCN 0x4442434e

static inline void put(char c) { sbi(DBCN, 2, (u8)c, 0, 0, 0); }
static inline void say(const char *text) { while (*text) put(*text++); }
static inline void number(u64 value) {
    if (value >= 10) number(value / 10);
    put((char)('0' + value % 10));
}
// A line in one call, so that no other guest's output comes between: the console shows the prompt of a guest that waits.
static inline void say_number(const char *text, u64 value) {
    char line[40], digits[20];
    int count = 0, length = 0;
    while (*text && length < 19) line[length++] = *text++;
    do { digits[count++] = (char)('0' + value % 10); value /= 10; } while (value);
    while (count) line[length++] = digits[--count];
    line[length++] = '\n';
    sbi(DBCN, 0, (u64)length, (u64)line, 0, 0);
}
static inline void off(void) { sbi(SRST, 0, 0, 0, 0, 0); for (;;) { } }
static inline u64 now(void) { u64 t; __asm__ volatile("rdtime %0" : "=r"(t)); return t; }
static inline u64 instructions(void) { u64 n; __asm__ volatile("rdinstret %0" : "=r"(n) : : "memory"); return n; }

// start.S
void start_second(void);
extern volatile u64 traps, last_cause, last_value;
extern u64 device_tree;

#endif
