internal import Aerie
internal import CRuntime
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The memory and the generated code that copies of a running machine begin with: files without names, of which each copy gets descriptors
/// (`ForkDescriptors`).
///
/// Copies and their parent are guests that may be each other's enemies, so that nobody can change the files any more.
package final class ForkedMemory {
    private let map: FileDescriptor
    /// What the machine had to copy.
    private let own: FileDescriptor
    private var usesOwn = false
    private var others: [Int32] = []
    /// Empty where there is no code, and where another file has it.
    private let code: FileDescriptor
    private var otherCode: Int32?

    private init() throws(SystemError) {
        map = try makeMemoryFile(name: "memory-map", size: 0)
        own = try makeMemoryFile(name: "guest-memory", size: 0)
        code = try makeMemoryFile(name: "saved-code", size: 0)
    }

    deinit { for descriptor in others + (otherCode.map { [$0] } ?? []) { close(descriptor) } }

    /// Saves a machine that runs for copies of it. It stands still afterwards, until the client lets it go on or ends the connection.
    ///
    /// - Parameters:
    ///   - client: a connection to the machine.
    ///   - state: an empty file for everything but the memory.
    /// - Returns: the memory, which is not fixed yet, and whether the machine was running.
    static func save(
        _ client: ControlClient, state: borrowing FileDescriptor
    ) throws(AerieError) -> (ForkedMemory, wasRunning: Bool) {
        let memory: ForkedMemory
        do throws(SystemError) { memory = try ForkedMemory() } catch { throw failure(error) }
        let answer = try client.call(
            .fork, files: [state.rawValue, memory.own.rawValue, memory.map.rawValue])
        guard let count = answer["files"]?.integer, let files = client.takeFiles(count) else {
            throw failure(SystemError("the machine's answer", code: EPROTO))
        }
        memory.usesOwn = answer["usesFile"] == .boolean(true)
        memory.others = files
        return (memory, answer["wasRunning"] == .boolean(true))
    }

    /// Saves the machine's code, too. It may run. Copies are complete without the code.
    func saveCode(_ client: ControlClient) {
        guard let answer = try? client.call(.saveCode, ["fork": .boolean(true)], files: [code.rawValue]) else {
            try? code.truncate(to: 0)
            return
        }
        otherCode = answer["files"]?.integer.flatMap { client.takeFiles($0) }?.first
    }

    /// Makes sure that the contents do not change any more, whoever has the files open.
    func fix() throws(AerieError) {
        do throws(SystemError) {
            for descriptor in descriptors.numbers {
                _ = try checked("sealing the memory") { aerie_fix_contents(descriptor) }
            }
        } catch { throw Self.failure(error) }
    }

    private static func failure(_ error: SystemError) -> AerieError {
        AerieError(.notStarted, asked: "a fork", found: error.description, advice: "the machine is unharmed")
    }

    private var files: [Int32] { (usesOwn ? [own.rawValue] : []) + others }

    /// What the process of a copy gets.
    package var descriptors: ForkDescriptors {
        ForkDescriptors(map: map.rawValue, code: otherCode ?? code.rawValue, files: files)
    }
}
