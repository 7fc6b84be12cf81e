internal import Aerie
internal import Glibc

/// The descriptors by which a program that starts a machine gives it the memory that it has received: numbers in the program, and those of
/// `inherited` in the machine's monitor.
package struct ArrivalDescriptors: Sendable {
    var memory: Int32
    var missing: Int32
    var input: Int32
    var output: Int32
    var channel: Int32

    /// Where the monitor has them.
    package static let inherited = ArrivalDescriptors(memory: 5, missing: 6, input: 7, output: 8, channel: 9)

    /// In the order of their numbers in the monitor.
    var numbers: [Int32] { [memory, missing, input, output, channel] }

    func files(mark: Int32) -> ArrivalFiles {
        ArrivalFiles(
            memory: memory, missing: missing, input: input, output: output, channel: channel, mark: mark)
    }
}
