// A load on a virtio disk for saving and restoring in the middle: random sectors are written, zeroed and read back, several
// requests at a time, and compared with a model in memory, until the host tells the guest to end. All of the disk is compared
// after the first rounds, with a sum of it printed, and at the end.
#include "guest.h"

#ifndef ROUNDS
#define ROUNDS 2000
#endif
#define SECTORS 2048u
#define SLOT 0x10001000ul
#define QUEUE 16
#define BATCH 4
#define LONGEST 16 // sectors in a request

enum { READ = 0, WRITE = 1, ZEROES = 13 };
struct descriptor { u64 address; u32 length; u16 flags, next; };
static struct descriptor descriptors[QUEUE] __attribute__((aligned(16)));
static struct { u16 flags, index, ring[QUEUE], event; } available __attribute__((aligned(2)));
static volatile struct { u16 flags, index; struct { u32 id, length; } ring[QUEUE]; u16 event; } used __attribute__((aligned(4)));
static struct { u32 type, reserved; u64 sector; } headers[BATCH];
static struct { u64 sector; u32 count, flags; } ranges[BATCH];
static u8 data[BATCH][LONGEST * 512], model[SECTORS * 512];
static volatile u8 results[BATCH];

static u64 random_state = 88172645463325252ul;
static u32 random_below(u32 limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (u32)(random_state >> 33) % limit;
}

static u32 device(u32 offset) { return get32(SLOT + offset); }
static void tell(u32 offset, u32 value) { put32(SLOT + offset, value); }
static void tell_address(u32 offset, volatile void *pointer) {
    tell(offset, (u32)(u64)pointer);
    tell(offset + 4, (u32)((u64)pointer >> 32));
}

static void start(void) {
    EXPECT(device(0), 0x74726976);
    EXPECT(device(4), 2);
    EXPECT(device(8), 2);
    EXPECT(device(0x100), SECTORS);
    tell(0x70, 0);
    tell(0x70, 3);
    tell(0x24, 0);
    tell(0x20, 1 << 14); // write zeroes
    tell(0x24, 1);
    tell(0x20, 1); // version 1
    tell(0x70, 11);
    EXPECT(device(0x70), 11);
    tell(0x30, 0);
    tell(0x38, QUEUE);
    tell_address(0x80, descriptors);
    tell_address(0x90, &available);
    tell_address(0xa0, &used);
    tell(0x44, 1);
    tell(0x70, 15);
}

// Places request `index` of a batch; its data are in data[index], or its range in ranges[index].
static void place(u32 index, u32 type, u64 sector, u32 count) {
    headers[index].type = type;
    headers[index].sector = type == ZEROES ? 0 : sector;
    ranges[index].sector = sector;
    ranges[index].count = count;
    ranges[index].flags = 1; // may unmap
    results[index] = 0xff;
    struct descriptor *chain = descriptors + 3 * index;
    chain[0] = (struct descriptor){(u64)&headers[index], 16, 1, (u16)(3 * index + 1)};
    chain[1] = (struct descriptor){
        type == ZEROES ? (u64)&ranges[index] : (u64)data[index], type == ZEROES ? 16 : count * 512,
        type == READ ? 3 : 1, (u16)(3 * index + 2)};
    chain[2] = (struct descriptor){(u64)&results[index], 1, 2, 0};
    available.ring[(available.index + index) % QUEUE] = (u16)(3 * index);
}

static void submit(u32 count) {
    u16 end = (u16)(available.index + count);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *(volatile u16 *)&available.index = end;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    tell(0x50, 0);
    while (used.index != end) {}
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    tell(0x64, device(0x60));
    for (u32 index = 0; index < count; index++) EXPECT(results[index], 0);
}

static void compare(u32 index, u64 sector, u32 count) {
    for (u32 byte = 0; byte < count * 512; byte += 8) {
        EXPECT(*(u64 *)(data[index] + byte), *(u64 *)(model + sector * 512 + byte));
    }
}

static void round_of_requests(void) {
    u32 types[BATCH], counts[BATCH];
    u64 sectors[BATCH];
    for (u32 index = 0; index < BATCH; index++) {
        // Each in a quarter of the disk of its own: the order of requests at one place is nobody's promise.
        u32 kind = random_below(8), count = random_below(LONGEST) + 1;
        u64 sector = (u64)index * (SECTORS / BATCH) + random_below(SECTORS / BATCH - count);
        types[index] = kind < 4 ? WRITE : kind < 5 ? ZEROES : READ;
        sectors[index] = sector;
        counts[index] = count;
        for (u32 byte = 0; types[index] == WRITE && byte < count * 512; byte += 8) {
            *(u64 *)(data[index] + byte) = random_state * (byte + 1);
            *(u64 *)(model + sector * 512 + byte) = random_state * (byte + 1);
        }
        for (u32 byte = 0; types[index] == ZEROES && byte < count * 512; byte += 8) {
            *(u64 *)(model + sector * 512 + byte) = 0;
        }
        place(index, types[index], sector, count);
    }
    submit(BATCH);
    for (u32 index = 0; index < BATCH; index++) {
        if (types[index] == READ) compare(index, sectors[index], counts[index]);
    }
}

static u64 compare_all(void) {
    u64 sum = 0;
    for (u64 sector = 0; sector < SECTORS; sector += LONGEST) {
        place(0, READ, sector, LONGEST);
        submit(1);
        compare(0, sector, LONGEST);
        for (u32 byte = 0; byte < LONGEST * 512; byte += 8) sum = sum * 31 + *(u64 *)(data[0] + byte);
    }
    return sum;
}

int main(void) {
    start();
    for (u64 sector = 0; sector < SECTORS; sector += LONGEST) {
        place(0, READ, sector, LONGEST);
        submit(1);
        for (u32 byte = 0; byte < LONGEST * 512; byte++) model[sector * 512 + byte] = data[0][byte];
    }
    for (int round = 0; round < ROUNDS; round++) {
        round_of_requests();
        if (round % (ROUNDS / 8) == 0) print(".");
    }
    print(" ");
    print_hex(compare_all());
    print("\n");
    while (!is_told_to_end()) round_of_requests();
    compare_all();
    pass();
}
