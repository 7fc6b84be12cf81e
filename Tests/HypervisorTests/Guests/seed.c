#include "guest.h"

void second(void) { }

static u32 word(const u8 *p) { return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3]; }

static int is_seed(const u8 *name) {
    const char *wanted = "rng-seed";
    while (*wanted && *name == (u8)*wanted) wanted++, name++;
    return *wanted == 0 && *name == 0;
}

// Says the bytes of the tree's rng-seed.
void main(u64 hart, u64 tree) {
    (void)hart;
    const u8 *base = (const u8 *)tree, *strings = base + word(base + 12), *p = base + word(base + 8);
    for (u32 token = word(p); token != 9; token = word(p)) {
        p += 4;
        if (token == 1) {
            while (*p) p++;
            p = (const u8 *)(((u64)p + 4) & ~3ul);
        } else if (token == 3) {
            u32 length = word(p);
            if (is_seed(strings + word(p + 4))) {
                say("seed ");
                for (u32 i = 0; i < length; i++) {
                    put("0123456789abcdef"[p[8 + i] >> 4]);
                    put("0123456789abcdef"[p[8 + i] & 15]);
                }
                say("\n");
            }
            p += (8 + length + 3) & ~3u;
        }
    }
    say("end of the tree\n");
    off();
}
