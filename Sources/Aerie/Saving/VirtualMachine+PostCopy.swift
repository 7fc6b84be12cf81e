internal import Glibc
internal import GuestMemory
internal import HostSystem

/// The guest runs at the receiver of a transfer before all of its memory is there (post-copy).
extension VirtualMachine {
    /// Sends the pages that a transfer has left out, until the receiver needs nothing more or the connection ends. The machine is paused
    /// before and afterwards.
    ///
    /// - Parameters:
    ///   - pages: `SavingReport.missing`.
    ///   - input, output: of the connection with the receiver.
    ///   - onComplete: called with the receiver's word when it needs nothing more, before anybody else can let the machine run again.
    /// - Throws: `usage` when the machine is not paused.
    package func sendPages(
        _ pages: [Range<UInt64>], input: Int32, output: Int32, _ options: TransferOptions,
        onComplete: (_ outcome: [UInt8]?) -> Void
    ) throws(AerieError) -> PagesReport {
        let sender = PageSender(
            board.memory, pages, over: TransferStream(input: input, output: output, options))
        return try whilePaused("send the memory of") { () throws(AerieError) in
            let report = sender.run { !isKilled }
            if report.isComplete { onComplete(report.outcome) }
            return report
        }
    }

    /// Whether this host lets a machine run before its memory is there.
    ///
    /// - Throws: `unavailable` with the reason.
    package static func checkPostCopy(_ configuration: Configuration) throws(AerieError) {
        do throws(SystemError) {
            try ArrivingPages.check(servesKernel: servesKernel(configuration))
        } catch {
            let isForbidden = error.code == EPERM
            throw AerieError(
                .unavailable, asked: "post-copy", found: "the receiver's host refuses it: \(error)",
                advice: isForbidden
                    ? "let root receive, set vm.unprivileged_userfaultfd=1 there, or migrate without --post-copy"
                    : "migrate without --post-copy")
        }
    }

    /// Receives the pages of this machine, which was built from an arrival (`HostServices.arrival`).
    package func pageReceiver(_ files: ArrivalFiles) throws(AerieError) -> PageReceiver {
        try PageReceiver(files, board.memory.arriving)
    }

    /// Whether the kernel accesses the guest's memory by itself.
    static func servesKernel(_ configuration: Configuration) -> Bool { configuration.architecture == .x86_64 }
}

extension MemoryArrival {
    /// - Throws: EINVAL for missing pages that are not those of a memory of this size.
    init(_ files: ArrivalFiles, size: UInt64, servesKernel: Bool) throws(SystemError) {
        let missing = files.missing
        let list = try FileDescriptor(duplicating: missing)
        var bytes = [UInt8](repeating: 0, count: Int(clamping: try list.size()))
        let count = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(SystemError) in
            try list.read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
        }
        guard count == bytes.count, let ranges = MissingPages.ranges(bytes, from: 0, size: size) else {
            throw SystemError("the list of missing pages", code: EINVAL)
        }
        self.init(file: files.memory, missing: ranges, servesKernel: servesKernel)
    }
}
