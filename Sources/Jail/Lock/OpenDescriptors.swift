internal import CJail
internal import Glibc
internal import HostSystem

/// What this process has open.
enum OpenDescriptors {
    private static let most = 65536

    /// All descriptors.
    static func numbers() throws(SystemError) -> [Int32] {
        var numbers: [Int32] = []
        var count = 256
        repeat {
            numbers = [Int32](repeating: -1, count: min(count, most))
            count = Int(
                try checked("open /proc/self/fd") { aerie_jail_descriptors(&numbers, Int32(numbers.count)) })
        } while count > numbers.count && numbers.count < most
        guard count <= numbers.count else { throw SystemError("open /proc/self/fd", code: EMFILE) }
        return Array(numbers[..<count])
    }
}
