import Glibc
import Testing

@testable import Jail

/// Each program runs in an interpreter of this test, for every number that a system call may have.
@Suite("Filters of system calls") struct FilterProgramTests {
    private let allow = FilterVerdict.allow.value
    private let trap = FilterVerdict.trap.value
    private let kill = FilterVerdict.kill.value

    private func machine(_ rules: [FilterRule]) -> FilterMachine {
        FilterMachine(program: FilterProgram(rules).instructions)
    }

    private var settings: [JailSettings] {
        var kvm = JailSettings()
        kvm.usesKVM = true
        kvm.usesTap = true
        var shares = JailSettings()
        shares.shares = [JailSettings.Directory(path: "/x", isReadOnly: true)]
        var sockets = JailSettings()
        sockets.socketDirectories = ["/x"]
        return [JailSettings(), kvm, shares, sockets]
    }

    @Test("A call has its rule's verdict, and every other number the default")
    func numbers() throws {
        let rules = FilterRule.allow(.read, .write, .ioUringEnter, .futex) + FilterRule.refuse(ENOSYS, .clone3, .open)
        let machine = machine(rules)
        let allowed: Set<UInt32> = [0, 1, 426, 202]
        for call in 0..<UInt32(1024) {
            let expected = allowed.contains(call) ? allow : [435, 2].contains(call) ? 0x0005_0026 : trap
            #expect(try machine.run(call) == expected, "call \(call)")
        }
        #expect(try machine.run(0x3FFF_FFFF) == trap)
    }

    @Test("Another architecture and the x32 interface end the process, whatever the call")
    func foreign() throws {
        let machine = machine(FilterRule.allow(.read))
        for call: UInt32 in [0, 1, 60] {
            // AUDIT_ARCH_I386 and AUDIT_ARCH_AARCH64.
            #expect(try machine.run(call, architecture: 0x4000_0003) == kill)
            #expect(try machine.run(call, architecture: 0xC000_00B7) == kill)
            #expect(try machine.run(call | 0x4000_0000) == kill)
        }
        #expect(try machine.run(.max) == kill)
        #expect(try machine.run(0) == allow)
    }

    @Test("A test of an argument sees its low half, and both halves where that is asked for")
    func halves() throws {
        let low = machine(FilterRule.allow(.ioctl, when: [[.argument(1, is: 7)]]))
        #expect(try low.run(16, [0, 7]) == allow)
        #expect(try low.run(16, [0, 7 | 1 << 40]) == allow)
        #expect(try low.run(16, [7, 8]) == trap)
        let both = machine(FilterRule.allow(.ioctl, when: [[.argument(0, is: 0), .argumentIsNull(2)]]))
        #expect(try both.run(16, [0, 9, 0]) == allow)
        #expect(try both.run(16, [0, 0, 1 << 32]) == trap)
        #expect(try both.run(16, [0, 0, 1]) == trap)
        #expect(try both.run(16, [1, 0, 0]) == trap)
    }

    @Test("All tests of one alternative must hold, with masks and differences")
    func alternatives() throws {
        let machine = machine(
            FilterRule.allow(
                .ioctl,
                when: [
                    [
                        .argument(1, masked: 0xFF00, is: 0xAE00), .argument(1, isNot: 0xAE01),
                        .argument(1, isNot: 0xAE41),
                    ],
                    [.argument(1, is: 0x5401)],
                ], otherwise: .refuse(EPERM)))
        for request in UInt64(0)..<0x1_0000 {
            let isAllowed = request & 0xFF00 == 0xAE00 && request != 0xAE01 && request != 0xAE41 || request == 0x5401
            #expect(try machine.run(16, [3, request]) == (isAllowed ? allow : 0x0005_0001), "request \(request)")
        }
    }

    @Test(
        "A role's filter allows nothing that the process's does not, and every program is short enough for the kernel")
    func rolesAreNarrower() throws {
        for settings in settings {
            let lists = FilterLists(settings: settings, process: 2)
            let whole = machine(lists.whole)
            for role in ThreadRole.allCases {
                guard let rules = lists.rules(of: role) else { continue }
                let machine = machine(rules)
                #expect(machine.program.count < 1024)
                for call in 0..<UInt32(1024) where try machine.run(call) == allow {
                    #expect(try whole.run(call) == allow, "\(role): call \(call)")
                }
            }
        }
    }

    @Test(
        "No list allows what only an attacker wants",
        arguments: [
            SystemCall.execve, .execveat, .fork, .vfork, .ptrace, .kill, .tkill, .socket, .connect, .bind, .mount,
            .umount2,
            .pivotRoot, .chroot, .unshare, .setns, .keyctl, .addKey, .bpf, .perfEventOpen, .ioUringSetup,
            .ioUringRegister,
            .userfaultfd, .processVmReadv, .processVmWritev, .memfdCreate, .setuid, .setresuid, .capset, .personality,
            .initModule, .kexecLoad, .reboot, .pidfdOpen, .pidfdGetfd, .openByHandleAt, .pkeyMprotect, .shmat,
        ])
    func forbidden(_ call: SystemCall) throws {
        for settings in settings {
            let lists = FilterLists(settings: settings, process: 2)
            #expect(try machine(lists.whole).run(call.rawValue) == trap)
        }
    }

