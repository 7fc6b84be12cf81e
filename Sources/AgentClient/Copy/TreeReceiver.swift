internal import HostSystem
internal import TarStream

/// Unpacks a guest's tar stream below a directory of this host. One thread.
package final class TreeReceiver {
    private var reader = TarReader()
    private var writer: TreeWriter
    private let name: FileName?
    private let onFailure: (String, TreeFault) -> Void
    /// Files that were made, and their bytes without holes.
    package private(set) var files: UInt64 = 0
    package private(set) var bytes: UInt64 = 0
    private var path = ""
    private var isSkipped = true

    /// - Parameters:
    ///   - plan: whose name replaces the first component of each member.
    ///   - onFailure: called for each member that is left out.
    package init(
        _ plan: CopyPlan, onFailure: @escaping (String, TreeFault) -> Void
    ) throws(TreeFault) {
        if let text = plan.name {
            guard let name = FileName(text.utf8) else { throw .invalidName }
            self.name = name
        } else {
            name = nil
        }
        self.onFailure = onFailure
        do throws(SystemError) { writer = try TreeWriter(plan.directory) } catch { throw .system(error) }
    }

    /// Takes bytes of the stream.
    package func take(_ piece: UnsafeRawBufferPointer) throws(AgentError) {
        reader.append(piece)
        do throws(TarFault) {
            while let event = try reader.next() { take(event) }
        } catch {
            writer.close()
            throw .brokenArchive("\(error.text)")
        }
    }

    /// Ends the copy in order.
    package func finish() throws(AgentError) {
        writer.close()
        do throws(TarFault) { try reader.finish() } catch { throw .brokenArchive("\(error.text)") }
    }

    /// Drops a file that is not complete; the others stay.
    package func abandon() { writer.close() }

    private func take(_ event: TarEvent) {
        do throws(TreeFault) {
            switch event {
            case .member(let member): try begin(member)
            case .data(let offset, let data):
                guard !isSkipped else { return }
                bytes += UInt64(data.count)
                try writeData(data, offset)
            case .memberEnd:
                guard !isSkipped else { return }
                try writer.finish()
                files += 1
            case .archiveEnd: break
            }
        } catch {
            isSkipped = true
            onFailure(path, error)
        }
    }

    private func writeData(_ data: [UInt8], _ offset: UInt64) throws(TreeFault) {
        let fault = data.withUnsafeBytes { bytes -> TreeFault? in
            do throws(TreeFault) {
                try writer.write(bytes, at: offset)
                return nil
            } catch {
                return error
            }
        }
        if let fault { throw fault }
    }

    private func begin(_ member: TarMember) throws(TreeFault) {
        isSkipped = true
        path = PrintableText.of(member.path)
        guard let components = self.components(member.path) else { throw .invalidName }
        // The directory itself, of a copy of contents.
        if components.isEmpty { return }
        let kind: TreeMember.Kind
        switch member.kind {
        case .file: kind = .file(size: member.size)
        case .directory: kind = .directory
        case .symbolicLink(let target): kind = .symbolicLink(target: target)
        case .hardLink(let target):
            guard let target = self.components(target), !target.isEmpty else { throw .invalidLink }
            kind = .hardLink(target: target)
        case .fifo: kind = .fifo
        case .characterDevice, .blockDevice: throw .deviceNode
        }
        let (seconds, fraction) = Self.split(member.modified)
        try writer.begin(TreeMember(components, kind, mode: member.mode, modified: (seconds, fraction)))
        isSkipped = false
    }

    /// The place of a member: its first component is the source's name, or `.`.
    private func components(_ path: [UInt8]) -> [FileName]? {
        let slash = UInt8(ascii: "/")
        guard path.first != slash else { return nil }
        let rest = path.firstIndex(of: slash).map { Array(path[($0 + 1)...]) } ?? []
        let first = path.prefix { $0 != slash }
        guard first.elementsEqual([UInt8(ascii: ".")]) || FileName(first) != nil else { return nil }
        guard let components = FileName.components(rest) else { return nil }
        return (name.map { [$0] } ?? []) + components
    }

    private static func split(_ nanoseconds: Int64) -> (seconds: Int64, fraction: UInt32) {
        let unit: Int64 = 1_000_000_000
        let fraction = (nanoseconds % unit + unit) % unit
        return ((nanoseconds - nanoseconds % unit) / unit - (nanoseconds % unit < 0 ? 1 : 0), UInt32(fraction))
    }
}
