internal import GuestMemory
internal import Machine

extension SBI {
    /// Bytes that one call moves at most; the guest calls again for the rest.
    package static let consoleLimit: UInt64 = 4096

    /// SBI 2.0, chapter 12. A write of a buffer takes as many bytes as there is room for, and returns their number.
    func debugConsole(_ function: UInt32, _ arguments: SBIArguments) throws(SBIError) -> UInt64 {
        guard let console else { throw .notSupported }
        switch function {
        case 0:
            let (address, count) = try consoleBuffer(arguments)
            guard count > 0 else { return 0 }
            do {
                return UInt64(console.write(try memory.bytes(at: address, count: count)))
            } catch {
                throw .invalidParameter
            }
        case 1:
            // The buffer is checked first, so that no input is taken and lost.
            let (address, count) = try consoleBuffer(arguments)
            guard count > 0 else { return 0 }
            let input = console.read(limit: count)
            do {
                try memory.write(input, at: address)
            } catch {
                throw .failed
            }
            return UInt64(input.count)
        case 2:
            try put(arguments[0], on: console)
            return 0
        default: throw .notSupported
        }
    }

    /// Writes one byte for a call that returns only when it is written (console_write_byte, and the legacy putchar).
    ///
    /// Without room the call is made again: the hart executes its ECALL once more. It takes interrupts and can be paused,
    /// saved and stopped in between, and no thread of the host waits.
    func put(_ byte: UInt64, on console: any CharacterChannel) throws(SBIError) {
        guard console.write([UInt8(truncatingIfNeeded: byte)]) == 1 else { throw .again }
    }

    /// The memory that a call names by size and the lower and upper half of an address, which is all in the lower half for
    /// 64-bit harts; as much of it as one call moves.
    private func consoleBuffer(_ arguments: SBIArguments) throws(SBIError) -> (address: UInt64, count: Int) {
        guard arguments[0] > 0 else { return (0, 0) }
        guard arguments[2] == 0, memory.hostAddress(of: arguments[1], count: arguments[0]) != nil else {
            throw .invalidParameter
        }
        return (arguments[1], Int(min(arguments[0], Self.consoleLimit)))
    }
}
