internal import DiskImages
internal import Glibc
internal import HostNetwork
internal import HostSystem

/// The files of a disk, open and locked for a process that cannot open any.
package struct OpenDisk: Sendable {
    let files: DiskFiles

    /// What each file is, in the order of `descriptors`.
    package var descriptions: [String] { files.descriptions }
    /// They stay this value's.
    package var descriptors: [Int32] { files.descriptors }
}

/// The interface of a network card, open for a process that cannot open any.
package final class OpenInterface: Sendable {
    /// It stays this object's.
    package let descriptor: Int32
    /// The largest packet in bytes.
    package let mtu: Int

    /// Takes over an interface that somebody else has opened.
    package init(owning descriptor: Int32, mtu: Int) {
        (self.descriptor, self.mtu) = (descriptor, mtu)
    }

    deinit { close(descriptor) }

    func makeBackend() throws(AerieError) -> TapBackend {
        do throws(SystemError) {
            return TapBackend(TapInterface(owning: try FileDescriptor(duplicating: descriptor), mtu: mtu))
        } catch { throw AerieError(.notStarted, asked: "the interface of a network card", found: error.description) }
    }
}

extension Configuration {
    /// The most files that a disk is handed over with.
    package static let mostDiskFiles = DiskFiles.most + 1

    /// Checks a disk, in a hot-plug slot, that a kept machine shall get besides those of this configuration.
    package func validateAdding(_ disk: Disk) throws(AerieError) {
        var wanted = self
        wanted.disks.append(disk)
        try wanted.validateHotplug()
        try disk.validate()
        try disk.requireFile()
        try wanted.validateDistinctDisks()
        try wanted.validateSerials()
    }

    /// Checks a network card, in a hot-plug slot, that a kept machine shall get besides those of this configuration.
    package func validateAdding(_ card: NetworkCard) throws(AerieError) {
        var wanted = self
        wanted.networkCards.append(card)
        try wanted.validateHotplug()
        try wanted.validateNetwork()
        if case .segment(let name) = card.network {
            throw AerieError(
                .unavailable, asked: "adding a card with the network switch=\(name)",
                found: "the jail of a running machine shows it no further switches",
                advice: "make the machine with --network switch=\(name), or use the network user or tap")
        }
    }
}

extension Disk {
    /// Opens and locks the disk's files for a process that cannot open any.
    package func openFiles() throws(AerieError) -> OpenDisk {
        do {
            return OpenDisk(
                files: try DiskFiles(
                    path: path, format: imageFormat, readOnly: access == .readOnly,
                    isDirect: cache == .none && format != .qcow2))
        } catch { throw AerieError(disk: error) }
    }

    /// Takes over files that somebody else has opened.
    ///
    /// - Parameters:
    ///   - descriptions: of `OpenDisk`.
    ///   - descriptors: become the result's, also when this throws.
    package static func openFiles(_ descriptions: [String], descriptors: [Int32]) throws(AerieError) -> OpenDisk {
        if let files = DiskFiles(descriptions, descriptors: descriptors) { return OpenDisk(files: files) }
        throw AerieError(
            .usage, asked: "a disk's files",
            found: "\(descriptors.count) have come, and \(descriptions.count) are described",
            advice: "see docs/control-protocol.md")
    }
}

extension NetworkCard {
    /// Opens the interface of a card that has one, for a process that cannot open any; nil for other cards.
    package func openInterface() throws(AerieError) -> OpenInterface? {
        guard case .tap(let name) = network else { return nil }
        return try wrapping("--network tap\(name.map { "=\($0)" } ?? "")") { () throws(SystemError) in
            let interface = try TapInterface(name: name)
            return OpenInterface(owning: try interface.descriptor.duplicate().release(), mtu: Int(interface.mtu))
        }
    }
}

extension NetworkCard.Network {
    /// Whether a card of this network has an open interface of the host.
    package var needsInterface: Bool {
        if case .tap = self { true } else { false }
    }
}
