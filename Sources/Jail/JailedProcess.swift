internal import CJail
internal import Glibc
internal import HostSystem

/// A machine's process in its jail, as its monitor sees it. One thread uses it.
package final class JailedProcess {
    /// How a process ended.
    package enum Ending: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32)

        /// What the process did, in words.
        package var text: String {
            switch self {
            case .exited(let code): "exited with code \(code)"
            case .signalled(let signal): "was ended by signal \(signal)"
            }
        }

        init(status: Int32) {
            let signal = status & 0x7F
            self = signal == 0 ? .exited(status >> 8 & 0xFF) : .signalled(signal)
        }
    }

    /// The machine's process. It stays this process's number until `ending` is known.
    package let identifier: Int32
    private let initIdentifier: Int32
    private let broker: FileDescriptor
    private var status: FileDescriptor?
    package private(set) var ending: Ending?

    private init(
        _ identifier: Int32, initIdentifier: Int32, broker: consuming FileDescriptor, status: consuming FileDescriptor
    ) {
        self.identifier = identifier
        self.initIdentifier = initIdentifier
        self.broker = broker
        self.status = .some(status)
    }

    deinit { end() }

    /// Lets the child go on, and waits until the machine's process runs.
    static func begin(
        _ initIdentifier: Int32, broker: consuming FileDescriptor, status: consuming FileDescriptor
    ) throws(SystemError) -> JailedProcess {
        var message = aerie_jail_message(kind: JailMessageKind.go.rawValue, sequence: 0, argument: 0, result: 0)
        _ = aerie_jail_send(status.rawValue, &message, nil, 0)
        // Either the process says hello, or its parent reports a failure or is gone.
        _ = aerie_jail_await_either(broker.rawValue, status.rawValue)
        if let hello = ReceivedMessage.next(from: broker.rawValue), hello.kind == .hello, hello.sender > 0 {
            return JailedProcess(hello.sender, initIdentifier: initIdentifier, broker: broker, status: status)
        }
        let code = failure(status.rawValue)
        kill(initIdentifier, SIGKILL)
        collect(initIdentifier)
        throw SystemError("clone", code: code)
    }

    private static func collect(_ process: Int32) {
        while waitpid(process, nil, 0) == -1, errno == EINTR {}
    }

    private static func failure(_ status: Int32) -> Int32 {
        guard let received = ReceivedMessage.next(from: status), received.kind == .failure, received.argument != 0
        else {
            return ECHILD
        }
        return Int32(bitPattern: received.argument)
    }

    // MARK: What the monitor watches

    /// Readable when the process asks for something: call `Broker.serve`.
    package var brokerDescriptor: Int32 { broker.rawValue }

    /// Readable when the process has ended: call `collect`. -1 after that.
    package var statusDescriptor: Int32 { status?.rawValue ?? -1 }

    /// Takes the process's end over, if it has ended. It never waits for long.
    package func collect() -> Ending? {
        if let ending { return ending }
        guard let descriptor = status?.rawValue, aerie_jail_await_readable(descriptor, 0) == 1 else { return nil }
        // Without a report the first process was killed, and the kernel ends the others with it.
        var result = Ending.signalled(SIGKILL)
        if let received = ReceivedMessage.next(from: descriptor), received.kind == .ended {
            result = Ending(status: Int32(bitPattern: received.argument))
        }
        ending = result
        // The first process ends when this end is closed.
        status = nil
        Self.collect(initIdentifier)
        return result
    }

    /// Sends a signal to the machine's process, unless it has ended.
    package func send(_ signal: Int32) {
        if ending == nil { kill(identifier, signal) }
    }

    /// Ends the machine's process at once, as if its power were cut, and waits until it is gone.
    package func end() {
        guard ending == nil else { return }
        kill(identifier, SIGKILL)
        if let descriptor = status?.rawValue { _ = aerie_jail_await_readable(descriptor, -1) }
        _ = collect()
    }

    /// Serves the process's requests until its end, for a monitor without other work.
    package func waitForEnd(_ requests: Broker) -> Ending {
        while true {
            let ready = aerie_jail_await_either(brokerDescriptor, statusDescriptor)
            let isOpen = ready & 1 == 0 || requests.serve(brokerDescriptor)
            if let ending = collect() {
                requests.finish()
                return ending
            }
            // A process that has closed its end asks for nothing any more; only its end is waited for.
            if !isOpen { _ = aerie_jail_await_readable(statusDescriptor, -1) }
        }
    }
}
