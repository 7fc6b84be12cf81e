// Tells what the machine handed over at its start: PVH's start info, and that ACPI's root is where it says.
#include "guest.h"

struct start_info {
    u32 magic, version, flags, modules;
    u64 module_list, command_line, rsdp, memory_map;
    u32 memory_entries, reserved;
};

struct memory_entry { u64 base, size; u32 kind, reserved; };

void on_interrupt(void) {}

void guest_main(struct start_info *info) {
    print("magic ");
    print_hex(info->magic);
    print(" version ");
    print_hex(info->version);
    print("\ncommand line: ");
    print((const char *)info->command_line);
    print("\nmodules ");
    print_hex(info->modules);
    if (info->modules) {
        u64 *module = (u64 *)info->module_list;
        print(": ");
        for (u64 i = 0; i < module[1]; i++) {
            char text[2] = {((char *)module[0])[i], 0};
            print(text);
        }
    }
    const struct memory_entry *map = (void *)info->memory_map;
    for (u32 i = 0; i < info->memory_entries; i++) {
        print("\nmap ");
        print_hex(map[i].base);
        print(" ");
        print_hex(map[i].size);
        print(" ");
        print_hex(map[i].kind);
    }
    char signature[9] = {0};
    for (int i = 0; i < 8; i++) signature[i] = ((char *)info->rsdp)[i];
    print("\nroot ");
    print(signature);
    print("\n");
}