    @Test("Memory is private and never executable; limits are read only; the handler of SIGSYS stays")
    func arguments() throws {
        let machine = machine(FilterLists(settings: JailSettings(), process: 2).whole)
        let anonymous = UInt64(MAP_PRIVATE | MAP_ANONYMOUS)
        #expect(try machine.run(9, [0, 4096, 3, anonymous]) == allow)
        #expect(try machine.run(9, [0, 4096, 3, anonymous | UInt64(MAP_STACK | MAP_NORESERVE)]) == allow)
        #expect(try machine.run(9, [0, 4096, 4, anonymous]) == trap)
        #expect(try machine.run(9, [0, 4096, 3, UInt64(MAP_SHARED | MAP_ANONYMOUS)]) == trap)
        #expect(try machine.run(9, [0, 4096, 3, UInt64(MAP_PRIVATE), 5]) == trap)
        #expect(try machine.run(10, [0, 4096, 3]) == allow)
        #expect(try machine.run(10, [0, 4096, 5]) == trap)
        #expect(try machine.run(302, [0, 7, 0, 1 << 33]) == allow)
        #expect(try machine.run(302, [0, 7, 1 << 33, 0]) == trap)
        #expect(try machine.run(13, [UInt64(SIGTERM)]) == allow)
        #expect(try machine.run(13, [UInt64(SIGSYS)]) == kill)
        #expect(try machine.run(234, [2, 9, 10]) == allow)
        #expect(try machine.run(234, [1, 9, 10]) == trap)
        #expect(try machine.run(56, [0x3D_0F00]) == allow)
        #expect(try machine.run(56, [UInt64(SIGCHLD)]) == trap)
        #expect(try machine.run(56, [0x3D_0F00 | 0x1000_0000]) == trap)
    }

    @Test("Requests of KVM are for machines with KVM, and never those that make machines, vCPUs or devices")
    func requests() throws {
        let (run, create, vcpu, offload, queue, type): (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
            (0xAE80, 0xAE01, 0xAE41, 0x4004_54D0, 0x4004_54D9, 0x5412)
        var settings = JailSettings()
        let plain = machine(FilterLists(settings: settings, process: 2).whole)
        settings.usesKVM = true
        settings.usesTap = true
        let full = machine(FilterLists(settings: settings, process: 2).whole)
        for (request, isPlain, isFull) in [
            (run, false, true), (create, false, false), (vcpu, false, false), (offload, false, true),
            (queue, false, true), (type, false, false),
            (0x5401, true, true), (0x5413, true, true), (0x5421, false, false),
        ] {
            #expect(try plain.run(16, [0, request]) == (isPlain ? allow : trap), "\(request)")
            #expect(try full.run(16, [0, request]) == (isFull ? allow : trap), "\(request)")
        }
    }

    @Test("Files are opened by name only for shared folders, and for reading with switches")
    func names() throws {
        let refused: UInt32 = 0x0005_0000 | UInt32(EACCES)
        let (reading, writing) = (UInt64(O_RDONLY | O_DIRECTORY), UInt64(O_WRONLY | O_CREAT))
        let machines = settings.map { machine(FilterLists(settings: $0, process: 2).whole) }
        for (machine, expected) in zip(
            machines, [(refused, refused), (refused, refused), (allow, allow), (allow, refused)])
        {
            #expect(try machine.run(257, [3, 1, reading]) == expected.0)
            #expect(try machine.run(257, [3, 1, writing]) == expected.1)
        }
    }

    @Test("Names of calls are those of the kernel's table")
    func callNames() {
        let known: [(UInt32, String)] = [
            (0, "read"), (9, "mmap"), (257, "openat"), (334, "rseq"), (424, "pidfd_send_signal"), (435, "clone3"),
            (444, "landlock_create_ruleset"), (467, "open_tree_attr"), (400, "call"), (468, "call"), (.max, "call"),
        ]
        for (number, name) in known { #expect(SystemCallNames.name(of: number) == name) }
    }

    @Test("Threads have the role of their name")
    func roles() {
        let names = [
            "vcpu0", "vcpu12", "io", "session", "disk", "share", "log", "console-input", "translator", "rtc-alarm", "x",
        ]
        let roles: [ThreadRole] = [
            .processor, .processor, .events, .events, .disk, .share, .console, .console, .translator, .clock, .other,
        ]
        #expect(names.map { ThreadRole(threadName: $0) } == roles)
    }
}
