internal import CJail
internal import Glibc
internal import HostSystem

/// Directories that are open for lookups, and closed at the end.
final class OwnedDirectories {
    private var numbers: [Int32] = []

    init(_ paths: [String]) throws(SystemError) {
        for path in paths { numbers.append(try checked("open \(path)") { aerie_jail_open_directory(path) }) }
    }

    deinit { for number in numbers { close(number) } }

    /// A path of the directory that stays right when other directories are mounted over its own.
    func path(_ index: Int) -> String { "/proc/self/fd/\(numbers[index])" }
}
