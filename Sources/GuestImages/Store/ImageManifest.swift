package import FoundationEssentials

/// What `manifest.json` beside an image's files says about them.
package struct ImageManifest: Codable, Equatable, Sendable {
    /// One installed package.
    package struct Package: Codable, Equatable, Sendable {
        package var name: String
        package var version: String

        package init(name: String, version: String) {
            self.name = name
            self.version = version
        }
    }

    /// The form of this file; readers refuse another.
    package static let currentVersion = 1

    package var version = ImageManifest.currentVersion
    package var reference: ImageReference
    package var architecture: ImageArchitecture
    /// File names in the image's directory.
    package var kernel: String
    package var initrd: String
    package var rootDisk: String
    /// The kernel's release, as `uname -r` prints it in the guest.
    package var kernelRelease: String
    /// What the kernel is to be told; a `console=` of the caller's may be added and wins.
    package var commandLine: String
    /// Seconds are whole.
    package var created: Date
    package var mirror: String
    /// Every package in the root file system, by name.
    package var packages: [Package]
    /// The root disk's virtual size in bytes.
    package var diskSize: UInt64
    /// SHA-256 in hexadecimal over the kernel, the initial RAM disk and the written extents of the root disk.
    package var digest: String
}

extension ImageManifest {
    static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }

    /// The bytes of `manifest.json`: indented, keys in a fixed order.
    package func encoded() throws(ImageError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return try Array(encoder.encode(self)) + [UInt8(ascii: "\n")]
        } catch {
            throw ImageError(.internalFailure, "manifest of \(reference): it cannot be written (\(error))")
        }
    }
}
