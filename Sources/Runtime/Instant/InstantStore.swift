package import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The snapshots of images from which `aerie run IMAGE COMMAND` goes on: `$XDG_CACHE_HOME/aerie/instant`, with a directory for each.
///
/// It is a cache: whoever finds nothing in it, or nothing that is sound, boots. A snapshot appears and goes by a rename.
package struct InstantStore: Sendable {
    /// The most snapshots of one image, and the most bytes of all. The one that was added last may be larger than that.
    package static let mostOfAnImage = 6
    package static let mostBytes: UInt64 = 4 << 30

    private let path: String
    private var records: RecordDirectory { RecordDirectory(path: path) }

    /// - Parameter cache: Aerie's directory in the user's cache.
    package init(cache: String) { path = "\(cache)/instant" }

    /// That of the user whose environment this process has; nil where there is no such directory.
    static var ofUser: InstantStore? {
        userDirectory("XDG_CACHE_HOME", ".cache") { getenv($0).map { String(cString: $0) } }
            .map { InstantStore(cache: $0) }
    }

    /// Gives a machine's directory the code of an image's snapshot, if the machine can boot with it: of several, of the one that was used last.
    ///
    /// - Parameters:
    ///   - image: the directory of the image's files.
    ///   - program: `aerie-vm`, which has generated the code.
    ///   - configuration: the machine's.
    func linkCode(
        of image: String, program: SnapshotRecord.Stamp, _ configuration: Configuration, to work: String
    ) {
        let snapshots = records.entries.compactMap { try? InstantSnapshot(directory: records.entry($0)) }
        let usable = snapshots.filter { snapshot in
            let key = snapshot.record.key
            return snapshot.hasCode(for: configuration.codeCacheSize)
                && key.image == image && key.programs.last == program
                && key.generatesCode(for: configuration)
        }
        usable.max { $0.lastUse < $1.lastUse }?.linkCode(to: work)
    }

    /// Gives a new machine's directory the files of the snapshot with this key.
    ///
    /// - Returns: nil when there is none, or it was damaged; then it is removed.
    package func link(_ key: InstantKey, to work: String) throws(AerieError) -> InstantSnapshot? {
        let text = try key.text
        let name = InstantKey.name(text)
        guard access(records.entry(name), F_OK) == 0 else { return nil }
        guard let snapshot = try? InstantSnapshot(directory: records.entry(name)), snapshot.isSound() else {
            try? records.remove(name)
            return nil
        }
        // Of two keys with one name, the other one was first.
        guard try snapshot.record.key.text == text, snapshot.link(to: work) else { return nil }
        snapshot.noteUse()
        return snapshot
    }

    /// Whether there is a snapshot, sound or not, so that another one cannot be added.
    package func contains(_ key: InstantKey) -> Bool {
        guard let text = try? key.text else { return false }
        return access(records.entry(InstantKey.name(text)), F_OK) == 0
    }

    /// Adds a snapshot, and removes the oldest ones where there are too many.
    ///
    /// - Parameters:
    ///   - hasHooks: whether the image has programs in `/etc/aerie/forked.d`.
    ///   - hasMachineID: whether it has an `/etc/machine-id`.
    ///   - save: saves the machine into the directory `work`.
    package func add(_ key: InstantKey, hasHooks: Bool, hasMachineID: Bool, save: (_ work: String) throws -> Void)
        throws
    {
        let name = InstantKey.name(try key.text)
        try records.withNewEntry { _, work in
            try save(work)
            let record = InstantRecord(
                key: key, memory: try SnapshotRecord.Stamp(file: "\(work)/\(Snapshot.memoryName)"),
                code: try? SnapshotRecord.Stamp(file: "\(work)/\(Snapshot.codeName)"),
                hostBoot: InstantSnapshot.hostBoot, hasHooks: hasHooks,
                hasMachineID: hasMachineID)
            try InstantSnapshot.write(record, in: work)
            try records.locked { () throws in
                records.removeLeftovers(except: work)
                // Of two that save at once, the first one has the name.
                guard access(records.entry(name), F_OK) != 0 else { return }
                unlink("\(work)/\(Machine.lockName)")
                try records.publish(work, as: name)
                removeOldest(except: name)
            }
        }
    }

    /// Removes a snapshot that a machine could not go on from.
    package func remove(_ snapshot: InstantSnapshot) {
        guard let name = snapshot.directory.split(separator: "/").last else { return }
        try? records.remove(String(name))
    }

    /// Removes snapshots.
    ///
    /// - Parameter isUnwanted: takes the key; nil for one that cannot be read.
    /// - Returns: how many there were, and their bytes.
    @discardableResult
    package func removeAll(where isUnwanted: (InstantKey?) -> Bool) -> (count: Int, bytes: UInt64) {
        guard access(path, F_OK) == 0 else { return (0, 0) }
        var (count, bytes) = (0, 0 as UInt64)
        try? records.locked {
            records.removeLeftovers(except: "")
            for name in records.entries {
                let directory = records.entry(name)
                guard isUnwanted((try? InstantSnapshot(directory: directory))?.record.key) else { continue }
                let size = allocatedBytes(in: directory)
                guard (try? records.remove(name)) != nil else { continue }
                count += 1
                bytes += size
            }
        }
        return (count, bytes)
    }

    private func removeOldest(except kept: String) {
        let others = records.entries.filter { $0 != kept }
            .map { (name: $0, snapshot: try? InstantSnapshot(directory: records.entry($0))) }
            .sorted { ($0.snapshot?.lastUse ?? 0) > ($1.snapshot?.lastUse ?? 0) }
        let image = (try? InstantSnapshot(directory: records.entry(kept)))?.record.key.image
        var bytes = allocatedBytes(in: records.entry(kept))
        var counts = [image: 1]
        for (name, snapshot) in others {
            let image = snapshot?.record.key.image
            bytes += snapshot?.allocatedSize ?? 0
            counts[image, default: 0] += 1
            if snapshot == nil || bytes > Self.mostBytes || counts[image, default: 0] > Self.mostOfAnImage {
                try? records.remove(name)
            }
        }
    }
}
