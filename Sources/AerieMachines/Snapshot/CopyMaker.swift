internal import Glibc
internal import HostSystem
internal import Runtime

/// Makes several copies of a machine, some at once: while one guest becomes somebody else, the process of the next one starts.
final class CopyMaker: @unchecked Sendable {
    // @unchecked: `restoring` does not change, and commands may make machines of one directory at once.
    private let restoring: SnapshotRestoring
    private let names: [String]
    private let progress = Monitor(Progress())

    private struct Progress {
        /// The first name that nobody has begun with.
        var next = 0
        var isStopped = false
        var results: [Int: Result<Machine, any Error>] = [:]
    }

    /// More at once only wait for each other.
    private static let mostAtOnce = 8

    init(_ restoring: SnapshotRestoring, names: [String]) {
        self.restoring = restoring
        self.names = names
    }

    /// Makes the copies. After a failure no further one is begun.
    ///
    /// - Parameter onCopy: called with each copy that runs, in the order of the names.
    /// - Throws: the first failure, when all copies that were begun are there or gone.
    func run(onCopy: (Machine) throws -> Void) throws {
        let width = min(names.count, max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1), Self.mostAtOnce)
        let threads = (0..<(names.count == 1 ? 0 : width)).compactMap { _ in
            try? HostThread(name: "copies") { [self] in work() }
        }
        guard !threads.isEmpty else {
            for name in names { try onCopy(try restoring.start(name: name)) }
            return
        }
        var failure: (any Error)?
        for index in names.indices {
            guard let result = result(index) else { break }
            do {
                try onCopy(result.get())
            } catch {
                failure = failure ?? error
                progress.update { $0.isStopped = true }
            }
        }
        for thread in threads { thread.join() }
        if let failure { throw failure }
    }

    /// Waits for a copy. Nil for one that is not begun after a failure.
    private func result(_ index: Int) -> Result<Machine, any Error>? {
        progress.wait { progress in
            progress.results[index] != nil || progress.isStopped && index >= progress.next ? () : nil
        }
        return progress.withLock { $0.results.removeValue(forKey: index) }
    }

    private func work() {
        while let index = takeNext() {
            let result = Result { try restoring.start(name: names[index]) }
            progress.update { progress in
                progress.results[index] = result
                if case .failure = result { progress.isStopped = true }
            }
        }
    }

    private func takeNext() -> Int? {
        progress.update { progress in
            guard !progress.isStopped, progress.next < names.count else { return nil }
            progress.next += 1
            return progress.next - 1
        }
    }
}
