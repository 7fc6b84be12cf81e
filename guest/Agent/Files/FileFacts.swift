import Support

/// The status of files.
enum FileFacts {
    static func statx(_ path: [UInt8], followsLinks: Bool) throws(Errno) -> aerie_statx {
        try path.withCString { statx(OpenFlags.here, Int($0), followsLinks ? 0 : OpenFlags.symlinkNoFollow) }.get()
    }

    /// The status of the file `name`, an address of text, below an open directory.
    static func statx(_ directory: Int, _ name: Int, _ flags: Int) -> Result<aerie_statx, Errno> {
        var status = aerie_statx()
        // The basic facts: type, mode, links, owner, group, times, inode, size, blocks.
        let result = withUnsafeMutablePointer(to: &status) {
            system(SystemCall.statx, directory, name, flags, 0x7ff, Int(bitPattern: $0))
        }
        return result < 0 ? .failure(Errno(Int32(-result))) : .success(status)
    }

    /// A path from the root directory; the agent has no other.
    static func absolute(_ path: [UInt8]) -> [UInt8] {
        path.first == UInt8(ascii: "/") ? path : [UInt8(ascii: "/")] + path
    }

    static func failure(_ path: [UInt8], _ error: Errno) -> AgentFailure {
        AgentFailure(error == .noEntry || error == .notDirectory ? .notFound : .file, path, error)
    }

    static func status(_ request: StatusRequest) throws(AgentFailure) -> FileStatus {
        let path = absolute(request.path)
        do throws(Errno) {
            let facts = try statx(path, followsLinks: request.followsLinks)
            var status = FileStatus(
                kind: kind(facts.mode), mode: UInt32(facts.mode & 0o7777), size: facts.size,
                modified: nanoseconds(facts.modified), owner: facts.owner, group: facts.group)
            if status.kind == .symbolicLink { status.linkTarget = readLink(path) }
            status.realPath = realPath(path)
            return status
        } catch {
            throw failure(request.path, error)
        }
    }

    static func kind(_ mode: UInt16) -> FileStatus.Kind {
        switch mode & 0o170000 {
        case 0o040000: .directory
        case 0o120000: .symbolicLink
        case 0o010000: .fifo
        case 0o020000: .characterDevice
        case 0o060000: .blockDevice
        case 0o140000: .socket
        default: .file
        }
    }

    /// Nanoseconds since 1970, at the ends of their range where a time lies beyond.
    static func nanoseconds(_ time: aerie_statx_time) -> Int64 {
        let (product, overflow) = time.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return time.seconds < 0 ? Int64.min : Int64.max }
        let (sum, carry) = product.addingReportingOverflow(Int64(time.nanoseconds))
        return carry ? Int64.max : sum
    }

    static func readLink(_ path: [UInt8]) -> [UInt8]? { readLink(Int32(OpenFlags.here), path) }

    static func readLink(_ directory: Int32, _ path: [UInt8]) -> [UInt8]? {
        var count = 0
        let target = [UInt8](unsafeUninitializedCapacity: AgentLimits.path) { buffer, used in
            count = path.withCString {
                system(
                    SystemCall.readlinkat, Int(directory), Int($0), Int(bitPattern: buffer.baseAddress),
                    AgentLimits.path)
            }
            used = max(count, 0)
        }
        return count > 0 ? target : nil
    }

    /// The kernel's name of the file that a path leads to, or nil if it leads nowhere.
    static func realPath(_ path: [UInt8]) -> [UInt8]? {
        guard let file = try? FileAccess.open(path, OpenFlags.path) else { return nil }
        var name = [UInt8]("/proc/self/fd/")
        name.add(number: UInt64(file.number))
        return readLink(name)
    }

    /// Calls `body` with each name of a directory but `.` and `..`.
    static func forEachName(in path: [UInt8], _ body: ([UInt8]) -> Void) {
        guard let directory = try? FileAccess.open(path, OpenFlags.read | OpenFlags.directory) else { return }
        _ = forEachName(in: directory, body)
    }

    /// False if reading failed in between.
    static func forEachName(in directory: borrowing Descriptor, _ body: ([UInt8]) -> Void) -> Bool {
        while true {
            var count = 0
            let entries = [UInt8](unsafeUninitializedCapacity: 16_384) { buffer, used in
                count = system(
                    SystemCall.getdents64, Int(directory.number), Int(bitPattern: buffer.baseAddress), 16_384)
                used = max(count, 0)
            }
            guard count > 0 else { return count == 0 }
            // u64 inode, u64 offset, u16 length, u8 type, the name and a zero.
            var position = 0
            while count - position >= 20 {
                let length = Int(entries.integer(at: position + 16, as: UInt16.self) ?? 0)
                guard length >= 20, length <= count - position else { return false }
                let text = entries[(position + 19)..<(position + length)]
                let name = Array(text[..<(text.firstIndex(of: 0) ?? text.endIndex)])
                if !(name == "."), !(name == "..") { body(name) }
                position += length
            }
        }
    }
}
