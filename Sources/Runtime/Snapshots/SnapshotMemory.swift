internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The memory of a snapshot, in whatever files it is.
package struct SnapshotMemory {
    private let snapshot: Snapshot
    private let asked: String

    package init(of snapshot: Snapshot) {
        self.snapshot = snapshot
        asked = "snapshot '\(snapshot.record.name)'"
    }

    /// Opens the memory for reading.
    func opened(asked: String) throws(AerieError) -> SavedMemory {
        try withFiles { (files) throws(AerieError) in try SavedMemory(files, asked: asked) }
    }

    /// Compares all of the memory with its checksums.
    func check() throws(AerieError) {
        try checkSizes()
        let state = try opening { () throws(SystemError) in
            try FileDescriptor(path: snapshot.file(Snapshot.stateName), flags: O_RDONLY | O_NOFOLLOW)
        }
        try withFiles { (files) throws(AerieError) in
            let layers = snapshot.record.layers
            try VirtualMachine.checkSnapshot(
                state: state.rawValue, memory: files,
                owners: layers.map { [snapshot.record.name] + $0.map(\.name) } ?? [],
                suspects: snapshot.changedFiles, asked: asked)
        }
    }

    /// The files of earlier snapshots have their sizes. That of the snapshot itself is compared with its state.
    private func checkSizes() throws(AerieError) {
        for (index, layer) in (snapshot.record.layers ?? []).enumerated() {
            let found = try? SnapshotRecord.Stamp(file: snapshot.file(Snapshot.memoryName(index + 1))).size
            guard found != layer.stamp.size else { continue }
            throw AerieError(
                .badInput, asked: asked,
                found: "the memory's file of snapshot '\(layer.name)' "
                    + (found.map { "has \($0) bytes instead of \(layer.stamp.size)" } ?? "is not there"),
                advice: "remove the snapshot; it cannot be used")
        }
    }

    /// Calls `body` with the open files, which are closed afterwards.
    func withFiles<Result>(
        _ body: (SavedMemoryFiles) throws(AerieError) -> Result
    ) throws(AerieError) -> Result {
        let layers = snapshot.record.layers
        let paths = (0...(layers?.count ?? 0)).map { snapshot.file(Snapshot.memoryName($0)) }
        let map = layers.map { _ in snapshot.file(Snapshot.mapName) }
        let files = try opening { () throws(SystemError) in
            try SavedMemoryFiles(opening: paths, map: map, flags: O_NOFOLLOW)
        }
        defer { files.close() }
        return try body(files)
    }

    private func opening<Result: ~Copyable>(_ body: () throws(SystemError) -> Result) throws(AerieError) -> Result {
        do throws(SystemError) { return try body() } catch {
            throw AerieError(.badInput, asked: asked, found: error.description, advice: "remove the snapshot")
        }
    }
}
