internal import Foundation
internal import GuestImages

/// What `--format json` says about an image in a list.
struct ImageSummary: Encodable {
    let reference: String
    let architecture: String
    let created: Date
    /// Bytes that the image occupies on the host.
    let allocatedSize: UInt64
    /// Bytes of the guest's root disk.
    let diskSize: UInt64
    let identity: String

    init(_ image: StoredImage) {
        reference = image.manifest.reference.description
        architecture = image.manifest.architecture.rawValue
        created = image.manifest.created
        allocatedSize = image.allocatedSize
        diskSize = image.manifest.diskSize
        identity = image.identity
    }
}
