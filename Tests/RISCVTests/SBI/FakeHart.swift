import HostSystem
import Machine
import RISCV

/// A hart that does nothing but note what SBI does to it.
final class FakeHart: SBIHart, @unchecked Sendable {
    // @unchecked: every test uses its harts on one thread.
    enum Event: Equatable {
        case timer(UInt64)
        case interrupt(Int, Bool)
        case started(UInt64, UInt64)
        case stopped
        case suspended
        case suspendedUntil(UInt64, UInt64)
        case fence(RemoteFence)
        /// For the fence that was the event of this number.
        case wait(UInt64)
    }

    let index: Int
    var pc: UInt64 = 0x8000_0000
    var registers = (0..<32).map { UInt64($0) * 0x0101_0101_0101_0101 }
    var lifeState = HartLife.started
    var events: [Event] = []
    /// Nil for a hart without the hypervisor extension.
    var guestIdentifier: UInt64?
    let machineIdentity: (vendor: UInt64, architecture: UInt64, implementation: UInt64) = (7, 8, 9)

    init(index: Int) { self.index = index }

    subscript(integer number: Int) -> UInt64 {
        get { registers[number] }
        set { registers[number] = newValue }
    }

    func setSupervisorTimer(_ deadline: UInt64) { events.append(.timer(deadline)) }
    func setInterrupt(_ number: Int, level: Bool) { events.append(.interrupt(number, level)) }

    func start(at address: UInt64, opaque: UInt64) -> Bool {
        guard lifeState == .stopped else { return false }
        events.append(.started(address, opaque))
        lifeState = .starting(address: address, opaque: opaque)
        return true
    }

    func stop() {
        events.append(.stopped)
        lifeState = .stopped
    }

    func suspend(resume: (address: UInt64, opaque: UInt64)?) {
        events.append(resume.map { .suspendedUntil($0.address, $0.opaque) } ?? .suspended)
    }

    func requestFence(_ fence: RemoteFence) -> UInt64 {
        events.append(.fence(fence))
        return UInt64(events.count)
    }

    func waitForFence(_ request: UInt64) { events.append(.wait(request)) }
}

/// A console of two buffers.
final class FakeConsole: CharacterChannel {
    private let buffers = Monitor((input: [UInt8](), output: [UInt8]()))

    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
    var output: [UInt8] { buffers.withLock { $0.output } }
    var waiting: Int { buffers.withLock { $0.input.count } }

    func type(_ text: String) { buffers.update { $0.input += Array(text.utf8) } }

    func read(limit: Int) -> [UInt8] {
        buffers.update { buffers in
            let taken = Array(buffers.input.prefix(limit))
            buffers.input.removeFirst(taken.count)
            return taken
        }
    }

    func write(_ bytes: [UInt8]) -> Int {
        buffers.update { $0.output += bytes }
        return bytes.count
    }
    func setHandler(_ handler: (@Sendable () -> Void)?) {}
}
