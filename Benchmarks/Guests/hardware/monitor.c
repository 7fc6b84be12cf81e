// A minimal monitor: runs a flat program at 1 MiB in protected mode, directly on /dev/kvm, with the same in-kernel irqchip as
// Aerie. Ports and registers are bytes of this process. It ends when the guest writes to port 0x601.
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY (64ul << 20)
#define PROGRAM 0x100000ul

static unsigned char ports[65536], registers[4096];

static int check(int result, const char *call) {
    if (result == -1) {
        perror(call);
        exit(1);
    }
    return result;
}

// A flat segment: code (0xB) or data (0x3) of ring 0.
static struct kvm_segment segment(int selector, int type) {
    struct kvm_segment segment = {.limit = 0xFFFFFFFF, .selector = selector, .type = type, .present = 1, .db = 1,
                                  .s = 1, .g = 1};
    return segment;
}

int main(int count, char **arguments) {
    if (count != 2) return 64;
    int device = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
    int machine = check(ioctl(device, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    check(ioctl(machine, KVM_SET_TSS_ADDR, 0xFEFFD000), "KVM_SET_TSS_ADDR");
    check(ioctl(machine, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");

    char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int program = check(open(arguments[1], O_RDONLY), arguments[1]);
    check(read(program, memory + PROGRAM, MEMORY - PROGRAM) > 0 ? 0 : -1, "read");
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY, .userspace_addr = (unsigned long)memory};
    check(ioctl(machine, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");

    int processor = check(ioctl(machine, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
    struct kvm_cpuid2 *features = calloc(1, sizeof *features + 256 * sizeof features->entries[0]);
    features->nent = 256;
    check(ioctl(device, KVM_GET_SUPPORTED_CPUID, features), "KVM_GET_SUPPORTED_CPUID");
    check(ioctl(processor, KVM_SET_CPUID2, features), "KVM_SET_CPUID2");
    int size = check(ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
    struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, processor, 0);

    struct kvm_sregs special;
    check(ioctl(processor, KVM_GET_SREGS, &special), "KVM_GET_SREGS");
    special.cr0 |= 1;
    special.cs = segment(8, 0xB);
    special.ds = special.es = special.ss = special.fs = special.gs = segment(16, 0x3);
    check(ioctl(processor, KVM_SET_SREGS, &special), "KVM_SET_SREGS");
    struct kvm_regs general = {.rip = PROGRAM, .rflags = 2};
    check(ioctl(processor, KVM_SET_REGS, &general), "KVM_SET_REGS");

    for (;;) {
        check(ioctl(processor, KVM_RUN, 0), "KVM_RUN");
        switch (run->exit_reason) {
        case KVM_EXIT_IO: {
            unsigned char *data = (unsigned char *)run + run->io.data_offset;
            if (run->io.direction == KVM_EXIT_IO_IN) {
                *data = ports[run->io.port];
            } else {
                if (run->io.port == 0x601) return 0;
                ports[run->io.port] = *data;
            }
            break;
        }
        case KVM_EXIT_MMIO:
            if (run->mmio.is_write) memcpy(registers + run->mmio.phys_addr % 4088, run->mmio.data, run->mmio.len);
            else memcpy(run->mmio.data, registers + run->mmio.phys_addr % 4088, run->mmio.len);
            break;
        default: fprintf(stderr, "exit %u\n", run->exit_reason); return 1;
        }
    }
}
