package import Aerie
internal import DiskImages
internal import FoundationEssentials
package import GuestImages

/// The part of a machine's configuration that comes from an image.
package struct ImageConfiguration {
    /// What becomes of the guest's changes to the image's disk.
    package enum RootDisk {
        /// They are thrown away at the machine's end.
        case discarded
        /// They are kept in a qcow2 file that is made at `path`, and found at `final` by the machine.
        case kept(path: String, final: String)
    }

    private let image: StoredImage
    /// What the guest's init runs at its console; empty for a root shell.
    package var command: [String] = []
    /// Further words of the kernel's command line, in front of the user's.
    package var words: [String] = []
    /// The size that the disk, and the file system on it, grow to; nil for the image's.
    package var diskSize: ByteSize?
    package var rootDisk = RootDisk.discarded

    package init(_ image: StoredImage) { self.image = image }

    /// Adds what the image has to what the user asked for. The user's kernel, RAM disk and words come instead of the image's, or after them.
    ///
    /// Guests do not change an image: what one writes to its root disk is gone when it ends, or in a file of its own.
    package func complete(_ configuration: inout Configuration) throws(AerieError) {
        var words: [String] = []
        if configuration.kernel == nil {
            configuration.kernel = image.kernelPath
            if configuration.initrd == nil {
                configuration.initrd = image.initrdPath
                configuration.appendedInitrd = image.agentArchive
            }
            words.append(image.manifest.commandLine)
            if configuration.architecture == .riscv64 { words.append(Configuration.panicWords) }
        }
        if configuration.console == .virtio { words.append("console=hvc0") }
        // The control port is the first virtio console, or the second where the guest's own is one.
        words.append("aerie.control=\(configuration.console == .virtio ? "hvc1" : "hvc0")")
        words += self.words
        if configuration.watchdog != .off { words.append("aerie.watchdog") }
        if diskSize != nil { words.append("aerie.grow") }
        // Memory that is added is in use at once, and only for what the kernel can move when the memory is to go again.
        if configuration.growthMethod == .hotplug { words.append("memhp_default_state=online_movable") }
        for (index, share) in configuration.shares.enumerated() {
            let mode = share.access == .readOnly ? "ro" : "rw"
            words.append("aerie.share=\(Configuration.shareTag(index)):\(mode):\(share.guestDirectory)")
        }
        if !command.isEmpty {
            let arguments = command.flatMap { argument -> [UInt8] in Array(argument.utf8) + [0] }
            words.append("aerie.command=\(Data(arguments).base64EncodedString())")
        }
        if !configuration.commandLine.isEmpty { words.append(configuration.commandLine) }
        configuration.commandLine = words.joined(separator: " ")
        try checkLength(configuration)
        configuration.hasControlPort = true
        configuration.disks.insert(try makeRootDisk(), at: 0)
    }

    private func makeRootDisk() throws(AerieError) -> Disk {
        if let diskSize, diskSize.bytes < image.manifest.diskSize {
            throw AerieError(
                .usage, asked: "--disk-size \(diskSize)",
                found: "the image's disk has \(image.manifest.diskSize >> 20)M",
                advice: "choose a larger size")
        }
        switch rootDisk {
        case .discarded:
            var disk = Disk(path: image.rootDiskPath, format: .raw, access: .discardChanges)
            disk.size = diskSize
            return disk
        case .kept(let path, let final):
            do throws(DiskImageError) {
                try DiskOverlay.prepare(path: path, base: image.rootDiskPath, format: .raw, size: diskSize?.bytes)
            } catch {
                throw AerieError(disk: error)
            }
            return Disk(path: final, format: .qcow2)
        }
    }

    /// The kernel cuts a longer command line off, and with it the command, without a word.
    private func checkLength(_ configuration: Configuration) throws(AerieError) {
        // COMMAND_LINE_SIZE of Linux, less the NUL.
        let limit = configuration.architecture == .riscv64 ? 1023 : 2047
        let count = configuration.commandLine.utf8.count
        guard count > limit else { return }
        throw AerieError(
            .usage, asked: command.isEmpty ? "--append" : "the command for the guest",
            found: "the kernel's command line, which carries it, would have \(count) bytes, and Linux takes \(limit)",
            advice: "put what is long into a script on a disk (--disk FILE,readonly) and run that")
    }
}
