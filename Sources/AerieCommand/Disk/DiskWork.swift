internal import Aerie
internal import DiskImages
internal import HostSystem
internal import Synchronization

/// Long work on images: shows its progress, and ends in order when this process is told to end.
struct DiskWork {
    let title: String
    let phase: String

    /// - Parameter work: takes the function that it calls with its progress.
    func run(_ work: (DiskCopy.Progress) throws(DiskImageError) -> Void) throws {
        let display = ProgressDisplay(title: title)
        let isCancelled = CancellationMark()
        let interruption = Interruption { isCancelled.set() }
        do throws(SystemError) { try interruption.start() } catch { throw AerieError(opening: title, error) }
        let result: Result<Void, DiskImageError>
        do throws(DiskImageError) {
            try work { (completed, total) throws(DiskImageError) in
                if isCancelled.isSet { throw .cancelled }
                // Scripts have the result, and nothing else.
                if StandardError.isTerminal { display.show(phase, completed: completed, of: total) }
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        display.finish()
        interruption.finish(result.isFailure ? "\(title): interrupted" : nil)
        try result.get()
    }
}

private final class CancellationMark: Sendable {
    private let mark = Atomic(false)

    var isSet: Bool { mark.load(ordering: .relaxed) }

    func set() { mark.store(true, ordering: .relaxed) }
}

extension Result {
    fileprivate var isFailure: Bool { if case .failure = self { true } else { false } }
}
