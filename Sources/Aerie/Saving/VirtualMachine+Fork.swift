internal import Glibc
internal import GuestMemory
internal import HostSystem
internal import SavedState

/// What copies of a machine begin with.
package struct ForkReport: Sendable {
    package let saving: SavingReport
    /// Whether the file that the caller gave is the memory's file 0.
    package let usesFile: Bool
    /// Descriptors of the memory's other files, in the order of their numbers; open as long as the machine.
    package let files: [Int32]
}

/// Running copies of a machine. They share its memory as it was, copy on write.
extension VirtualMachine {
    /// Saves a machine for copies of it on this host. It is paused afterwards.
    ///
    /// Memory in a file of the machine's own is frozen: nothing is copied, and what the machine writes from now on it copies first. Of a machine
    /// that goes on from saved memory, only the pages are copied that were written since, while it runs.
    ///
    /// - Parameters:
    ///   - state: a descriptor as of `save(state:memory:)`.
    ///   - memory: a descriptor of an empty file for what has to be copied.
    ///   - map: a descriptor of an empty file for the map of the memory's files (`SavedMemoryFiles.map`).
    /// - Throws: as `save(state:memory:)`.
    package func fork(state: Int32, memory: Int32, map: Int32) throws(AerieError) -> ForkReport {
        try requireMemory(.fork)
        if board.memory.canFreeze { return try forkFreezing(state: state, map: map) }
        if let contents = board.memory.contents, contents.descriptors.count < MemoryMap.mostFiles {
            return try forkCopying(contents, state: state, memory: memory, map: map)
        }
        // First: nothing may fail when the machine stands still.
        try store(.whole(size: board.memory.size), map)
        return ForkReport(saving: try save(state: state, memory: memory), usesFile: true, files: [])
    }

    private func forkFreezing(state: Int32, map: Int32) throws(AerieError) -> ForkReport {
        var files: [Int32] = []
        let report = try standingStill(.fork, state: state) { _ throws(AerieError) in
            files = try saving(.fork) { () throws(SystemError) in try board.memory.freeze().descriptors }
            try store(.whole(size: board.memory.size), map)
        }
        return ForkReport(saving: report, usesFile: false, files: files)
    }

    private func forkCopying(
        _ contents: MemorySource, state: Int32, memory: Int32, map: Int32
    ) throws(AerieError) -> ForkReport {
        let copier = try saving(.fork) { () throws(SystemError) in
            try WrittenPages(of: board.memory, over: contents, to: try Self.file(memory))
        }
        let log = try beginLog(.fork)
        defer { log?.end() }
        if let log { try saving(.fork) { () throws(SystemError) in try copier.copyRunning(log) } }
        var files: [Int32] = []
        let report = try standingStill(.fork, state: state) { _ throws(AerieError) in
            let (made, others) = try saving(.fork) { () throws(SystemError) in try copier.finish(log) }
            try store(made, map)
            files = others.map { contents.descriptors[$0] }
        }
        return ForkReport(saving: report, usesFile: true, files: files)
    }

    private func store(_ map: MemoryMap, _ descriptor: Int32) throws(AerieError) {
        try saving(.fork) { () throws(SystemError) in try Self.file(descriptor).writeAll(map.encoded) }
    }
}

/// Copies the pages of a memory that were written since it began with its contents.
private final class WrittenPages {
    private static let page = Int(SavedMachineFile.pageSize)
    /// Bytes that are written at once.
    private static let step = 1 << 20
    /// Times that a running guest's pages are copied, the first one included.
    private static let mostRounds = 8
    /// Bytes that remain when the guest may stand still for them.
    private static let enough = 1 << 20

    private let memory: GuestMemory
    private let file: FileDescriptor
    private var overlay: MemoryOverlay

    /// - Parameter file: empty.
    init(of memory: GuestMemory, over contents: MemorySource, to file: consuming FileDescriptor) throws(SystemError) {
        try file.truncate(to: memory.size)
        self.memory = memory
        self.file = file
        overlay = MemoryOverlay(over: contents)
    }

    /// Copies while the guest runs, until little is left.
    func copyRunning(_ log: WriteLog) throws(SystemError) {
        try copyWritten()
        var before = Int.max
        for _ in 1..<Self.mostRounds {
            let ranges = try log.take()
            let count = ranges.reduce(0) { $0 + $1.count }
            for range in ranges { try copy(range) }
            guard count > Self.enough, count < before / 2 else { return }
            before = count
        }
    }

    /// Copies the rest of a memory that stands still.
    ///
    /// - Parameter log: nil when nothing was copied before.
    /// - Returns: the map, and the numbers that its files 1 and up have in the contents.
    func finish(_ log: WriteLog?) throws(SystemError) -> (MemoryMap, others: [Int]) {
        if let log {
            for range in try log.take() { try copy(range) }
        } else {
            try copyWritten()
        }
        let copied = overlay
        guard let (map, others) = overlay.limited() else {
            // Too many pieces: all of the memory is in the new file.
            try copyAll()
            return (.whole(size: memory.size), [])
        }
        for run in overlay.runs() {
            for page in run where !copied.contains(page) { try write(page..<page + 1) }
        }
        return (map, others)
    }

    private func copyWritten() throws(SystemError) {
        var position: UInt64 = 0
        while let range = try memory.nextWritten(from: position) {
            try copy(range)
            position = range.upperBound
        }
    }

    private func copyAll() throws(SystemError) {
        var position: UInt64 = 0
        while position < memory.size, let range = try memory.nextData(from: position) {
            try copy(range)
            position = range.upperBound
        }
    }

    /// Copies the pages of a range. A page of zeroes that was not copied before is a hole of the file already.
    private func copy(_ range: Range<UInt64>) throws(SystemError) {
        let end = (Int(range.upperBound) + Self.page - 1) / Self.page
        var run: Range<Int>?
        for page in Int(range.lowerBound) / Self.page..<end {
            let isHole = !overlay.contains(page) && isZero(page)
            overlay.insert(page)
            if isHole || run.map({ $0.count * Self.page >= Self.step }) == true {
                if let run { try write(run) }
                run = nil
            }
            if !isHole { run = (run?.lowerBound ?? page)..<page + 1 }
        }
        if let run { try write(run) }
    }

    private func isZero(_ page: Int) -> Bool {
        UnsafeRawBufferPointer(start: memory.hostBase + page * Self.page, count: Self.page).isZero
    }

    private func write(_ pages: Range<Int>) throws(SystemError) {
        let start = pages.lowerBound * Self.page
        try file.writeAll(
            at: UInt64(start),
            UnsafeRawBufferPointer(start: memory.hostBase + start, count: pages.count * Self.page))
    }
}
