/// A complete image in the store.
package struct StoredImage: Sendable {
    package let manifest: ImageManifest
    /// The directory that holds the image's files; its last component is the image's identity.
    package let directory: String

    package var identity: String { String(directory[directory.index(after: directory.lastIndex(of: "/")!)...]) }
    package var kernelPath: String { "\(directory)/\(manifest.kernel)" }
    package var initrdPath: String { "\(directory)/\(manifest.initrd)" }
    /// A raw file that is never written after the build: guests run from it read-only or copy-on-write.
    package var rootDiskPath: String { "\(directory)/\(manifest.rootDisk)" }
    /// Bytes that the image's files occupy on the host.
    package let allocatedSize: UInt64
}
