internal import Glibc
package import HostSystem

/// The descriptors that a relay connects with a command. They stay the caller's, and open as long as the relay runs.
package struct RelayStreams: Sendable {
    package var input: Int32 = STDIN_FILENO
    package var output: Int32 = STDOUT_FILENO
    package var error: Int32 = STDERR_FILENO
    /// The keys that leave the command, where `input` is a terminal in raw mode.
    package var detachKeys = DetachKeys.usual

    package init() {}
}
