internal import Glibc

extension Configuration {
    /// The longest kernel command line in bytes. A kernel's own limit may be lower.
    static let longestCommandLine = 2047
    private static let largestAppendedInitrd = 16 << 20
    /// The most disks of a machine, on PCI. Fewer have a place on virtio-mmio.
    static let mostDisks = 32

    /// Checks the configuration without starting anything: ranges, features of this build and host, and access to files.
    ///
    /// - Throws: an error of category `usage` for values out of range, `unavailable` for features that this build or this host
    ///   lacks, and `badInput` for files that are missing, unreadable or unsuitable.
    public func validate() throws(AerieError) {
        try validateProcessors()
        try validateMemory()
        try validateBoot()
        try validateDisks()
        try validateNetwork()
        try validateShares()
        try validateSlots()
        try validateHotplug()
    }

    /// Checks what does not depend on an image: before one is built, which takes minutes.
    package func validateParts() throws(AerieError) {
        try validateProcessors()
        try validateMemory()
        try validateNetwork()
        try validateShares()
    }

    /// The size of the machine's code cache. Few sizes are usual, because code is of use only where the size is the same.
    package var codeCacheSize: ByteSize {
        codeCache ?? .mebibytes([256, 128].first { memory >= .mebibytes(4 * $0) } ?? 64)
    }

    private func validateProcessors() throws(AerieError) {
        try validateEngine()
        guard translationTrace == nil || architecture == .riscv64 && engine != .interpret else {
            throw AerieError(
                .usage, asked: "--trace", found: "this machine's engine does not translate",
                advice: "use it with a riscv64 guest and --engine translate")
        }
        guard Self.codeCacheRange.contains(codeCacheSize) else {
            throw AerieError(
                .usage, asked: "--code-cache \(codeCacheSize)", found: "the size of a code cache is 4M to 1024M",
                advice: "choose a size in this range")
        }
        guard Self.cpuRange.contains(cpus) else {
            throw AerieError(
                .usage, asked: "--cpus \(cpus)", found: "a machine has 1 to 64 vCPUs",
                advice: "choose a number in this range")
        }
    }

    private func validateEngine() throws(AerieError) {
        try processor?.validate(for: architecture)
        let asked = "--engine \(engine.rawValue)"
        switch architecture {
        case .riscv64:
            guard engine != .kvm else {
                throw AerieError(
                    .unavailable, asked: asked,
                    found: "KVM runs guests of the host's own architecture, and this one is riscv64",
                    advice: "use --engine auto, translate or interpret")
            }
        case .x86_64 where Self.hasX86Board:
            guard engine == .auto || engine == .kvm else {
                throw AerieError(
                    .unavailable, asked: asked, found: "x86_64 guests run through KVM only",
                    advice: "use --engine auto or kvm")
            }
            guard transport ?? .pci == .pci else {
                throw AerieError(
                    .unavailable, asked: "--transport \(transport?.rawValue ?? "")",
                    found: "the x86_64 machine has its devices on PCI",
                    advice: "use --transport pci, or leave it out")
            }
            if let interrupts {
                throw AerieError(
                    .unavailable, asked: "--interrupts \(interrupts.rawValue)",
                    found: "the x86_64 machine has the interrupt controllers of a PC", advice: "leave it out")
            }
        case .x86_64, .aarch64:
            throw AerieError(
                .unavailable, asked: "--arch \(architecture.rawValue)",
                found: "this host runs \(Self.hasX86Board ? "riscv64 and x86_64" : "riscv64") guests only",
                advice: "use one of these")
        }
    }

    /// x86-64 guests are executed by the host's own processor.
    private static var hasX86Board: Bool {
        #if arch(x86_64)
            true
        #else
            false
        #endif
    }

    private func validateMemory() throws(AerieError) {
        guard Self.memoryRange.contains(memory), memory.bytes % 4096 == 0 else {
            throw AerieError(
                .usage, asked: "--memory \(memory)", found: "a machine has 1M to 1024G of memory, in steps of 4K",
                advice: "choose a size in this range")
        }
        try validateGrowth()
        try memoryPolicy?.validate()
        if mergesMemory, access("/sys/kernel/mm/ksm", F_OK) != 0 {
            throw AerieError(
                .unavailable, asked: "--merge", found: "this host's kernel does not merge pages", advice: "leave it out"
            )
        }
        try Self.checkHost(memory, asked: "--memory \(memory)")
    }

    /// Throws for a size of memory that the host does not have.
    static func checkHost(_ size: ByteSize, asked: String) throws(AerieError) {
        let host = UInt64(sysconf(Int32(_SC_PHYS_PAGES))) * UInt64(sysconf(Int32(_SC_PAGESIZE)))
        guard size.bytes <= host else {
            throw AerieError(
                .unavailable, asked: asked, found: "this host has \(host >> 20)M of memory",
                advice: "choose a smaller size")
        }
    }

