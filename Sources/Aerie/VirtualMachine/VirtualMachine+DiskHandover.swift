internal import DiskImages
internal import HostSystem

/// The files of a machine's disks, which another host uses from now on.
extension VirtualMachine {
    /// Disks that were handed over, by the paths of the configuration. The machine cannot go on without them.
    package var handedOverDisks: [String] { state.withLock { $0.handedOverDisks } }

    /// Makes the files of disks durable, and closes them, so that another process can lock them. The machine is paused, and stays so until
    /// `takeBackDisk` has given it the files back.
    ///
    /// - Parameter paths: of disks that the guest can write to, as in the configuration.
    /// - Throws: `usage` when the machine is not paused, or has no such disk; the errors of the files. Disks before the one that has failed are
    ///   handed over then (`handedOverDisks`).
    package func handOverDisks(_ paths: [String]) throws(AerieError) {
        try whilePaused("hand over disks of") { () throws(AerieError) in
            for path in paths {
                let image = try image(of: path, "handing over disk \(path)")
                do throws(DiskImageError) { try image.handOver() } catch { throw AerieError(disk: error) }
                state.update { $0.handedOverDisks.append(path) }
                log.note(.info, "machine", cause: "diskHandedOver", "disk \(path) handed over")
            }
        }
    }

    /// Takes the file of a disk back.
    ///
    /// - Parameter opened: has the disk's files open and locked.
    /// - Throws: `usage` for a disk that was not handed over; `badInput` for a file that was changed meanwhile.
    package func takeBackDisk(_ path: String, _ opened: OpenDisk) throws(AerieError) {
        try whilePaused("take back disks of") { () throws(AerieError) in
            let asked = "taking back disk \(path)"
            guard handedOverDisks.contains(path) else {
                throw AerieError(.usage, asked: asked, found: "it was not handed over")
            }
            let image = try image(of: path, asked)
            do throws(DiskImageError) { try image.takeBack(opened.files) } catch { throw AerieError(disk: error) }
            state.update { state in state.handedOverDisks.removeAll { $0 == path } }
            log.note(.info, "machine", cause: "diskTakenBack", "disk \(path) taken back")
        }
    }

    private func image(of path: String, _ asked: String) throws(AerieError) -> any DiskImage {
        let part = inventory.withLock { $0.disks.first { $0.disk.path == path && $0.disk.access == .readWrite } }
        if let part { return part.image }
        throw AerieError(
            .usage, asked: asked, found: "the machine has no such disk that its guest can write to",
            advice: "see docs/control-protocol.md")
    }

    /// - Throws: `unavailable` for a machine whose disks another host may use.
    func requireDisks() throws(AerieError) {
        guard let path = handedOverDisks.first else { return }
        throw AerieError(
            .unavailable, asked: "letting the machine go on", found: "its disk \(path) was handed over to another host",
            advice: "'aerie resume' takes it back if nobody uses it")
    }
}
