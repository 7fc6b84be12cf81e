internal import Aerie
internal import Glibc
internal import HostSystem

/// The descriptors by which a program that starts a copy of a machine gives it the memory and the generated code to begin with: numbers in the
/// program, and those of `inherited` in the copy's monitor.
package struct ForkDescriptors: Sendable {
    let map: Int32
    /// An empty file where there is no code.
    let code: Int32
    /// In the order of their numbers in the map.
    let files: [Int32]

    /// Where the monitor has them: the map at 5, the code at 6, and the files from 7 on. Call it before anything else is opened.
    package static func inherited() -> ForkDescriptors {
        var end: Int32 = 7
        while fcntl(end, F_GETFD) != -1 { end += 1 }
        return ForkDescriptors(map: 5, code: 6, files: Array(7..<end))
    }

    /// In the order of their numbers in the monitor.
    var numbers: [Int32] { [map, code] + files }

    /// - Throws: EBADF when there is no file at all.
    func memory() throws(SystemError) -> SavedMemoryFiles {
        guard let first = files.first else { throw SystemError("the files of a copy's memory", code: EBADF) }
        return SavedMemoryFiles(memory: first, map: map, others: Array(files.dropFirst()))
    }
}

/// What a machine begins with that only descriptors lead to.
package enum GivenMemory: Sendable {
    /// The memory of a machine that was received just now.
    case arrival(ArrivalDescriptors)
    /// The memory of the machine that this one is a copy of.
    case fork(ForkDescriptors)

    /// In the order of their numbers in the monitor.
    var numbers: [Int32] {
        switch self {
        case .arrival(let descriptors): descriptors.numbers
        case .fork(let descriptors): descriptors.numbers
        }
    }
}
