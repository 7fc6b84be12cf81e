/// An instruction set that images are built for, by the name that `--arch` takes and `uname -m` prints.
package enum ImageArchitecture: String, Codable, CaseIterable, Sendable {
    case riscv64

    /// Reads the value of `--arch`.
    package init(parsing text: String) throws(ImageError) {
        guard let value = ImageArchitecture(rawValue: text) else {
            let known = ImageArchitecture.allCases.map(\.rawValue).joined(separator: ", ")
            throw ImageError(.usage, "architecture '\(text)': images cannot be built for it; choose one of: \(known)")
        }
        self = value
    }

    /// Debian's name of the architecture.
    var debianName: String { rawValue }

    /// Debian's package that depends on the newest kernel of the suite.
    var kernelPackage: String { "linux-image-\(debianName)" }
}