    private func validateBoot() throws(AerieError) {
        try validateFlash()
        if kernel == nil && firmware == nil && flash.isEmpty {
            throw AerieError(
                .usage, asked: "a guest without kernel and firmware", found: "there is nothing to boot",
                advice: "name an image, --kernel or --firmware")
        }
        if architecture == .x86_64 && firmware != nil && kernel != nil {
            throw AerieError(
                .usage, asked: "--firmware", found: "the x86_64 machine's firmware finds what it starts on a disk",
                advice: "leave the kernel, or the firmware, out")
        }
        if kernel == nil && initrd != nil {
            throw AerieError(
                .usage, asked: "--initrd", found: "no kernel is given",
                advice: "give --kernel as well")
        }
        if !appendedInitrd.isEmpty && initrd == nil || appendedInitrd.count > Self.largestAppendedInitrd {
            throw AerieError(
                .usage, asked: "an archive behind the initial RAM disk",
                found: initrd == nil ? "no initial RAM disk is given" : "\(appendedInitrd.count) bytes",
                advice: "give an initrd, and an archive of at most \(Self.largestAppendedInitrd) bytes")
        }
        if commandLine.utf8.count > Self.longestCommandLine || commandLine.utf8.contains(0) {
            throw AerieError(
                .usage, asked: "--append", found: "\(commandLine.utf8.count) bytes, or a NUL among them",
                advice: "use at most \(Self.longestCommandLine) bytes of text")
        }
        for (option, path) in [("--kernel", kernel), ("--initrd", initrd), ("--firmware", firmware)] {
            if let path { try Self.requireFile(path, option: option) }
        }
    }

    private func validateFlash() throws(AerieError) {
        guard !flash.isEmpty else { return }
        guard architecture == .riscv64 else {
            throw AerieError(
                .unavailable, asked: "--flash", found: "the \(architecture.rawValue) machine has no flash banks",
                advice: "give a ROM image with --firmware")
        }
        guard flash.count <= RISCVMemoryMap.flash.count else {
            throw AerieError(
                .usage, asked: "\(flash.count) times --flash",
                found: "the machine has \(RISCVMemoryMap.flash.count) flash banks", advice: "leave some out")
        }
        for file in flash { try Self.requireFile(file.path, option: "--flash", writable: !file.isReadOnly) }
    }

    func validateDisks() throws(AerieError) {
        if disks.count > Self.mostDisks {
            throw AerieError(
                .usage, asked: "\(disks.count) disks", found: "a machine has at most \(Self.mostDisks)",
                advice: "leave some out")
        }
        for disk in disks {
            try disk.validate()
            try disk.requireFile()
        }
        try validateDistinctDisks()
        try validateSerials()
    }

    func validateSerials() throws(AerieError) {
        let serials = disks.compactMap(\.serial)
        if serials.indices.contains(where: { serials[..<$0].contains(serials[$0]) }) {
            throw AerieError(
                .usage, asked: "--disk", found: "two disks have the same serial", advice: "give each its own")
        }
    }

    /// A file that is written to can be no other disk as well: the second opening would find it locked by this process.
    func validateDistinctDisks() throws(AerieError) {
        for (index, disk) in disks.enumerated() {
            for other in disks[..<index] where disk.access == .readWrite || other.access == .readWrite {
                guard let identity = Self.identity(disk.path), identity == Self.identity(other.path) else { continue }
                let names = other.path == disk.path ? "" : " as \(other.path)"
                throw AerieError(
                    .usage, asked: "--disk \(disk.path)", found: "the machine has this disk already\(names)",
                    advice: "leave one out, or add ',readonly' to both")
            }
        }
    }

    /// The device that a node stands for, or where a file's data are.
    private static func identity(_ path: String) -> [UInt64]? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return status.st_mode & S_IFMT == S_IFBLK
            ? [UInt64(status.st_rdev)] : [UInt64(status.st_dev), UInt64(status.st_ino)]
    }

    /// Checks that a file exists, is a file, and can be accessed, so that the error names the option.
    fileprivate static func requireFile(_ path: String, option: String, writable: Bool = false) throws(AerieError) {
        var status = stat()
        // Evaluated only for an error: the start of a machine avoids formatting.
        func asked() -> String { "\(option) \(path)" }
        guard stat(path, &status) == 0 else {
            throw AerieError(
                .badInput, asked: asked(), found: String(cString: strerror(errno)), advice: "check the path")
        }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG || kind == S_IFBLK else {
            throw AerieError(
                .badInput, asked: asked(), found: kind == S_IFDIR ? "it is a directory" : "it is not a regular file",
                advice: "give a file")
        }
        if kind == S_IFREG && status.st_size == 0 {
            throw AerieError(.badInput, asked: asked(), found: "the file is empty", advice: "check how it was made")
        }
        guard access(path, writable ? R_OK | W_OK : R_OK) == 0 else {
            throw AerieError(
                .badInput, asked: asked(), found: String(cString: strerror(errno)),
                advice: writable ? "check its permissions, or add ',readonly'" : "check its permissions")
        }
    }
}

extension Disk {
    func requireFile() throws(AerieError) {
        try Configuration.requireFile(path, option: "--disk", writable: access == .readWrite)
    }
}
