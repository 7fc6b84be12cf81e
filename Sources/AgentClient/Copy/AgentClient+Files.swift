internal import AgentProtocol
internal import HostSystem
internal import TarStream

extension AgentClient {
    /// Writes a file of the guest, in place of an older one. It belongs to root. Nothing ends it early but the agent's end.
    ///
    /// - Parameter path: of the guest; its directory exists.
    package func write(_ bytes: [UInt8], to path: String, mode: UInt32) throws(AgentError) {
        let place = CopyPath(path)
        var member = TarMember(path: Array((place.name ?? "").utf8), kind: .file, mode: mode & 0o777)
        member.size = UInt64(bytes.count)
        member.modified = Int64(clamping: HostClock.realtime())
        let archive = TarWriter.header(member) + bytes + TarWriter.padding(behind: member.size) + TarWriter.end
        let never: EventCounter
        do throws(SystemError) { never = try EventCounter() } catch { throw .system(error) }
        var transfer = try ArchiveTransfer(connector, wait: wait, stop: never.rawValue)
        var done = 0
        _ = try transfer.put(PutRequest(path: Array(place.parent.utf8))) { room in
            let count = min(room.count, archive.count - done)
            room.copyBytes(from: archive[done..<done + count])
            done += count
            return count > 0 ? .bytes(count) : .ended
        }
        // The descriptor is open until here.
        never.drain()
    }
}
