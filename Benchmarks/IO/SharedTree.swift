import Foundation
import GuestToolchain

/// A directory of the host with many files, for a shared folder: small ones, in directories of a hundred, and a git repository of them if
/// the host has git.
struct SharedTree {
    let root: URL

    init(files: Int, in directory: String) throws {
        root = URL(filePath: directory).appending(path: "aerie-share-\(UUID().uuidString)")
        let tree = root.appending(path: "tree")
        for number in 0..<(files + 99) / 100 {
            let place = tree.appending(path: "d\(number % 32)/e\(number)")
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            for file in number * 100..<min(files, number * 100 + 100) {
                // 100 bytes to 8 KiB.
                let data = Data(repeating: UInt8(truncatingIfNeeded: file), count: 100 + file % 64 * 128)
                try data.write(to: place.appending(path: "f\(file)"))
            }
        }
        guard let git = HostProgram.find("git") else { return }
        for words in [["init", "-q"], ["add", "."]] {
            let result = try HostProgram.run(git, ["-C", tree.path] + words)
            guard result.status == 0 else {
                throw BenchmarkError("git \(words[0]): \(String(decoding: result.output, as: UTF8.self))")
            }
        }
    }

    func remove() { try? FileManager.default.removeItem(at: root) }
}
