internal import Aerie
internal import Foundation
internal import GuestImages
internal import HostSystem

/// An image that a guest boots from, kept from being removed for as long as this object lives.
final class ImageBoot {
    let image: StoredImage
    private let lease: FileLock

    /// The descriptor of the image's lock: who has it open keeps the image.
    var leaseDescriptor: Int32 { lease.descriptor }

    /// Whether the image's guests start services, and make keys of their own at their first start.
    var startsServices: Bool {
        image.manifest.packages.contains { ["systemd-sysv", "openssh-server"].contains($0.name) }
    }

    private init(_ image: StoredImage, in store: ImageStore) throws(ImageError) {
        self.image = image
        lease = try store.lease(image)
    }

    /// Finds an image, building it when there is none of that name yet.
    static func find(_ name: String, architecture: Configuration.Architecture?) async throws -> ImageBoot {
        let reference = try ImageReference(parsing: name)
        let architecture = try ImageArchitecture(parsing: architecture?.rawValue ?? ImageArchitecture.riscv64.rawValue)
        let store = try userImageStore()
        if let image = try existing(reference, architecture, store) { return try ImageBoot(image, in: store) }
        return try ImageBoot(try await ImageBuilding(reference, architecture).run(), in: store)
    }

    private static func existing(
        _ reference: ImageReference, _ architecture: ImageArchitecture, _ store: ImageStore
    ) throws(ImageError) -> StoredImage? {
        do throws(ImageError) {
            return try store.image(reference, architecture)
        } catch  where error.kind == .usage {
            // The name is sound, so this says that there is no image of it.
            return nil
        }
    }

    /// What the guest is told of this terminal.
    static var terminalWords: [String] {
        guard let size = Terminal.windowSize(STDOUT_FILENO), Terminal.isTerminal(STDIN_FILENO) else { return [] }
        var words = ["aerie.rows=\(size.rows) aerie.columns=\(size.columns)"]
        let name = ProcessInfo.processInfo.environment["TERM"] ?? ""
        // A word of a command line: nothing but what terminals are called.
        if !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") }) {
            words.append("aerie.term=\(name)")
        }
        return words
    }
}
