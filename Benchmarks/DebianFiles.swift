import Foundation
import GuestToolchain

/// The files of an image of `aerie image build debian`.
struct DebianFiles {
    let kernel: String
    let initrd: String
    let disk: String

    init(aerie: String, image: String = "debian") throws {
        let result = try HostProgram.run(aerie, ["image", "inspect", image])
        let text = String(decoding: result.output, as: UTF8.self)
        guard result.status == 0 else {
            throw BenchmarkError("there is no image \(image); `\(aerie) image build debian` builds it: \(text)")
        }
        /// The path in a line like `kernel:   /path (6.12)`.
        func path(_ key: String) throws -> String {
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("\(key):") }),
                let path = line.dropFirst(key.count + 1).split(separator: " ").first
            else { throw BenchmarkError("`aerie image inspect \(image)` does not name its \(key): \(text)") }
            return String(path)
        }
        kernel = try path("kernel")
        initrd = try path("initrd")
        disk = try path("root disk")
    }
}
