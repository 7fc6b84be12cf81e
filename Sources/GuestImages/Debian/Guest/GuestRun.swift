/// A guest that the builder needs run once: it finishes the packages' installation and powers itself off.
///
/// The caller of `DebianImageBuilder.build` gets one and must boot it on the architecture's board with the disk as the
/// first writable virtio block device, without a network, and return when the guest has powered off; it throws when the
/// guest cannot be started or ends in another way. It must stop the guest when its task is cancelled.
package struct GuestRun: Sendable {
    /// Names the board.
    package var architecture: ImageArchitecture
    /// Paths of files.
    package var kernel: String
    package var initrd: String
    package var disk: String
    /// The kernel's command line; it names the console.
    package var commandLine: String
    /// Memory that the guest needs, in bytes.
    package var memory: UInt64
    /// To be called with everything the guest writes to its serial console, in order; the builder reads its progress
    /// from it and keeps the end of it for an error message.
    package var console: @Sendable ([UInt8]) -> Void
}
