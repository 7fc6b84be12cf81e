package import Aerie
internal import ControlAPI
internal import DiskImages
internal import Glibc
package import HostSystem
internal import SnapshotArchive

/// Writes a snapshot as one stream, with everything that a machine needs to go on from it on another host: also the contents of the image's
/// disk, the kernel and the initial RAM disk.
package struct SnapshotExport {
    private static let step = 1 << 20

    private let snapshot: Snapshot
    private let writer: ArchiveWriter
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: step, alignment: 4096)

    /// - Throws: `unavailable` when a part of the machine is on this host only, `badInput` for a damaged snapshot, and errors of files.
    package static func write(_ snapshot: Snapshot, to file: consuming FileDescriptor) throws(AerieError) {
        let record = try PortableRecord.exported(snapshot)
        try snapshot.checkUnlessUnchanged()
        let asked = "exporting snapshot '\(snapshot.record.name)'"
        do {
            let export = SnapshotExport(snapshot: snapshot, writer: try ArchiveWriter(to: file))
            defer { export.buffer.deallocate() }
            try export.write(record)
        } catch let error as AerieError {
            throw error
        } catch let error as DiskImageError {
            throw AerieError(disk: error)
        } catch {
            throw AerieError(
                .inputOutput, asked: asked, found: "\(error)", advice: "make room, or choose another place")
        }
    }

    private init(snapshot: Snapshot, writer: ArchiveWriter) {
        self.snapshot = snapshot
        self.writer = writer
    }

    private func write(_ record: SnapshotRecord) throws {
        let text = try JSONValue(encoding: record).text
        try writer.begin(.record, size: UInt64(text.count))
        try text.withUnsafeBytes { try writer.write(at: 0, $0) }
        if record.hasState {
            try write(.state, from: snapshot.file(Snapshot.stateName))
            try writeMemory()
        }
        if let disk = try openDisk() {
            defer { disk.close() }
            try write(disk)
        }
        let configuration = snapshot.record.machine.configuration
        for (member, place) in zip([ArchiveMember.kernel, .initrd, .firmware], PortableRecord.files) {
            guard let file = configuration[keyPath: place.path] else { continue }
            let isOwn = file.hasSuffix("/\(snapshot.record.machine.id)/\(place.name)")
            try write(
                member,
                from: isOwn
                    ? snapshot.file(place.name) : HostPath.absolute(file, in: snapshot.record.machine.workingDirectory))
        }
        try writer.finish()
    }

    /// Writes the contents of a member, and leaves holes out.
    ///
    /// - Parameters:
    ///   - next: the next range at or after an offset that may have other contents than zeroes.
    ///   - read: fills the buffer with the bytes at an offset.
    private func write(
        _ member: ArchiveMember, size: UInt64, next: (UInt64) throws -> Range<UInt64>?,
        read: (UInt64, UnsafeMutableRawBufferPointer) throws -> Void
    ) throws {
        try writer.begin(member, size: size)
        var position: UInt64 = 0
        while let range = try next(position) {
            position = max(position, range.lowerBound)
            while position < range.upperBound {
                let count = Int(min(UInt64(Self.step), range.upperBound - position))
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                try read(position, part)
                try writer.write(at: position, UnsafeRawBufferPointer(part))
                position += UInt64(count)
            }
        }
    }

    private func write(_ member: ArchiveMember, from path: String) throws {
        let file = try FileDescriptor(path: path, flags: O_RDONLY)
        try write(member, size: try file.size()) { position in
            try file.nextData(from: position)
        } read: { position, part in
            guard try file.read(at: position, into: part) == part.count else {
                throw SystemError("read \(path)", code: EIO)
            }
        }
    }

    /// Whatever files the memory is in, the archive has all of it.
    private func writeMemory() throws {
        let memory = try SnapshotMemory(of: snapshot).opened(asked: "exporting snapshot '\(snapshot.record.name)'")
        try write(.memory, size: memory.size, next: memory.nextData, read: memory.read)
    }

    /// The machine's disk, or that of its image.
    private func openDisk() throws(DiskImageError) -> (any DiskImage)? {
        guard let disk = snapshot.record.machine.configuration.disks.first else { return nil }
        let own = snapshot.file(Machine.rootDiskName)
        if access(own, F_OK) == 0 { return try DiskImageChain.open(path: own, format: .qcow2, readOnly: true) }
        return try DiskImageChain.open(path: disk.path, format: disk.format == .qcow2 ? .qcow2 : .raw, readOnly: true)
    }

    private func write(_ disk: any DiskImage) throws {
        try write(.disk, size: disk.size) { position in
            var position = position
            while position < disk.size {
                let extent = try disk.extent(at: position, limit: disk.size)
                if extent.contents == .data { return extent.range }
                position = extent.range.upperBound
            }
            return nil
        } read: { position, part in
            try disk.read(at: position, into: IOBuffers(part))
        }
    }
}
