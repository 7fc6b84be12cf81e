internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import Runtime

extension JailedMachine {
    /// Bytes of output that wait for a session's reader.
    private static let outputLimit = 1 << 20
    /// Typed bytes that wait for the machine.
    private static let inputLimit = 64 << 10

    /// Opens the guest's console, beside other sessions: at most 16 at once.
    ///
    /// The latest 64 KiB of output come first. A session whose reader lags behind by more than 1 MiB loses the oldest output; it never holds the
    /// guest up.
    ///
    /// - Throws: `usage` when the machine does not run, `unavailable` when too many sessions are open.
    public func openConsole() async throws(AerieError) -> ConsoleSession {
        try await work("console") { [machine] in
            let client = try ControlClient(machine)
            try client.call(.attach)
            let wake = try WakeEvent()
            let output = BytePipe(limit: Self.outputLimit)
            let input = BytePipe(limit: Self.inputLimit, onBytes: { wake.signal() })
            let relay = ConsoleRelay(client: client, output: output, input: input, wake: wake)
            _ = try HostThread(name: "console") { relay.run() }
            return ConsoleSession(output: output, input: input) { wake.signal() }
        }
    }
}

/// Moves the bytes of a console between a machine's process and a session, on a thread of its own.
private struct ConsoleRelay: Sendable {
    private static let chunk = 65_536

    let client: ControlClient
    let output: BytePipe
    let input: BytePipe
    let wake: WakeEvent

    func run() {
        // The end of the connection, too, ends with this thread.
        let (descriptor, begun) = client.stream
        output.push(begun)
        var typed: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: Self.chunk)
        while !output.isClosed {
            if typed.isEmpty { typed = input.read(limit: Self.chunk) }
            if !typed.isEmpty { typed.removeFirst(Self.send(typed, descriptor)) }
            let more = typed.isEmpty ? 0 : Int16(POLLOUT)
            var entries = [
                pollfd(fd: descriptor, events: Int16(POLLIN) | more, revents: 0),
                pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&entries, UInt(entries.count), -1) > 0 else { continue }
            if entries[1].revents != 0 { wake.drain() }
            guard entries[0].revents & ~Int16(POLLOUT) != 0 else { continue }
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count == 0 || count < 0 && errno != EAGAIN && errno != EINTR { break }
            if count > 0 { output.push(Array(buffer[..<count])) }
        }
        output.finish()
        input.close()
    }

    /// - Returns: how many bytes the connection took.
    private static func send(_ bytes: [UInt8], _ descriptor: Int32) -> Int {
        let count = bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
        }
        return max(count, 0)
    }
}
