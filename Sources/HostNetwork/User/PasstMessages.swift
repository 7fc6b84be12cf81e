internal import Glibc
package import HostSystem

/// The read end of passt's standard error, which does not block.
package struct PasstMessages: ~Copyable, Sendable {
    /// The most bytes that are kept.
    private static let longest = 4096

    private let descriptor: FileDescriptor

    package init(owning descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    consuming func release() -> Int32 { descriptor.release() }

    /// The last line that has arrived since the last call; nil if there is none.
    package func last() -> String? {
        var text: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: Self.longest)
        while case let count = bytes.withUnsafeMutableBytes({ read(descriptor.rawValue, $0.baseAddress, $0.count) }),
            count > 0
        {
            text = (text + bytes[..<count]).suffix(Self.longest)
        }
        let lines = text.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        // Without a system logger, one version complains about that before each of its lines.
        return lines.last { !$0.isEmpty && !$0.hasSuffix("to syslog") }
    }
}
