internal import CLinux

/// Which build of the program this is.
package enum ProgramBuild {
    /// The build ID of the program or library that has the code at `address`: equal for equal files. Nil where the linker made none.
    package static func identity(ofCodeAt address: UnsafeRawPointer) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = aerie_build_id(address, &bytes, bytes.count)
        return count > 0 ? Array(bytes.prefix(count)) : nil
    }
}
