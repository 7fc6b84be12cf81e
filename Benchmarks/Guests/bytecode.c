// An interpreter of a small stack machine, dispatched by a switch: indirect jumps that depend on data.
#include "kernel.h"

enum op {
    HALT, PUSH, LOAD, STORE, ADD, SUB, MUL, MOD, SHIFT, XOR, LESS, EQUAL, JUMP, BRANCH, DUP, DROP, SWAP, GET, PUT, CALL,
    RETURN, OPS
};

static i64 variables[16], stack[256], cells[4096];
static u64 calls[64];

static __attribute__((noinline)) u64 run(const i32 *code, u64 pc) {
    u64 steps = 0, depth = 0;
    i64 *top = stack, other;
    for (;;) {
        steps++;
        switch ((enum op)code[pc++]) {
        case HALT: return steps;
        case PUSH: *++top = code[pc++]; break;
        case LOAD: *++top = variables[code[pc++]]; break;
        case STORE: variables[code[pc++]] = *top--; break;
        case ADD: other = *top--; *top += other; break;
        case SUB: other = *top--; *top -= other; break;
        case MUL: other = *top--; *top = (i64)((u64)*top * (u64)other); break;
        case MOD: other = *top--; *top %= other; break;
        case SHIFT: *top = (i64)((u64)*top >> code[pc++]); break;
        case XOR: other = *top--; *top ^= other; break;
        case LESS: other = *top--; *top = *top < other; break;
        case EQUAL: other = *top--; *top = *top == other; break;
        case JUMP: pc = (u64)code[pc]; break;
        case BRANCH: pc = *top-- ? (u64)code[pc] : pc + 1; break;
        case DUP: top[1] = *top; top++; break;
        case DROP: top--; break;
        case SWAP: other = *top; *top = top[-1]; top[-1] = other; break;
        case GET: *top = cells[*top & 4095]; break;
        case PUT: other = *top--; cells[other & 4095] = *top--; break;
        case CALL: calls[depth++] = pc + 1; pc = (u64)code[pc]; break;
        case RETURN: pc = calls[--depth]; break;
        default: return 0;
        }
    }
}

// The program is assembled at run time; jumps forward are filled in when their target is reached.
static i32 code[512];
static int place;

static void emit(enum op op) { code[place++] = (i32)op; }
static void emit_with(enum op op, i32 operand) {
    code[place++] = (i32)op;
    code[place++] = operand;
}
static int forward(enum op op) {
    emit_with(op, 0);
    return place - 1;
}
static void here(int hole) { code[hole] = place; }

enum { N, X, LENGTH, TOTAL, A, B, LIMIT };

// A function of X: the number of steps until it is 1, in LENGTH. The cells cache known lengths.
static int assemble_collatz(void) {
    int start = place;
    emit_with(PUSH, 0), emit_with(STORE, LENGTH);
    int loop = place;
    emit_with(LOAD, X), emit_with(PUSH, 1), emit(EQUAL);
    int done = forward(BRANCH);
    emit_with(LOAD, X), emit_with(LOAD, N), emit(LESS);
    int known = forward(BRANCH);
    emit_with(LOAD, LENGTH), emit_with(PUSH, 1), emit(ADD), emit_with(STORE, LENGTH);
    emit_with(LOAD, X), emit_with(PUSH, 2), emit(MOD);
    int odd = forward(BRANCH);
    emit_with(LOAD, X), emit_with(SHIFT, 1), emit_with(STORE, X), emit_with(JUMP, loop);
    here(odd);
    emit_with(LOAD, X), emit(DUP), emit(DUP), emit(ADD), emit(ADD), emit_with(PUSH, 1), emit(ADD);
    emit_with(STORE, X), emit_with(JUMP, loop);
    here(known);
    emit_with(LOAD, X), emit(GET), emit_with(LOAD, LENGTH), emit(ADD), emit_with(STORE, LENGTH);
    here(done);
    emit_with(LOAD, LENGTH), emit_with(LOAD, N), emit(PUT), emit(RETURN);
    return start;
}

// A function of A and B: the greatest common divisor, on the stack.
static int assemble_divisor(void) {
    int start = place;
    int loop = place;
    emit_with(LOAD, B), emit_with(PUSH, 0), emit(EQUAL);
    int done = forward(BRANCH);
    emit_with(LOAD, B), emit_with(LOAD, A), emit_with(LOAD, B), emit(MOD), emit_with(STORE, B);
    emit_with(STORE, A), emit_with(JUMP, loop);
    here(done);
    emit_with(LOAD, A), emit(RETURN);
    return start;
}

static int assemble(void) {
    int collatz = assemble_collatz(), divisor = assemble_divisor();
    int start = place;
    emit_with(PUSH, 2), emit_with(STORE, N);
    int loop = place;
    emit_with(LOAD, N), emit_with(STORE, X), emit_with(CALL, collatz);
    emit_with(LOAD, N), emit_with(STORE, A), emit_with(LOAD, LENGTH), emit_with(PUSH, 1), emit(ADD);
    emit_with(STORE, B), emit_with(CALL, divisor);
    emit_with(LOAD, LENGTH), emit(SWAP), emit(MUL), emit_with(LOAD, TOTAL), emit(XOR), emit(DUP), emit_with(SHIFT, 7);
    emit(ADD), emit_with(STORE, TOTAL);
    emit_with(LOAD, N), emit_with(PUSH, 1), emit(ADD), emit_with(STORE, N);
    emit_with(LOAD, N), emit_with(LOAD, LIMIT), emit(LESS), emit_with(BRANCH, loop);
    emit_with(PUSH, 0), emit(DROP), emit_with(LOAD, A), emit_with(LOAD, B), emit(SUB), emit_with(STORE, A), emit(HALT);
    return start;
}

u64 benchmark(void) {
    u64 sum = 0;
    int start = assemble();
    for (int round = 0; round < 130; round++) {
        variables[LIMIT] = 4096 - round;
        variables[TOTAL] = round * (i64)seed;
        u64 steps = run(code, (u64)start);
        sum = mix(sum, steps + (u64)variables[TOTAL]);
    }
    return sum;
}
