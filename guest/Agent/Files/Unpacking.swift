import Support

/// PUT: unpacks a tar stream below a directory.
final class Unpacking: Work {
    private let place: UnpackPlace
    private var reader = TarReader()
    private var owed = 0
    private var files: UInt64 = 0
    private var bytes: UInt64 = 0
    /// The member that is being unpacked; its file, if it is one.
    private var member: TarMember?
    private var file: Descriptor?
    /// Directories that were made, from the outermost on, whose modes and times are set once nothing more is made in
    /// them. Archives have a directory's members behind it.
    private var directories: [TarMember] = []

    private static let window = Int(AgentLimits.credit)
    /// The most directories that wait for their attributes: deeper ones get them at once.
    private static let deepest = 256

    init(_ session: Session, _ request: PutRequest) throws(AgentFailure) {
        place = try UnpackPlace(request)
        super.init(session)
        session.grant(Self.window)
    }

    override func take(_ bytes: UnsafeRawBufferPointer) throws(AgentFailure) {
        guard aerie_heap_available() > AgentOptions.heapReserve else { throw AgentFailure.outOfMemory }
        owed += bytes.count
        reader.append(bytes)
        while let event = try next() { try handle(event) }
    }

    private func next() throws(AgentFailure) -> TarEvent? {
        do throws(TarFault) {
            return try reader.next()
        } catch {
            throw AgentFailure(.faultyMessage, text: Self.text(error, member))
        }
    }

    private static func text(_ fault: TarFault, _ member: TarMember?) -> [UInt8] {
        guard let member else { return [UInt8](fault.text) }
        return .quoted(member.path, fault.text)
    }

    override func takeEnd() throws(AgentFailure) {
        do throws(TarFault) {
            try reader.finish()
        } catch {
            throw AgentFailure(.faultyMessage, text: Self.text(error, member))
        }
        while let directory = directories.popLast() { try setAttributes(of: directory) }
        session.send(.done(files: files, bytes: bytes))
        session.finish()
    }

    private func handle(_ event: TarEvent) throws(AgentFailure) {
        switch event {
        case .member(let member):
            self.member = member
            try leaveDirectories(before: member)
            try begin(member)
        case .data(let offset, let data): try write(data, at: offset)
        case .memberEnd:
            if let member { try end(member) }
            member = nil
            file = nil
            files += 1
        case .archiveEnd: break
        }
    }

    /// Runs an operation on the present member; its error names the member.
    private func attempt<Result: ~Copyable>(
        _ member: TarMember, _ body: () throws(Errno) -> Result
    ) throws(AgentFailure) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw AgentFailure(.file, member.path, error)
        }
    }

    private func begin(_ member: TarMember) throws(AgentFailure) {
        guard let components = TarPath.components(member.path) else {
            throw AgentFailure(.file, text: .quoted(member.path, "a name with '..' leads out of the directory"))
        }
        switch member.kind {
        case .file: file = try attempt(member) { () throws(Errno) in try place.makeFile(components) }
        case .directory:
            // A directory that was there keeps its mode, owner and time.
            guard try attempt(member, { () throws(Errno) in try place.makeDirectory(components) }) else { return }
            guard directories.count < Self.deepest else { return try setAttributes(of: member) }
            directories.append(member)
        case .symbolicLink(let target):
            try attempt(member) { () throws(Errno) in try place.makeLink(components, to: target) }
            try setAttributes(of: member)
        case .hardLink(let target):
            guard let old = TarPath.components(target) else {
                throw AgentFailure(.file, text: .quoted(target, "a link with '..' leads out of the directory"))
            }
            try attempt(member) { () throws(Errno) in try place.makeHardLink(components, to: old) }
        case .fifo:
            try attempt(member) { () throws(Errno) in try place.makeFIFO(components) }
            try setAttributes(of: member)
        case .characterDevice, .blockDevice:
            throw AgentFailure(
                .unsupported, text: .quoted(member.path, "device nodes are not unpacked; leave them out"))
        }
    }

    private func write(_ data: [UInt8], at offset: UInt64) throws(AgentFailure) {
        guard let member, let number = file.number else { return }
        try attempt(member) { () throws(Errno) in
            var position = 0
            while position < data.count {
                let result = data.withUnsafeBytes {
                    system(
                        SystemCall.pwrite64, Int(number), Int(bitPattern: $0.baseAddress) + position,
                        data.count - position, Int(offset) + position)
                }
                position += try checked(result)
            }
        }
        bytes += UInt64(data.count)
    }

    private func end(_ member: TarMember) throws(AgentFailure) {
        guard member.kind == .file, let number = file.number else { return }
        try attempt(member) { () throws(Errno) in
            // A hole at the end has no data.
            try checked(system(SystemCall.ftruncate, Int(number), Int(member.size)))
            try place.setAttributes(of: member, file: number)
            try place.finishFile(TarPath.components(member.path) ?? [])
        }
    }

    private func setAttributes(of member: TarMember) throws(AgentFailure) {
        guard let components = TarPath.components(member.path) else { return }
        try attempt(member) { () throws(Errno) in try place.setAttributes(of: member, components) }
    }

    /// Sets the attributes of directories that the next member is not in.
    private func leaveDirectories(before member: TarMember) throws(AgentFailure) {
        guard !directories.isEmpty, let next = TarPath.components(member.path) else { return }
        while let last = directories.last {
            let components = TarPath.components(last.path) ?? []
            if next.count > components.count, Array(next[..<components.count]) == components { return }
            directories.removeLast()
            try setAttributes(of: last)
        }
    }

    override func produce() -> Bool {
        guard owed >= Self.window / 4, !session.inputHasEnded else { return false }
        session.grant(owed)
        owed = 0
        return true
    }

    override func abandon() {
        file = nil
        place.dropFile()
    }
}
