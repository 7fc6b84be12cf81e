// Work of small controllers: lists, small matrices, a state machine over text, and checksums of the results.
#include "kernel.h"

#define NODES 512
#define SIZE 24
#define TEXT 2048

struct node {
    struct node *next;
    u16 key, value;
};

static struct node pool[NODES];
static i32 left[SIZE][SIZE], right[SIZE][SIZE], product[SIZE][SIZE];
static char text[TEXT];

static u16 crc16(u16 sum, u32 data, int bits) {
    for (int i = 0; i < bits; i++, data >>= 1)
        sum = ((sum ^ data) & 1) ? sum >> 1 ^ 0xa001 : sum >> 1;
    return sum;
}

static struct node *reverse(struct node *list) {
    struct node *done = 0;
    while (list) {
        struct node *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static struct node *find(struct node *list, u16 value) {
    while (list && (list->value & 0xff) != value) list = list->next;
    return list;
}

// A merge sort from the bottom up, by key or by value.
static struct node *sort(struct node *list, int by_key) {
    for (int run = 1;; run *= 2) {
        struct node *rest = list, *sorted = 0, **tail = &sorted;
        int merges = 0;
        while (rest) {
            merges++;
            struct node *one = rest, *two = rest;
            int ones = 0, twos = run;
            while (ones < run && two) ones++, two = two->next;
            while (ones > 0 || (twos > 0 && two)) {
                int first;
                if (ones == 0) first = 0;
                else if (twos == 0 || !two) first = 1;
                else first = by_key ? one->key <= two->key : one->value <= two->value;
                if (first) {
                    *tail = one;
                    one = one->next;
                    ones--;
                } else {
                    *tail = two;
                    two = two->next;
                    twos--;
                }
                tail = &(*tail)->next;
            }
            rest = two;
        }
        *tail = 0;
        list = sorted;
        if (merges <= 1) return list;
    }
}

static u16 lists(struct node **list, u16 sum, u32 round) {
    u32 found = 0, missed = 0;
    for (u32 i = 0; i < 24; i++) {
        struct node *node = find(*list, (round * 7 + i * 11) & 0xff);
        *list = reverse(*list);
        if (node) {
            found += node->key;
            // Moves the found element behind the first.
            if (node->next) {
                struct node *moved = node->next;
                node->next = moved->next;
                moved->next = (*list)->next;
                (*list)->next = moved;
            }
        } else {
            missed++;
        }
    }
    *list = sort(*list, round & 1);
    for (struct node *node = *list; node; node = node->next) {
        sum = crc16(sum, node->value, 16);
        node->value = (node->value * 5 + round) & 0x7fff;
    }
    return crc16(sum, found + missed, 32);
}

static u16 matrices(u16 sum, i32 constant) {
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) left[i][j] = (i32)(short)(left[i][j] + constant);
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            i32 total = 0;
            for (int k = 0; k < SIZE; k++) total += left[i][k] * right[k][j];
            product[i][j] = total;
        }
    i32 trace = 0, last = 0;
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            i32 bits = (product[i][j] >> 3 & 31) * (product[i][j] >> 7 & 63);
            trace += product[i][j] > last ? 10 : bits;
            last = product[i][j];
        }
    return crc16(sum, (u32)trace, 32);
}

enum state { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, POWER, INVALID, STATES };

// Numbers between commas: the state in which each ends, counted.
static u16 scan(u16 sum) {
    u32 ends[STATES] = { 0 }, transitions = 0;
    enum state state = START;
    for (int i = 0; i < TEXT; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9';
        enum state old = state;
        if (c == ',') {
            ends[state]++;
            state = START;
            continue;
        }
        switch (state) {
        case START: state = digit ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? POINT : INVALID; break;
        case SIGN: state = digit ? INTEGER : c == '.' ? POINT : INVALID; break;
        case INTEGER: state = digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID; break;
        case POINT: state = digit ? FRACTION : INVALID; break;
        case FRACTION: state = digit ? FRACTION : c == 'e' ? EXPONENT : INVALID; break;
        case EXPONENT: state = digit ? POWER : c == '+' || c == '-' ? EXPONENT_SIGN : INVALID; break;
        case EXPONENT_SIGN: state = digit ? POWER : INVALID; break;
        case POWER: state = digit ? POWER : INVALID; break;
        default: break;
        }
        transitions += state != old;
    }
    for (int i = 0; i < STATES; i++) sum = crc16(sum, ends[i], 16);
    return crc16(sum, transitions, 16);
}

u64 benchmark(void) {
    static const char *const words[] = { "5012", "-874", "+12.5", ".7e3", "1e-9", "x17", "3.1.4", "120e+15" };
    u64 random = 88172645463325252ul * seed;
    for (int i = 0; i < NODES; i++) {
        pool[i].next = i + 1 < NODES ? &pool[i + 1] : 0;
        pool[i].key = next_random(&random) & 0x7fff;
        pool[i].value = next_random(&random) & 0x7fff;
    }
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            left[i][j] = next_random(&random) & 0xff;
            right[i][j] = next_random(&random) & 0xff;
        }
    for (int i = 0; i < TEXT;) {
        for (const char *c = words[next_random(&random) & 7]; *c && i < TEXT; c++) text[i++] = *c;
        if (i < TEXT) text[i++] = ',';
    }
    struct node *list = pool;
    u16 sum = 0;
    u64 all = 0;
    for (u32 round = 0; round < 4000; round++) {
        sum = lists(&list, sum, round);
        sum = matrices(sum, (i32)round);
        sum = scan(sum);
        text[round % TEXT] ^= (round & 64) ? 1 : 0;
        all = mix(all, sum);
    }
    return all;
}
