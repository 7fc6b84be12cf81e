internal import Glibc
internal import GuestMemory
internal import HostSystem

/// What a machine's process gets of whoever has received its machine: descriptors, which stay the caller's.
package struct ArrivalFiles: Sendable {
    /// The memory (memfd_create(2)), empty where pages are missing.
    package var memory: Int32
    /// The missing pages (`MissingPages`), as a file.
    package var missing: Int32
    /// The connection with the sender.
    package var input: Int32
    package var output: Int32
    /// A stream to the receiver, which gets a byte at each step (`Arrival.Step`).
    package var channel: Int32
    /// The machine's file that says how far it has come (`Arrival.Mark`).
    package var mark: Int32

    package init(memory: Int32, missing: Int32, input: Int32, output: Int32, channel: Int32, mark: Int32) {
        self.memory = memory
        self.missing = missing
        self.input = input
        self.output = output
        self.channel = channel
        self.mark = mark
    }

    package var descriptors: [Int32] { [memory, missing, input, output, channel, mark] }
}

/// The steps of a machine whose guest runs before its memory is there.
package enum Arrival {
    /// In the file `ArrivalFiles.mark`: one byte, written before the step.
    package enum Mark: UInt8, Sendable {
        /// No instruction of the guest has run.
        case prepared = 0x50
        case running = 0x52
        /// The machine needs nothing more of its sender.
        case complete = 0x43
    }

    /// To the receiver.
    package enum Step: UInt8, Sendable {
        case complete = 0x43
        /// The sender knows it.
        case heard = 0x48
    }
}

/// Receives the pages of a machine while its guest runs, in the machine's process: a thread asks for the pages that somebody waits for, and
/// another one stores what comes. Neither accesses the memory otherwise, so that they never wait for a page themselves.
package final class PageReceiver: @unchecked Sendable {
    // @unchecked: `stream` is read by one thread, and written with the lock of `sending` only.

    /// How long the sender may be silent, in milliseconds.
    private static let patience: Int32 = 60_000

    private struct Sending {
        /// The sender was told that the guest runs.
        var isAnnounced = false
        /// The sender was told that nothing more is needed.
        var isOver = false
    }

    private let files: ArrivalFiles
    /// Nil for memory that is all there.
    private let pages: ArrivingPages?
    private let stream: TransferStream
    private let sending = Monitor(Sending())
    private let stop: EventCounter

    /// - Parameter pages: of the machine's memory, built from `files`.
    init(_ files: ArrivalFiles, _ pages: ArrivingPages?) throws(AerieError) {
        self.files = files
        self.pages = pages
        stream = TransferStream(input: files.input, output: files.output)
        do throws(SystemError) { stop = try EventCounter() } catch { throw Self.failure(error) }
    }

    /// Begins to receive. Nobody accesses the memory before.
    ///
    /// - Parameter onLoss: called, with the reason, when the connection has ended too early; guest code waits for ever then.
    package func begin(onLoss: @escaping @Sendable (_ found: String) -> Void) throws(AerieError) {
        guard let pages else { return close() }
        do throws(SystemError) {
            _ = try HostThread(name: "page-faults") { [self] in askFor(pages) }
            _ = try HostThread(name: "page-reader") { [self] in
                do throws(TransferError) {
                    try receive(pages)
                } catch  where !isOver {
                    onLoss("\(error) while \(pages.missingSize >> 10) KiB of the memory were missing")
                } catch {}
                close()
            }
        } catch { throw Self.failure(error) }
    }

    /// The connection ends with its last descriptor.
    private func close() {
        sending.withLock { sending in
            sending.isOver = true
            for descriptor in [files.input, files.output, files.channel] { Glibc.close(descriptor) }
        }
    }

    private static func failure(_ error: SystemError) -> AerieError {
        AerieError(opening: "the pages of the machine", error)
    }

    private var isOver: Bool { sending.withLock { $0.isOver } }

    /// The guest's first instruction comes next: the sender must not let the guest go on any more.
    package func noteRunning() throws(AerieError) {
        do throws(SystemError) { try write(pages == nil ? .complete : .running) } catch { throw Self.failure(error) }
    }

    /// Tells the sender that the guest runs, if a part of its memory is still to come; otherwise the receiver does.
    package func announce(_ outcome: [UInt8]) {
        guard pages != nil else { return }
        send { (stream) throws(TransferError) in try stream.send(.outcome, text: outcome) }
        sending.update { $0.isAnnounced = true }
    }

    /// The machine has come to its end by itself, and needs no memory any more.
    package func noteEnd() { if pages != nil { complete() } }

    // MARK: Threads

    private func askFor(_ pages: ArrivingPages) {
        while true {
            var entries = [
                pollfd(fd: pages.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stop.rawValue, events: Int16(POLLIN), revents: 0),
            ]
            _ = poll(&entries, 2, -1)
            if entries[1].revents != 0 { return }
            guard entries[0].revents != 0, let wanted = try? pages.takeWanted() else { continue }
            for offset in wanted {
                let frame = TransferFrame(
                    .wanted, file: TransferredFile.memory, offset: offset, count: PageSet.pageSize)
                send { (stream) throws(TransferError) in try stream.send(frame) }
            }
        }
    }

    /// Whoever cannot send learns of the connection's end by reading.
    private func send(_ body: (TransferStream) throws(TransferError) -> Void) {
        sending.withLock { sending in
            guard !sending.isOver else { return }
            try? body(stream)
        }
    }

    private func receive(_ pages: ArrivingPages) throws(TransferError) {
        while pages.missingSize > 0 {
            let (frame, data) = try next()
            do throws(SystemError) {
                switch (frame.kind, frame.file) {
                case (.data, TransferredFile.memory):
                    try pages.store(data.baseAddress, count: frame.count, at: frame.offset)
                case (.zeroes, TransferredFile.memory): try pages.store(nil, count: frame.count, at: frame.offset)
                default: throw SystemError("a frame of the memory", code: EPROTO)
                }
            } catch { throw .damaged("what came is not a part of the memory that is missing: \(error)") }
        }
        pages.finish()
        stop.signal()
        // Until the guest runs, the machine may still be the sender's.
        _ = sending.wait { $0.isAnnounced ? () : nil }
        complete()
        // The sender's last word; without it, the receiver is asked.
        while let frame = try? next().frame { if frame.kind == .heard { return tell(.heard) } }
    }

    private func next() throws(TransferError) -> (frame: TransferFrame, data: UnsafeRawBufferPointer) {
        guard stream.hasInput(within: Self.patience) else { throw .damaged("the other side says nothing any more") }
        return try stream.receive()
    }

    private func complete() {
        // From here on, the loss of the connection is none.
        sending.withLock { sending in
            guard !sending.isOver else { return }
            sending.isOver = true
            try? write(.complete)
            try? stream.send(.arrived)
            tell(.complete)
        }
    }

    private func write(_ mark: Arrival.Mark) throws(SystemError) {
        var byte = mark.rawValue
        _ = try checked("write") { pwrite(files.mark, &byte, 1, 0) }
    }

    private func tell(_ step: Arrival.Step) {
        var byte = step.rawValue
        _ = Glibc.write(files.channel, &byte, 1)
    }
}
