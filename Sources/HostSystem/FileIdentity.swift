internal import CLinux

/// What tells a file from all others of the host: names can differ. For a block device, it is the device that the node stands for.
package struct FileIdentity: Equatable, Sendable {
    private let device: UInt64
    private let number: UInt64

    /// The identity of the file at `path`, without opening it.
    package init(path: String) throws(SystemError) {
        try self.init("stat \(path)") { aerie_file_identity(path, -1, &$0) }
    }

    fileprivate init(_ call: String, _ body: (inout [UInt64]) -> Int32) throws(SystemError) {
        var numbers: [UInt64] = [0, 0]
        _ = try checked(call) { body(&numbers) }
        (device, number) = (numbers[0], numbers[1])
    }
}

extension FileDescriptor {
    /// The identity of the descriptor's file.
    package func identity() throws(SystemError) -> FileIdentity {
        let descriptor = rawValue
        return try FileIdentity("fstat") { aerie_file_identity(nil, descriptor, &$0) }
    }
}
