internal import CRuntime
internal import Aerie
internal import Glibc
internal import HostSystem

/// The memory of a machine as its receiver gets it: a file of the machine's directory; or, of a machine that may go on before all of its
/// memory is there, a file in memory, which the machine's process gets.
final class ReceivedMemory {
    /// An optional value that cannot be copied is of no use in a class.
    private final class File {
        let descriptor: FileDescriptor

        init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    }

    let memory: TransferredMemory
    private let file: FileDescriptor
    /// The list of missing pages; nil for memory in the machine's directory.
    private let missing: File?
    /// How far the machine has come, which a machine that is removed at its end takes along otherwise.
    private let markFile: File?

    /// - Parameter work: the directory in which the machine is made.
    init(size: UInt64, in work: String, isPostCopy: Bool) throws {
        if isPostCopy {
            file = try makeMemoryFile(name: "guest-memory", size: 0)
            missing = File(try makeMemoryFile(name: "missing-pages", size: 0))
            let mark = try FileDescriptor(new: "\(work)/\(Machine.arrivalName)")
            try mark.writeAll(at: 0, [Arrival.Mark.prepared.rawValue])
            markFile = File(mark)
        } else {
            file = try FileDescriptor(new: "\(work)/\(Machine.savedMemoryName)")
            missing = nil
            markFile = nil
        }
        memory = try TransferredMemory(file: file.rawValue, size: size)
    }

    /// Everything has come that comes before the start.
    func finish() throws(TransferError) {
        if let list = missing?.descriptor.rawValue {
            try memory.finish(list: list)
        } else if !memory.missing.isEmpty {
            throw .damaged("pages are missing that may not be missing")
        }
    }

    var arePagesMissing: Bool { !memory.missing.isEmpty }

    /// How far a machine has come that may run before its memory is there; nil for others.
    var mark: Arrival.Mark? {
        guard let file = markFile?.descriptor.rawValue else { return nil }
        var byte: UInt8 = 0
        return pread(file, &byte, 1, 0) == 1 ? Arrival.Mark(rawValue: byte) : nil
    }

    /// Calls `body` with what the machine's process needs of this memory and of the connection with the sender.
    ///
    /// - Returns: the channel over which the process reports; nil for memory in the machine's directory.
    func give(
        input: Int32, output: Int32, _ body: (ArrivalDescriptors?) throws -> Void
    ) throws -> ArrivalChannel? {
        guard let list = missing?.descriptor.rawValue else {
            try body(nil)
            return nil
        }
        var ends: [Int32] = [-1, -1]
        _ = try checked("pipe") { aerie_start_pipe(&ends) }
        let channel = ArrivalChannel(owning: ends[0])
        defer { close(ends[1]) }
        try body(
            ArrivalDescriptors(
                memory: file.rawValue, missing: list, input: input, output: output, channel: ends[1]))
        return channel
    }
}

/// The receiver's end of the channel from a machine whose memory is still coming.
final class ArrivalChannel {
    private let reader: FileDescriptor

    init(owning descriptor: Int32) { reader = FileDescriptor(owning: descriptor) }

    /// Waits for the machine's next step; nil when its process has ended, or has nothing more to say.
    func next() -> Arrival.Step? {
        var byte: UInt8 = 0
        let count =
            (try? withUnsafeMutableBytes(of: &byte) { (buffer) throws(SystemError) in try reader.read(into: buffer) })
            ?? 0
        return count == 1 ? Arrival.Step(rawValue: byte) : nil
    }
}
