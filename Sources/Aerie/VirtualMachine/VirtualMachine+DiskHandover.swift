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
    /// - Parameters:
    ///   - opened: has the disk's files open and locked.
    ///   - isUnused: whether the machine never ran at the other host.
    /// - Throws: `usage` for a disk that was not handed over; `badInput` for a file that was changed meanwhile, and for a block device of which
    ///   nobody knows that.
    package func takeBackDisk(_ path: String, _ opened: OpenDisk, isUnused: Bool) throws(AerieError) {
        try whilePaused("take back disks of") { () throws(AerieError) in
            let asked = "taking back disk \(path)"
            guard handedOverDisks.contains(path) else {
                throw AerieError(.usage, asked: asked, found: "it was not handed over")
            }
            let image = try image(of: path, asked)
            do throws(DiskImageError) {
                try image.takeBack(opened.files, isUnused: isUnused)
            } catch { throw AerieError(disk: error) }
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

    /// Checks, before the start from a saved state, that nobody has changed disks that came with it.
    ///
    /// - Parameter stamps: the disks at their handover.
    /// - Throws: `badInput` for a disk that was changed since.
    package func requireUnchanged(_ stamps: [HandedOverDisk]) throws(AerieError) {
        for known in stamps {
            let asked = "the saved state of the machine"
            let found: DiskStamp?
            let image = try image(of: known.path, asked)
            do throws(DiskImageError) { found = try image.stamp() } catch {
                throw AerieError(disk: error)
            }
            guard found == known.stamp else {
                throw AerieError(
                    .badInput, asked: asked,
                    found: "the disk \(known.path) was changed since the machine was handed over",
                    advice:
                        "its memory does not fit the disk any more; remove the machine, and make it anew with the disk")
            }
        }
    }

    /// - Throws: `unavailable` for a machine whose disks another host may use.
    func requireDisks() throws(AerieError) {
        guard let path = handedOverDisks.first else { return }
        throw AerieError(
            .unavailable, asked: "letting the machine go on", found: "its disk \(path) was handed over to another host",
            advice: "'aerie resume' takes it back if nobody uses it")
    }
}
