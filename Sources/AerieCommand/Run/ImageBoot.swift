internal import Aerie
internal import ControlAPI
internal import DiskImages
internal import Foundation
internal import GuestImages
internal import HostSystem
internal import MachineSession
internal import Runtime

/// An image that a guest boots from, kept from being removed for as long as this object lives.
final class ImageBoot {
    private let image: StoredImage
    private let lease: FileLock

    /// The descriptor of the image's lock: who has it open keeps the image.
    var leaseDescriptor: Int32 { lease.descriptor }

    /// What a machine's record says about the image.
    var record: MachineRecord.Image {
        MachineRecord.Image(reference: "\(image.manifest.reference)", directory: image.directory)
    }

    /// Whether the image's guests start services, and make keys of their own at their first start.
    var startsServices: Bool {
        image.manifest.packages.contains { ["systemd-sysv", "openssh-server"].contains($0.name) }
    }

    private init(_ image: StoredImage, in store: ImageStore) throws(ImageError) {
        self.image = image
        lease = try store.lease(image)
    }

    /// Finds an image, building it when there is none of that name yet.
    static func find(_ name: String, architecture: Configuration.Architecture?) async throws -> ImageBoot {
        let reference = try ImageReference(parsing: name)
        let architecture = try ImageArchitecture(parsing: architecture?.rawValue ?? ImageArchitecture.riscv64.rawValue)
        let store = try userImageStore()
        if let image = try existing(reference, architecture, store) { return try ImageBoot(image, in: store) }
        return try ImageBoot(try await ImageBuilding(reference, architecture).run(), in: store)
    }

    private static func existing(
        _ reference: ImageReference, _ architecture: ImageArchitecture, _ store: ImageStore
    ) throws(ImageError) -> StoredImage? {
        do throws(ImageError) {
            return try store.image(reference, architecture)
        } catch  where error.kind == .usage {
            // The name is sound, so this says that there is no image of it.
            return nil
        }
    }

    /// Adds what the image has to what the user asked for. The user's kernel, RAM disk and words come instead of the
    /// image's, or after them.
    ///
    /// Guests do not change an image: what one writes to its root disk is gone when it ends, or in the overlay, or in the machine's
    /// own directory.
    ///
    /// - Parameter hasTerminal: whether this program's terminal, if it has one, is the guest's console.
    func complete(
        _ configuration: inout Configuration, command: [String], _ settings: RunSettings, disk: RootDiskPlace?,
        hasTerminal: Bool = true
    ) throws(AerieError) {
        var words: [String] = []
        if configuration.kernel == nil {
            configuration.kernel = image.kernelPath
            if configuration.initrd == nil {
                configuration.initrd = image.initrdPath
                configuration.appendedInitrd = image.agentArchive
            }
            words.append(image.manifest.commandLine)
        }
        if configuration.console == .virtio { words.append("console=hvc0") }
        // The control port is the first virtio console, or the second where the guest's own is one.
        words.append("aerie.control=\(configuration.console == .virtio ? "hvc1" : "hvc0")")
        if hasTerminal { words += terminalWords }
        if configuration.watchdog != .off { words.append("aerie.watchdog") }
        if settings.diskSize != nil { words.append("aerie.grow") }
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
        try checkLength(configuration, command: command)
        configuration.hasControlPort = true
        configuration.disks.insert(try rootDisk(settings, disk), at: 0)
    }

    private var terminalWords: [String] {
        guard let size = Terminal.windowSize(STDOUT_FILENO), Terminal.isTerminal(STDIN_FILENO) else { return [] }
        let words = ["aerie.rows=\(size.rows) aerie.columns=\(size.columns)"]
        let name = ProcessInfo.processInfo.environment["TERM"] ?? ""
        // A word of a command line: nothing but what terminals are called.
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") }) else {
            return words
        }
        return words + ["aerie.term=\(name)"]
    }

    private func rootDisk(_ settings: RunSettings, _ place: RootDiskPlace?) throws(AerieError) -> Disk {
        if let size = settings.diskSize, size.bytes < image.manifest.diskSize {
            throw AerieError(
                .usage, asked: "--disk-size \(size)", found: "the image's disk has \(image.manifest.diskSize >> 20)M",
                advice: "choose a larger size")
        }
        guard let overlay = settings.overlay ?? place.map({ "\($0.work)/\(Machine.rootDiskName)" }) else {
            var disk = Disk(path: image.rootDiskPath, format: .raw, access: .discardChanges)
            disk.size = settings.diskSize
            return disk
        }
        do {
            try DiskOverlay.prepare(
                path: overlay, base: image.rootDiskPath, format: .raw, size: settings.diskSize?.bytes)
        } catch {
            throw AerieError(disk: error)
        }
        return Disk(path: place.map { "\($0.final)/\(Machine.rootDiskName)" } ?? overlay, format: .qcow2)
    }

    /// The kernel cuts a longer command line off, and with it the command, without a word.
    private func checkLength(_ configuration: Configuration, command: [String]) throws(AerieError) {
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
