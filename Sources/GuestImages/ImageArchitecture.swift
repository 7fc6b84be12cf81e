/// An instruction set that images are built for, by the name that `--arch` takes and `uname -m` prints.
package enum ImageArchitecture: String, Codable, CaseIterable, Sendable {
    case riscv64
    case x86_64

    /// The instruction set of this host's own programs; nil when no images are built for it.
    static var host: ImageArchitecture? {
        #if arch(x86_64)
            .x86_64
        #else
            nil
        #endif
    }

    /// Reads the value of `--arch`.
    package init(parsing text: String) throws(ImageError) {
        guard let value = ImageArchitecture(rawValue: text) else {
            let known = ImageArchitecture.allCases.map(\.rawValue).joined(separator: ", ")
            throw ImageError(.usage, "architecture '\(text)': images cannot be built for it; choose one of: \(known)")
        }
        self = value
    }

    /// Debian's name of the architecture.
    var debianName: String {
        switch self {
        case .riscv64: "riscv64"
        case .x86_64: "amd64"
        }
    }

    /// Debian's package that depends on the newest kernel of the suite: the one for virtual machines, where there is one.
    var kernelPackage: String {
        switch self {
        case .riscv64: "linux-image-riscv64"
        case .x86_64: "linux-image-cloud-amd64"
        }
    }

    /// Kernel modules through which the board's guests reach their virtio devices.
    var transportModules: [String] {
        switch self {
        case .riscv64: ["virtio_mmio", "virtio_pci"]
        case .x86_64: ["virtio_pci"]
        }
    }

    /// The address of the board's test device, which ends the machine with a status.
    var testDevice: UInt64 {
        switch self {
        case .riscv64: 0x10_0000
        case .x86_64: 0xFEB0_0000
        }
    }
}
