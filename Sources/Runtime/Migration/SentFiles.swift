internal import Aerie
internal import ControlAPI
internal import DiskImages
internal import Glibc
internal import HostSystem

/// The files of a machine that are not in its directory, at the sender.
struct SentFiles {
    private let machine: Machine
    private let asked: String
    private(set) var files: [OutsideFile] = []
    /// The path of each disk that can be handed over, as the machine knows it, by the path in the offer.
    private var names: [String: String] = [:]

    init(_ machine: Machine, asked: String) throws(AerieError) {
        self.machine = machine
        self.asked = asked
        let configuration = machine.record.configuration
        for disk in configuration.disks where !isOwn(disk.path) {
            let path = absolute(disk.path)
            let isWritten = disk.access == .readWrite
            if isWritten { names[path] = disk.path }
            try add(path, isWritten: isWritten)
            guard disk.format == .qcow2 else { continue }
            try addBases(of: path)
        }
        for flash in configuration.flash { try add(absolute(flash.path), isWritten: !flash.isReadOnly) }
    }

    /// The machine's record with the paths of the offer.
    var record: MachineRecord {
        var record = machine.record
        for (index, disk) in record.configuration.disks.enumerated() where !isOwn(disk.path) {
            record.configuration.disks[index].path = absolute(disk.path)
        }
        for (index, flash) in record.configuration.flash.enumerated() {
            record.configuration.flash[index].path = absolute(flash.path)
        }
        return record
    }

    /// Whether a file goes with the machine, or with its image.
    private func isOwn(_ path: String) -> Bool { path.hasPrefix("\(machine.directory)/") || isOfImage(path) }

    private func isOfImage(_ path: String) -> Bool {
        machine.record.image.map { path.hasPrefix("\($0.directory)/") } ?? false
    }

    private func absolute(_ path: String) -> String {
        OutsideFile.plain(HostPath.absolute(path, in: machine.record.workingDirectory))
    }

    private mutating func add(_ path: String, isWritten: Bool) throws(AerieError) {
        if let index = files.firstIndex(where: { $0.path == path }) {
            files[index].isWritten = files[index].isWritten || isWritten
            return
        }
        guard OutsideFile.isPlain(path) else {
            throw AerieError(
                .unavailable, asked: asked, found: "the path of its disk \(path) means nothing to another process",
                advice: "start it with the path of the file")
        }
        let found: OutsideFile?
        do throws(SystemError) { found = try OutsideFile(at: path, isWritten: isWritten) } catch {
            throw AerieError(
                .unavailable, asked: asked, found: error.description, advice: "correct the path of the file")
        }
        guard let found else {
            throw AerieError(
                .unavailable, asked: asked, found: "its disk \(path) is neither a regular file nor a block device",
                advice: "start it without that disk")
        }
        files.append(found)
    }

    private mutating func addBases(of path: String) throws(AerieError) {
        let bases: [String]
        do throws(DiskImageError) { bases = try DiskFiles.bases(of: path) } catch { throw AerieError(disk: error) }
        for base in bases {
            // What is below the image's disk belongs to the image.
            if isOfImage(base) {
                if let index = files.firstIndex(where: { $0.path == path }) { files[index].isOnImage = true }
                return
            }
            guard OutsideFile.isPlain(base) else {
                throw AerieError(
                    .unavailable, asked: asked, found: "the disk \(path) names its backing file as \(base)",
                    advice: "give the image the absolute path of that file with 'qemu-img rebase -u'")
            }
            try add(base, isWritten: false)
        }
    }

    // MARK: After the answer

    /// Checks the receiver's word on each file.
    ///
    /// - Returns: the copies of the files that are sent, in order.
    func copies(_ places: [OutsideFile.Place]?) throws -> [RepeatedCopy] {
        guard !files.isEmpty else { return [] }
        guard let places, places.count == files.count else {
            throw AerieError(
                .unavailable, asked: asked,
                found: "it has the disk \(files[0].path), and the receiver's version of Aerie takes no such disks",
                advice: "use this version of Aerie there, or start the machine without the disk")
        }
        for (file, place) in zip(files, places) where place == .here && file.isWritten && names[file.path] == nil {
            throw AerieError(
                .unavailable, asked: asked,
                found: "both hosts see its flash file \(file.path), which cannot be handed over while the machine runs",
                advice: "stop the machine, and start it there; or keep the file where only this host sees it")
        }
        for (file, place) in zip(files, places) where place == .copied && file.isDevice {
            throw AerieError(
                .unavailable, asked: asked, found: "the receiver wants a copy of the block device \(file.path)",
                advice: "have the device there, or start the machine without it")
        }
        return try zip(files, places).filter { $1 == .copied }.map { file, _ in
            try RepeatedCopy(of: file.path, followsLinks: true)
        }
    }

    /// Disks whose files the receiver's machine uses where they are, as this machine knows them.
    func shared(_ places: [OutsideFile.Place]?) -> [String] {
        zip(files, places ?? []).filter { $0.isWritten && $1 == .here }.compactMap { file, _ in names[file.path] }
    }

    /// The paths of files that were sent, and stay here as well.
    func left(_ places: [OutsideFile.Place]?) -> [String] {
        zip(files, places ?? []).filter { $1 == .copied }.map(\.0.path)
    }
}
