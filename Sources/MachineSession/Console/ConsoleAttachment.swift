package import Aerie
internal import ControlAPI
internal import Glibc
package import HostSystem
package import Runtime

/// This process's terminal, or its standard streams, at the console of a machine that runs in the background.
package struct ConsoleAttachment {
    private static let chunk = 1 << 16
    private static let endOfTransmission: UInt8 = 4

    private let machine: Machine
    private let client: ControlClient
    private let number: Int
    private let isTerminal = Terminal.isTerminal(STDIN_FILENO)
    private let detachKeys: DetachKeys

    /// Connects to the console.
    ///
    /// - Parameter holdsGuest: whether the guest waits for this process's output, as the command of `run` does; otherwise what is read too
    ///   slowly is lost.
    /// - Throws: `usage` when the machine does not run.
    package init(
        _ machine: Machine, withRecent: Bool, holdsGuest: Bool = false, detachKeys: DetachKeys = .usual
    ) throws(AerieError) {
        self.machine = machine
        self.detachKeys = detachKeys
        client = try ControlClient(machine)
        var parameters: [String: JSONValue] = [
            "recent": .boolean(withRecent), "holdsGuest": .boolean(holdsGuest),
        ]
        if isTerminal, let size = Terminal.windowSize(STDOUT_FILENO) {
            parameters["columns"] = JSONValue(size.columns)
            parameters["rows"] = JSONValue(size.rows)
        }
        number = try client.call(.attach, parameters)["attachment"]?.integer ?? 0
    }

    /// Why an attachment ended.
    package enum End: Sendable {
        /// By the detach keys.
        case detached
        /// By Ctrl-] three times.
        case left
        /// The machine ends, or its console did.
        case machineEnded
    }

    /// Moves bytes until the machine ends or the user detaches.
    ///
    /// - Returns: the machine's exit code, or 0.
    package func run() throws(AerieError) -> Int32 {
        guard try attend(hint: detachKeys.hint, endsInput: false) == .machineEnded else {
            noteDetached()
            return 0
        }
        try machine.waitForEnd()
        return machine.status.exitCode ?? 0
    }

    /// Says on a terminal that the machine goes on.
    package func noteDetached() {
        if isTerminal { StandardError.write("\naerie: detached; '\(machine.record.name)' goes on\n") }
    }

    /// Moves bytes until the machine ends or the user detaches.
    ///
    /// - Parameters:
    ///   - hint: for a user at a terminal, about the keys.
    ///   - endsInput: whether the end of an input that is not a terminal is typed for the guest, as an end of transmission.
    package func attend(hint: String, endsInput: Bool) throws(AerieError) -> End {
        SignalWatch.discard(SIGPIPE)
        let window = try WindowWatch(machine, number, isTerminal: isTerminal)
        defer { window?.cancel() }
        do throws(SystemError) {
            if isTerminal { try Terminal.enterRawMode(input: STDIN_FILENO, output: STDOUT_FILENO) }
        } catch { throw AerieError(opening: "the terminal", error) }
        defer { Terminal.restore() }
        if isTerminal, StandardError.isTerminal {
            StandardError.write("aerie: \(hint)\r\n")
        }
        return switch try move(endsInput: endsInput) {
        case .detach: .detached
        case .escape: .left
        case nil: .machineEnded
        }
    }

    /// - Returns: the keys that the user has typed; nil at the end of the machine.
    private func move(endsInput: Bool) throws(AerieError) -> ConsoleKeys.Found? {
        let (socket, begun) = client.stream
        try write(begun)
        var keys = ConsoleKeys(detachKeys)
        var inputIsOpen = true
        var buffer = [UInt8](repeating: 0, count: Self.chunk)
        while true {
            var entries = [
                pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
                pollfd(fd: inputIsOpen ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&entries, 2, -1) >= 0 else { continue }
            if entries[0].revents != 0 {
                let count = buffer.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
                if count == 0 || count < 0 && errno != EINTR { return nil }
                if count > 0 { try write(Array(buffer[..<count])) }
            }
            if entries[1].revents != 0 {
                let count = buffer.withUnsafeMutableBytes { read(STDIN_FILENO, $0.baseAddress!, $0.count) }
                if count < 0 { continue }
                if count == 0 {
                    inputIsOpen = false
                    guard !endsInput else {
                        guard isTerminal || Self.send([Self.endOfTransmission], socket) else { return nil }
                        continue
                    }
                    _ = shutdown(socket, Int32(SHUT_WR))
                    continue
                }
                let typed = Array(buffer[..<count])
                let (forGuest, found) = isTerminal ? keys.examine(typed, at: HostClock.monotonic()) : (typed, nil)
                guard Self.send(forGuest, socket) else { return nil }
                if let found { return found }
            }
        }
    }

    private func write(_ bytes: [UInt8]) throws(AerieError) {
        if isTerminal, bytes.contains(0x1b) { Terminal.noteEscapeSequence() }
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress! + done, $0.count - done) }
            if count < 0, errno != EINTR, errno != EAGAIN { throw AerieError(output: .last("write")) }
            done += max(count, 0)
        }
    }

    /// The guest may be slow to read: this waits for it.
    private static func send(_ bytes: [UInt8], _ socket: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress! + done, $0.count - done, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno != EINTR { return false }
            done += max(count, 0)
        }
        return true
    }
}

/// Passes changes of this terminal's window on to a machine.
private struct WindowWatch {
    private let loop: EventLoop
    private let watch: SignalWatch

    init?(_ machine: Machine, _ number: Int, isTerminal: Bool) throws(AerieError) {
        guard isTerminal else { return nil }
        let client = try ControlClient(machine)
        do throws(SystemError) {
            let loop = try EventLoop(name: "window")
            try loop.start()
            self.loop = loop
            watch = try SignalWatch([SIGWINCH], on: loop) { _ in
                guard let size = Terminal.windowSize(STDOUT_FILENO) else { return }
                let parameters: [String: JSONValue] = [
                    "attachment": JSONValue(number), "columns": JSONValue(size.columns), "rows": JSONValue(size.rows),
                ]
                _ = try? client.call(.resizeWindow, parameters)
            }
        } catch { throw AerieError(opening: "the terminal", error) }
    }

    func cancel() {
        watch.cancel()
        loop.stop()
    }
}
