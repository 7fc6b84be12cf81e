// Where the kernel starts the agent, and the call into the kernel: two small pieces that are the same in no two
// instruction sets.

#if defined(__x86_64__)

    .text
    .globl _start
    .type _start, @function
_start:
    xorl %ebp, %ebp
    movq %rsp, %rdi
    andq $-16, %rsp
    call aerie_agent_start
    ud2

    // long aerie_call(long number, long a, long b, long c, long d, long e, long f)
    .globl aerie_call
    .type aerie_call, @function
aerie_call:
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    movq %r8, %r10
    movq %r9, %r8
    movq 8(%rsp), %r9
    syscall
    ret

#elif defined(__riscv)

    .text
    .globl _start
    .type _start, @function
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    mv a0, sp
    andi sp, sp, -16
    li s0, 0
    call aerie_agent_start
    unimp

    .globl aerie_call
    .type aerie_call, @function
aerie_call:
    mv a7, a0
    mv a0, a1
    mv a1, a2
    mv a2, a3
    mv a3, a4
    mv a4, a5
    mv a5, a6
    ecall
    ret

#endif

    .section .note.GNU-stack, "", @progbits
